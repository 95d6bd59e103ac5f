"""agegender analyze: what is seen in pictures."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from pathlib import Path

from agegender.analyzer import Analyzer, analyze_file
from agegender.cli.console import DONE, FAILED, add_model_names, bar, build, complain, say
from agegender.drawing.annotate import annotate
from agegender.errors import AgeGenderError, ImageError
from agegender.export.faces import Named, csv_lines, json_lines, table_lines
from agegender.imaging.io import decode, encode_jpeg
from agegender.types import Image

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


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    one.description = "Say what is seen in pictures, one after the other."
    one.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a picture, or a folder with pictures in it"
    )
    formats = one.add_mutually_exclusive_group()
    formats.add_argument(
        "--table",
        dest="format",
        action="store_const",
        const="table",
        default="table",
        help="a line a face, for people (this is what you get if you do not choose)",
    )
    formats.add_argument(
        "--json", dest="format", action="store_const", const="json", help="an object a picture, on a line"
    )
    formats.add_argument(
        "--csv",
        dest="format",
        action="store_const",
        const="csv",
        help="a row a face; a picture without faces has none",
    )
    one.add_argument(
        "--annotate",
        type=Path,
        metavar="FOLDER",
        help="put pictures with boxes and labels there, as NAME-annotated.jpg; no file is overwritten",
    )
    add_model_names(one)
    one.set_defaults(command=analyze)


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
                for note in analysis.notes:
                    complain(f"{path}: {note}")
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
