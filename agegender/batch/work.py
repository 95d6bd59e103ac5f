"""The work of any worker: pictures in, rows out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from agegender import __version__
from agegender.analyzer import Analyzer, analyze_file, build_analyzer
from agegender.batch.sources import Item, read
from agegender.errors import AgeGenderError
from agegender.export.faces import COLUMNS, rows
from agegender.models.manifest import load_manifest

Row = dict[str, str | int | float | None]

OWN_COLUMNS = (
    *("path", "size", "modified_s", "sha256", "error", "seconds"),
    *("detector", "estimator", "version"),
)
"""Columns of a batch's rows in addition to those of the CSV."""


class Models(NamedTuple):
    """The models to use, by names that `build_analyzer` knows."""

    detector: str = "auto"
    estimator: str = "apparent"


def analyze_items(items: Sequence[Item], models: Models) -> list[Row]:
    """Analyse pictures and return their rows.

    One per face; one without face columns for a picture without faces; and one with only `error` for a
    picture that cannot be read. A row has every key of `OWN_COLUMNS` and of the CSV's columns, with None for
    missing values.
    """
    return [row for item in items for row in _rows_of(item, models)]


def error_row(item: Item, models: Models, message: str, sha256: str | None = None) -> Row:
    """Row for a picture that cannot be read."""
    return _row(item, models, {"error": message, "sha256": sha256})


def _rows_of(item: Item, models: Models) -> list[Row]:
    sha256, start_s = None, time.perf_counter()
    try:
        data = read(item)
        sha256 = hashlib.sha256(data).hexdigest()
        _, analysis = analyze_file(data, _analyzer(models))
    except AgeGenderError as error:
        return [error_row(item, models, str(error), sha256)]
    seconds = round(time.perf_counter() - start_s, 4)
    known: Row = {"sha256": sha256, "seconds": seconds}
    alone: Row = {"width_px": analysis.width_px, "height_px": analysis.height_px}
    faces: list[Row] = [dict(zip(COLUMNS, face, strict=True)) for face in rows(_name(item), analysis)]
    return [_row(item, models, known | face) for face in faces or [alone]]


def _row(item: Item, models: Models, known: Row) -> Row:
    own: Row = {
        "file": _name(item),
        "path": item.path,
        "size": item.size,
        "modified_s": item.modified_s,
        "detector": _with_sum(models.detector),
        "estimator": _with_sum(models.estimator),
        "version": __version__,
    }
    return {**dict.fromkeys((*OWN_COLUMNS, *COLUMNS)), **own, **known}


def _name(item: Item) -> str:
    return PurePosixPath(item.path.replace("\\", "/")).name


@cache
def _with_sum(model: str) -> str:
    """Name of a model with the beginning of the SHA-256 of its files: 'apparent@dbc17f3d'."""
    sums = "".join(file.sha256 for file in load_manifest()[model].files)
    return f"{model}@{hashlib.sha256(sums.encode()).hexdigest()[:8]}"


@lru_cache(maxsize=1)
def _analyzer(models: Models) -> Analyzer:
    return build_analyzer(*models)
