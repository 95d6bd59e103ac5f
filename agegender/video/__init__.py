"""Video annotation: opening untrusted files, reading frames, annotating them, writing MP4."""
