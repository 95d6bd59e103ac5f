"""Evaluation on labelled pictures: accuracy, overall and by group, and calibration."""
