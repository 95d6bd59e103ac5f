"""Apparent age and gender from faces: alignment, the nets, age distributions, warnings."""
