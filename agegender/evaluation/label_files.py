"""Label files: where to find them, and how to read their rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from agegender.errors import DatasetError

T = TypeVar("T")
Fits = Callable[[Collection[str]], bool]
"""Tells whether a table with these columns holds the wanted labels."""


def locate(path: Path, fits: Fits) -> tuple[Path, Path | None]:
    """Locate the folder or archive of the pictures, and the label file if it is outside of that.

    `path` is a folder, an archive or the label file. NAME.csv belongs to NAME.tar beside it.
    """
    if path.suffix.lower() == ".csv":
        archive = path.with_suffix(".tar")
        return (archive if archive.is_file() else path.parent), path
    if path.suffix.lower() == ".txt":
        return path.parent, path
    if path.is_dir():
        fitting = [found.name for found in sorted(path.glob("*.csv")) if fits(columns(_head(found)))]
        return locate(path / choose(fitting), fits) if fitting else (path, None)
    beside = path.with_name(f"{path.name.split('.tar')[0]}.csv")
    return path, beside if beside.is_file() else None


def choose(names: Sequence[str]) -> str:
    """Pick the only label file, or of several the one that is named as a validation set."""
    of_validation = [name for name in names if "val" in PurePosixPath(name).name.lower()]
    found = names if len(names) == 1 else of_validation
    if len(found) != 1:
        raise DatasetError(f"There are several label files: {', '.join(names)}. Name one of them.")
    return found[0]


def columns(content: bytes) -> list[str]:
    """Column names from a CSV's first line; the content need not be CSV."""
    first_line = content[:10_000].decode("utf-8-sig", "replace").splitlines()[:1]
    try:
        return next(csv.reader(first_line), [])
    except csv.Error:
        return []


def read(path: Path) -> bytes:
    """Read a label file; raises `DatasetError` if that fails."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"“{path}” cannot be read ({error.strerror}).") from error


def parse(name: str, content: bytes, delimiter: str, parse_row: Callable[[dict[str, str]], T]) -> Iterator[T]:
    """Apply `parse_row` to each row, given as a dict by column.

    A `ValueError` in it becomes a `DatasetError` that names the file and the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} is not a text file in UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    try:
        yield from map(parse_row, reader)
    except KeyError as error:
        raise DatasetError(f"{name} has no column {error}.") from error
    except (ValueError, csv.Error) as error:
        raise DatasetError(f"{name}, line {reader.line_num}: {error}.") from error


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(10_000)
    except OSError:
        return b""
