"""The folder of a batch's results: finished parts, their content, and the manifest.

A part is written under a temporary name and renamed when complete, so any part with its final name is
finished. Arrow, DuckDB and pandas skip names that begin with _ or . when they read the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agegender.batch.work import OWN_COLUMNS, Row
from agegender.errors import BatchError, MissingExtraError
from agegender.export.faces import COLUMNS

MANIFEST = "_manifest.json"
UNFINISHED = "_unfinished-"

TEXTS = {"file", "path", "sha256", "error", "detector", "estimator", "version"} | {
    *("age_range", "gender", "warnings")
}
WHOLE = {"size", "width_px", "height_px", "face"}


class Results:
    """The results folder of a batch; created if missing.

    Parts are Parquet if pyarrow is installed and `parquet` is not False, otherwise JSON Lines. Raises
    `BatchError` if the folder cannot be used.
    """

    def __init__(self, folder: Path, *, parquet: bool | None = None) -> None:
        self.folder = folder
        self.parquet = has_pyarrow() if parquet is None else parquet
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(f"{UNFINISHED}*"):  # by a run that was killed
                left.unlink(missing_ok=True)
        except OSError as error:
            raise BatchError(f"“{folder}” cannot be written ({error.strerror}).") from error
        numbers = [int(path.stem.removeprefix("part-")) for path in self.parts() if path.stem[5:].isdigit()]
        self._next = max(numbers, default=-1) + 1

    def parts(self) -> list[Path]:
        """The finished parts, in order of number."""
        return parts_of(self.folder)

    def finished(self) -> tuple[dict[str, tuple[int, float]], set[str]]:
        """Content of the parts: path → (size, modified_s), and the paths with errors."""
        known: dict[str, tuple[int, float]] = {}
        errors: set[str] = set()
        for part in self.parts():
            for path, size, modified_s, error in _columns(part, ("path", "size", "modified_s", "error")):
                known[path] = (size, modified_s)
                if error is not None:
                    errors.add(path)
        return known, errors

    def write(self, rows: Sequence[Row]) -> Path:
        """Write the next part and return its path."""
        ending = "parquet" if self.parquet else "jsonl"
        path = self.folder / f"part-{self._next:06}.{ending}"
        self._write(path, rows)
        self._next += 1
        return path

    def drop(self, paths: Collection[str]) -> None:
        """Remove pictures that have changed, or are to be retried, from the parts."""
        for part in self.parts():
            if any(path in paths for (path,) in _columns(part, ("path",))):
                left = [row for row in rows_of(part) if row["path"] not in paths]
                if left:
                    self._write(part, left)
                else:
                    part.unlink()

    def manifest(self) -> dict[str, Any]:
        """The content saved by `save_manifest`; {} in a folder without one."""
        return manifest_of(self.folder)

    def save_manifest(self, content: Mapping[str, Any]) -> None:
        """Save settings and figures of the run as readable JSON."""
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        self._replace(self.folder / MANIFEST, lambda place: place.write_text(text, encoding="utf-8"))

    def _write(self, path: Path, rows: Sequence[Row]) -> None:
        write = _to_parquet if path.suffix == ".parquet" else _to_lines
        self._replace(path, lambda place: write(rows, place))

    def _replace(self, path: Path, write: Callable[[Path], object]) -> None:
        unfinished = self.folder / f"{UNFINISHED}{os.getpid()}-{path.name}"
        try:
            write(unfinished)
            unfinished.replace(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise BatchError(f"“{path}” cannot be written ({error.strerror}).") from error


def has_pyarrow() -> bool:
    """Return whether Parquet is available."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return False
    return True


def parts_of(folder: Path) -> list[Path]:
    """The finished parts in a results folder, in order of number."""
    return sorted([*folder.glob("part-*.parquet"), *folder.glob("part-*.jsonl")], key=lambda path: path.stem)


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a results folder; {} without one. Raises `BatchError` if it is broken."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BatchError(f"“{folder / MANIFEST}” cannot be read ({error}).") from error
    return dict(content)


def rows_of(part: Path) -> Iterator[Row]:
    """Yield the rows of a part. Raises `BatchError` if it cannot be read."""
    names = (*OWN_COLUMNS, *COLUMNS)
    return (dict(zip(names, values, strict=True)) for values in _columns(part, names))


def _columns(part: Path, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    try:
        if part.suffix == ".jsonl":
            with part.open(encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    yield tuple(row[name] for name in names)
            return
        from pyarrow import parquet

        table = parquet.read_table(part, columns=list(names), partitioning=None)
        yield from zip(*(table[name].to_pylist() for name in names), strict=True)
    except ImportError:
        raise MissingExtraError("Parquet files need pyarrow: pip install 'agegender[batch]'") from None
    except (OSError, ValueError, KeyError) as error:
        raise BatchError(f"“{part}” cannot be read ({error}).") from error


def _to_lines(rows: Sequence[Row], place: Path) -> None:
    with place.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _to_parquet(rows: Sequence[Row], place: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {**dict.fromkeys(TEXTS, pa.string()), **dict.fromkeys(WHOLE, pa.int64())}
    schema = pa.schema([(name, types.get(name, pa.float64())) for name in (*OWN_COLUMNS, *COLUMNS)])
    parquet.write_table(pa.Table.from_pylist(list(rows), schema), place, compression="zstd")
