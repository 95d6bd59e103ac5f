"""Faces to apparent age and gender: alignment, the nets, distributions over age, warnings."""
