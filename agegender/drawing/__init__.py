"""Draws analyses on pictures: boxes, labels that hide no face, blurred faces."""
