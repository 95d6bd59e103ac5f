"""What the commands do: results go to stdout, all else to stderr; each returns the exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from agegender.analyzer import Analyzer, analyze_file, build_analyzer
from agegender.drawing.annotate import annotate
from agegender.errors import AgeGenderError, ImageError, ModelError
from agegender.export.faces import Named, csv_lines, json_lines, printable, table_lines
from agegender.imaging.io import decode, encode_jpeg
from agegender.models import store
from agegender.models.http import Progress
from agegender.models.manifest import load_manifest
from agegender.types import Image

T = TypeVar("T")

DONE, FAILED = 0, 1

MAX_STEM_BYTES = 220
"""With what is put behind it, a name stays below the 255 bytes that file systems allow."""

ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp"),
    *(".tif", ".tiff", ".gif", ".heic", ".heif", ".avif"),
)
"""What the names of pictures end in, when not they are named but their folder."""

FORMATS: dict[str, Callable[[Iterable[Named]], Iterator[str]]] = {
    "table": table_lines,
    "json": json_lines,
    "csv": csv_lines,
}


def analyze(options: argparse.Namespace) -> int:
    """Print what is seen in pictures, each as soon as it is known."""
    failed: list[str] = []

    def fail(name: str, message: str) -> None:
        failed.append(name)
        complain(f"{name}: {message}")

    def analyses(paths: list[Path], analyzer: Analyzer) -> Iterator[Named]:
        for path in bar(paths, len(paths)):
            try:
                image, analysis = analyze_file(path, analyzer)
                if options.annotate:
                    whole = image if image.shape[1] == analysis.width_px else decode(path)
                    save(annotate(whole, analysis), options.annotate, path.stem)
                yield str(path), analysis
            except AgeGenderError as error:
                fail(str(path), str(error))

    if options.annotate:
        make_folder(options.annotate)
    analyzer = build(options)
    paths = list(pictures(options.paths, options.annotate, fail))
    if not paths and not failed:
        complain("There are no pictures in what was named.")
    for line in FORMATS[options.format](analyses(paths, analyzer)):
        say(line)
    return FAILED if failed else DONE


def list_models(_: argparse.Namespace) -> int:
    """Print what models there are, and whether they are here."""
    line = "{:<13}  {:<9}  {:<7}  {:>8}  {:<36}  {}"
    say(line.format("name", "role", "status", "size", "title", "licence"))
    for spec in load_manifest().values():
        size = f"{spec.bytes / 1e6:.1f} MB"
        say(line.format(spec.name, spec.role, store.status(spec), size, spec.title, spec.licence))
    return DONE


def fetch_models(options: argparse.Namespace) -> int:
    """Fetch models by name, and print where their files are."""
    manifest, status = load_manifest(), DONE
    for name in options.names:
        if name not in manifest:
            raise ModelError(f"There is no model called {name!r}. There are: {', '.join(manifest)}.")
    for name in options.names:
        try:
            with download_bars() as progress:
                paths = store.fetch(manifest[name], progress, retry=True)
            for place in paths.values():
                say(f"{name}: {place}")
        except ModelError as error:
            complain(f"{name}: {error}")
            status = FAILED
    return status


def build(options: argparse.Namespace) -> Analyzer:
    """Return the analyzer that was asked for, and tell what there is to know of it."""
    with download_bars() as progress:
        analyzer = build_analyzer(options.detector, options.estimator, progress)
    for note in analyzer.notes:
        complain(note)
    return analyzer


def pictures(
    paths: Iterable[Path], leave_out: Path | None, fail: Callable[[str, str], None]
) -> Iterator[Path]:
    """Return the files that are named, and in folders and below them the pictures that are not hidden.

    Those in the folder `leave_out` are left out: pictures that were annotated need not be again. `fail` is
    told of folders that cannot be read.
    """

    def unreadable(error: OSError) -> None:
        fail(str(error.filename), f"The folder cannot be read ({error.strerror}).")

    own = leave_out.resolve() if leave_out else None
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, files in os.walk(path, onerror=unreadable):
            below = [Path(folder, name) for name in sorted(folders) if not name.startswith(".")]
            folders[:] = [each.name for each in below if each.resolve() != own]
            names = [name for name in sorted(files) if name.lower().endswith(ENDINGS)]
            yield from (Path(folder, name) for name in names if not name.startswith("."))


def make_folder(folder: Path) -> None:
    """Make the folder where there is none; raises `ImageError` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"“{folder}” cannot be made a folder ({error.strerror}).") from error


def save(image: Image, folder: Path, stem: str) -> None:
    """Write the RGB image as STEM-annotated.jpg, or with a number where there is a file of that name."""
    content = encode_jpeg(image)
    if len(encoded := os.fsencode(stem)) > MAX_STEM_BYTES:
        stem = encoded[:MAX_STEM_BYTES].decode(errors="ignore")
    for ending in chain(("",), (f"-{number}" for number in count(2))):
        try:
            with (folder / f"{stem}-annotated{ending}.jpg").open("xb") as file:
                file.write(content)
            return
        except FileExistsError:
            continue
        except OSError as error:
            raise ImageError(f"No picture can be put into “{folder}” ({error.strerror}).") from error


def bar(items: Iterable[T], total: int) -> Iterator[T]:
    """Return the items, and show on a terminal how many of them are done."""
    quiet = None if total > 1 else True  # None is for tqdm to say: yes, where there is no terminal
    return iter(tqdm(items, total=total, unit="picture", disable=quiet, leave=False))


@contextmanager
def download_bars() -> Iterator[Progress]:
    """Return, for `with`, what shows a download's progress on a terminal."""
    bars: dict[str, tqdm] = {}

    def show(name: str, done: int, total: int) -> None:
        if name not in bars:
            bars[name] = tqdm(desc=name, total=total, unit="B", unit_scale=True, disable=None, leave=False)
        bars[name].update(done - bars[name].n)

    try:
        yield show
    finally:
        for each in bars.values():
            each.close()


def say(line: str) -> None:
    """Print a result, now, above a bar where there is one."""
    with tqdm.external_write_mode(sys.stdout):
        print(line, flush=True)


def complain(line: str) -> None:
    """Print to stderr what is no result, on one line."""
    with tqdm.external_write_mode(sys.stderr):
        print(printable(line), file=sys.stderr, flush=True)
