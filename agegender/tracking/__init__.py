"""Faces over time to people: tracks, fused evidence, and who is seen when."""
