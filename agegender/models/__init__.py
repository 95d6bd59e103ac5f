"""The models: their files, their sources, and their verification."""
