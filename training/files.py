"""What is said of a file that has been written."""

from __future__ import annotations

import hashlib
from pathlib import Path


def describe(path: Path) -> str:
    """Return the file's size and SHA-256, as models/manifest.toml wants them."""
    content = path.read_bytes()
    return f"{path}: bytes = {len(content)}, sha256 = {hashlib.sha256(content).hexdigest()}"
