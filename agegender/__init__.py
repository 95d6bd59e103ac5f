"""Apparent age and gender from faces.

The public names; nothing heavy is loaded before one of them is used.

>>> from agegender import build_analyzer, read_image
>>> analyze = build_analyzer(detector="bundled")
>>> analysis = analyze(read_image("samples/astronaut.png"))
>>> [reading.gender.label for reading in analysis.readings]
['Female']
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

# Every entry point imports this before ONNX Runtime, which would otherwise report each session to its maker
# and keep an identifier in the user's cache folder. Its own `disable_telemetry_events()` stops neither.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from agegender.analyzer import Analyzer, build_analyzer
    from agegender.drawing.annotate import annotate
    from agegender.errors import (
        AgeGenderError,
        BatchError,
        DatasetError,
        ImageError,
        MissingExtraError,
        ModelError,
        VideoError,
    )
    from agegender.imaging.workers import read_image
    from agegender.types import Age, Analysis, Box, Face, Gender, Reading

__version__ = "0.1.0"

__all__ = [
    "Age",
    "AgeGenderError",
    "Analysis",
    "Analyzer",
    "BatchError",
    "Box",
    "DatasetError",
    "Face",
    "Gender",
    "ImageError",
    "MissingExtraError",
    "ModelError",
    "Reading",
    "VideoError",
    "__version__",
    "annotate",
    "build_analyzer",
    "read_image",
]

_HOMES = {
    "Analyzer": "analyzer",
    "annotate": "drawing.annotate",
    "build_analyzer": "analyzer",
    "read_image": "imaging.workers",
}
"""Modules of the names that are loaded on first use; all others are values or errors."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'agegender' has no attribute {name!r}")
    home = _HOMES.get(name) or ("errors" if name.endswith("Error") else "types")
    value = globals()[name] = getattr(import_module(f"agegender.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
