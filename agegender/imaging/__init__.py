"""Bytes to RGB pixels and back: decoding, colour, geometry, video frames."""
