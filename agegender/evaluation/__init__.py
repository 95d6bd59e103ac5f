"""Labelled pictures to figures: how often the pipeline is right, for whom, and how sure it is."""
