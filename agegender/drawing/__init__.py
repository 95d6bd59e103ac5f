"""Analyses to pixels: boxes, labels that hide no face, hidden faces."""
