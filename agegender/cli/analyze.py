"""agegender analyze: what is seen in pictures."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from pathlib import Path

from agegender.analyzer import Analyzer, analyze_file
from agegender.cli.console import DONE, FAILED, add_model_names, bar, build, complain, say
from agegender.drawing.annotate import annotate
from agegender.errors import AgeGenderError, ImageError
from agegender.export.faces import Named, csv_lines, json_lines, table_lines
from agegender.imaging.formats import PICTURES, RAW_ENDINGS, VIDEOS, has_ending
from agegender.imaging.io import decode, encode_jpeg
from agegender.text import plural
from agegender.types import Image

MAX_STEM_BYTES = 220
"""With what is put behind it, a name stays below the 255 bytes that file systems allow."""

MOST_ENDINGS = 5
"""So many kinds of files that were passed over are told one by one."""

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
        help="put pictures with boxes and labels there, as NAME-annotated.jpg in the same folders as here; "
        "no file is overwritten",
    )
    add_model_names(one)
    one.set_defaults(command=analyze)


def analyze(options: argparse.Namespace) -> int:
    """Print what is seen in pictures, each as soon as it is known."""
    failed: list[str] = []
    passed_over: Counter[str] = Counter()

    def fail(name: str, message: str) -> None:
        failed.append(name)
        complain(f"{name}: {message}")

    def analyses(paths: list[Path], analyzer: Analyzer) -> Iterator[Named]:
        for path in bar(paths, len(paths)):
            try:
                image, analysis = analyze_file(path, analyzer)
                if options.annotate:
                    whole = image if image.shape[1] == analysis.width_px else decode(path)
                    save(annotate(whole, analysis), options.annotate / below(path, base), path.stem)
                for note in analysis.notes:
                    complain(f"{path}: {note}")
                yield str(path), analysis
            except AgeGenderError as error:
                fail(str(path), str(error))

    if options.annotate:
        make_folder(options.annotate)
    analyzer = build(options)
    base = common_folder(options.paths)
    paths = list(pictures(options.paths, options.annotate, fail, passed_over))
    if not paths and not failed:
        complain("There are no pictures in what was named.")
    if passed_over:
        complain(told(passed_over))
    for line in FORMATS[options.format](analyses(paths, analyzer)):
        say(line)
    return FAILED if failed else DONE


def pictures(
    paths: Iterable[Path],
    leave_out: Path | None,
    fail: Callable[[str, str], None],
    passed_over: Counter[str],
) -> Iterator[Path]:
    """Return the files that are named, and in folders and below them the pictures that are not hidden.

    Those in the folder `leave_out` are left out: pictures that were annotated need not be again. `fail` is
    told of folders that cannot be read; in `passed_over` the endings of files are counted that are there, and
    no pictures by their names.
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
            for name in sorted(files):
                if name.startswith("."):
                    continue
                if has_ending(name, PICTURES):
                    yield Path(folder, name)
                else:
                    passed_over[Path(name).suffix.lower()] += 1


def told(passed_over: Counter[str]) -> str:
    """Say which files in folders were passed over, by their endings, and what to do with them."""
    kinds = [
        f"{number} {ending or 'without ending'}" for ending, number in passed_over.most_common(MOST_ENDINGS)
    ]
    more = "" if len(passed_over) <= MOST_ENDINGS else " and others"
    videos = (
        " Videos are for the command “video”."
        if any(has_ending(each, VIDEOS) for each in passed_over)
        else ""
    )
    raw = (
        " Raw files of cameras have to be exported as JPEG first." if passed_over.keys() & RAW_ENDINGS else ""
    )
    files = plural(passed_over.total(), "file")
    return f"Passed over, being no pictures by name: {files} ({', '.join(kinds)}{more}).{videos}{raw}"


def common_folder(paths: Iterable[Path]) -> Path | None:
    """Return the folder in which all lies that is named; None where that is on several drives."""
    folders = [path if path.is_dir() else path.parent for path in paths]
    try:
        return Path(os.path.commonpath([folder.absolute() for folder in folders]))
    except ValueError:
        return None


def below(path: Path, base: Path | None) -> Path:
    """Return the folder of a file as seen from the folder `base`."""
    folder = path.absolute().parent
    return folder.relative_to(base) if base and folder.is_relative_to(base) else Path()


def make_folder(folder: Path) -> None:
    """Make the folder, and those above it, where there is none; raises `ImageError` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"“{folder}” cannot be made a folder ({error.strerror}).") from error


def save(image: Image, folder: Path, stem: str) -> None:
    """Write the RGB image as STEM-annotated.jpg, or with a number where there is a file of that name."""
    content = encode_jpeg(image)
    make_folder(folder)
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
