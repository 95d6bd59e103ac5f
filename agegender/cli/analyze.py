"""agegender analyze: faces, ages and genders in pictures."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain, count, zip_longest
from pathlib import Path

from agegender.analyzer import Analyzer, Look, analyze_file, look
from agegender.cli.console import DONE, FAILED, add_model_names, bar, build, complain, say
from agegender.cli.outputs import make_folder, write_bytes
from agegender.drawing.annotate import annotate
from agegender.errors import AgeGenderError
from agegender.export.faces import Named, csv_lines, json_lines, table_lines
from agegender.imaging import workers
from agegender.imaging.formats import PICTURES, RAW_ENDINGS, VIDEOS, has_ending
from agegender.imaging.io import encode_jpeg
from agegender.imaging.workers import TooMuchError
from agegender.text import plural
from agegender.types import Image

AHEAD_MB = 120
"""Memory for the next picture while one is analysed: 10 megapixels, or a reduced large JPEG."""

MAX_STEM_BYTES = 220
"""Leaves room for a suffix within the 255 bytes that file systems allow a name."""

MOST_ENDINGS = 5
"""Maximum number of file endings listed for skipped files."""

FORMATS: dict[str, Callable[[Iterable[Named]], Iterator[str]]] = {
    "table": table_lines,
    "json": json_lines,
    "csv": csv_lines,
}


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    one.description = "Find the faces in pictures and estimate their apparent age and gender."
    one.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a picture, or a folder of pictures")
    formats = one.add_mutually_exclusive_group()
    formats.add_argument(
        "--table",
        dest="format",
        action="store_const",
        const="table",
        default="table",
        help="one line per face, for people to read (the default)",
    )
    formats.add_argument(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        help="one JSON object per picture and line",
    )
    formats.add_argument(
        "--csv",
        dest="format",
        action="store_const",
        const="csv",
        help="one row per face, and none for a picture without faces",
    )
    one.add_argument(
        "--annotate",
        type=Path,
        metavar="FOLDER",
        help="save pictures with boxes and labels there as NAME-annotated.jpg, in the same subfolders; "
        "no file is overwritten",
    )
    add_model_names(one)
    one.set_defaults(command=analyze)


def analyze(options: argparse.Namespace) -> int:
    """Print the analysis of each picture as soon as it is known."""
    failed: list[str] = []
    passed_over: Counter[str] = Counter()

    def fail(name: str, message: str) -> None:
        failed.append(name)
        complain(f"{name}: {message}")

    def analyses(paths: list[Path], analyzer: Analyzer) -> Iterator[Named]:
        for path, first in bar(looks(paths), len(paths)):
            try:
                image, analysis = analyze_file(first(), analyzer)
                if options.annotate:
                    if image.shape[1] != analysis.width_px:
                        image = workers.shared().decode(path)
                    image = annotate(image, analysis)  # and the other one goes, before a third is made
                    save(image, options.annotate / below(path, base), path.stem)
                for note in analysis.notes:
                    complain(f"{path}: {note}")
                yield str(path), analysis
            except AgeGenderError as error:
                fail(str(path), str(error))

    if options.annotate:
        make_folder(options.annotate, "--annotate")
    analyzer = build(options)
    base = common_folder(options.paths)
    paths = list(pictures(options.paths, options.annotate, fail, passed_over))
    if not paths and not failed:
        complain("There are no pictures in these places.")
    if passed_over:
        complain(told(passed_over))
    for line in FORMATS[options.format](analyses(paths, analyzer)):
        say(line)
    return FAILED if failed else DONE


def looks(paths: Sequence[Path]) -> Iterator[tuple[Path, Callable[[], Look]]]:
    """Yield each path with a function that returns the first look at it, or raises `ImageError`.

    A worker decodes the next picture while one is analysed, unless it is too large for both at once.
    """
    with ThreadPoolExecutor(1) as pool:
        coming: Future[Look] | None = None
        for path, following in zip_longest(paths, paths[1:]):
            current = coming or pool.submit(_look_ahead, path)
            coming = pool.submit(_look_ahead, following) if following else None
            yield path, partial(_looked, path, current)


def _look_ahead(path: Path) -> Look:
    small = partial(workers.shared().decode_at_least, memory_mb=AHEAD_MB)
    return replace(look(path, small), decode=workers.decode_at_least)


def _looked(path: Path, ahead: Future[Look]) -> Look:
    try:
        return ahead.result()
    except TooMuchError:
        return look(path)


def pictures(
    paths: Iterable[Path],
    leave_out: Path | None,
    fail: Callable[[str, str], None],
    passed_over: Counter[str],
) -> Iterator[Path]:
    """Yield the files given, and the pictures that are not hidden in and below the folders given.

    Skips the folder `leave_out`, since annotated pictures need not be annotated again. `fail` is called for
    folders that cannot be read; `passed_over` counts, by ending, the files that are not pictures by name.
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
    """Summarise the files skipped in folders, by ending, with advice on what to do with them."""
    kinds = [
        f"{number} {ending or 'without ending'}" for ending, number in passed_over.most_common(MOST_ENDINGS)
    ]
    more = "" if len(passed_over) <= MOST_ENDINGS else " and others"
    videos = (
        " For videos, use the command “video”."
        if any(has_ending(each, VIDEOS) for each in passed_over)
        else ""
    )
    raw = " Export camera raw files as JPEG first." if passed_over.keys() & RAW_ENDINGS else ""
    files = plural(passed_over.total(), "file")
    return f"Skipped, not pictures by their names: {files} ({', '.join(kinds)}{more}).{videos}{raw}"


def common_folder(paths: Iterable[Path]) -> Path | None:
    """The deepest folder that contains all paths; None if they are on several drives."""
    folders = [path if path.is_dir() else path.parent for path in paths]
    try:
        return Path(os.path.commonpath([folder.absolute() for folder in folders]))
    except ValueError:
        return None


def below(path: Path, base: Path | None) -> Path:
    """The folder of a file relative to `base`."""
    folder = path.absolute().parent
    return folder.relative_to(base) if base and folder.is_relative_to(base) else Path()


def save(image: Image, folder: Path, stem: str) -> None:
    """Write the RGB image as STEM-annotated.jpg, with a number added if that file exists."""
    content = encode_jpeg(image)
    if not folder.is_dir():
        make_folder(folder, "--annotate")
    if len(encoded := os.fsencode(stem)) > MAX_STEM_BYTES:
        stem = encoded[:MAX_STEM_BYTES].decode(errors="ignore")
    for ending in chain(("",), (f"-{number}" for number in count(2))):
        try:
            write_bytes(folder / f"{stem}-annotated{ending}.jpg", content, replace=False)
            return
        except FileExistsError:
            continue
