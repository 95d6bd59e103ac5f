"""Convert the rows of a batch back to readings, for further use."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath

from agegender.batch.parts import parts_of, rows_of
from agegender.batch.work import Row
from agegender.errors import BatchError
from agegender.export.faces import PROBABILITIES
from agegender.types import Age, Box, Face, Gender, Reading


def readings_of(folder: Path, names: Collection[str]) -> dict[str, tuple[Reading, ...] | str]:
    """Results of a batch for pictures by name, each the end of a path in the batch.

    The readings of a picture, the one nearest to its middle first, or its error. Names that the batch does
    not have are left out. Landmarks are not stored in a batch. Raises `BatchError` if the folder has no
    results, or if two paths match one name.
    """
    parts = parts_of(folder)
    if not parts:
        raise BatchError(f"There are no results in “{folder}”.")
    wanted = {PurePosixPath(name).parts: name for name in names}
    lengths = {len(parts) for parts in wanted}
    found: dict[str, tuple[Reading, ...] | str] = {}
    for path, rows in _pictures(parts):
        ways = PurePosixPath(path.replace("\\", "/")).parts
        for name in {wanted[end] for length in lengths if (end := ways[-length:]) in wanted}:
            if name in found:
                raise BatchError(f"Two pictures of these results are called {name}.")
            found[name] = _readings(rows)
    return found


def _pictures(parts: list[Path]) -> Iterator[tuple[str, list[Row]]]:
    for part in parts:
        for path, rows in groupby(rows_of(part), key=lambda row: str(row["path"])):
            yield path, list(rows)


def _readings(rows: list[Row]) -> tuple[Reading, ...] | str:
    if rows[0]["error"] is not None:
        return str(rows[0]["error"])
    faces = [row for row in rows if row["face"] is not None]

    def from_middle(row: Row) -> float:
        x, y = _box(row).center
        return (x - _number(row, "width_px") / 2) ** 2 + (y - _number(row, "height_px") / 2) ** 2

    return tuple(map(_reading, sorted(faces, key=from_middle)))


def _reading(row: Row) -> Reading:
    probabilities = tuple(_number(row, key) for key in PROBABILITIES)
    age = Age(probabilities, *(_number(row, f"age_{key}") for key in ("years", "low", "high")))
    probability = _number(row, "gender_probability")
    p_female = probability if row["gender"] == "Female" else 1 - probability
    warnings = tuple(str(row["warnings"]).split("; ")) if row["warnings"] else ()
    return Reading(Face(_box(row), _number(row, "score")), age, Gender(p_female), warnings)


def _box(row: Row) -> Box:
    return Box(*(_number(row, side) for side in ("left", "top", "right", "bottom")))


def _number(row: Row, key: str) -> float:
    return float(row[key] or 0)
