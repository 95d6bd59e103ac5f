"""A video file to an annotated one: opening untrusted files, frames, annotating, writing MP4."""
