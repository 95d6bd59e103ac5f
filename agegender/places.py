"""Where bundled files are: in a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

_BUNDLED = Path(__file__).parent / "bundled"
ROOT = _BUNDLED if _BUNDLED.is_dir() else Path(__file__).parents[1]
"""The folder of `app.py`, `pages/`, `models/` and `samples/`."""

MODELS = ROOT / "models"
SAMPLES = ROOT / "samples"
