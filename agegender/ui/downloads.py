"""Analysed pictures as files to keep: annotated ones in a ZIP, results as the command line gives them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath

from agegender.drawing.view_options import ViewOptions
from agegender.errors import ImageError
from agegender.export.faces import Named, csv_lines, json_lines
from agegender.types import Analysis
from agegender.ui.previews import annotated_original


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its owner gave it, name and file, and all that was read from it."""

    name: str
    data: bytes
    analysis: Analysis


def zipped(pictures: Sequence[Picture], look: ViewOptions) -> bytes:
    """Return a ZIP of the pictures in their own size, annotated, as JPEG files without metadata.

    Only one picture at a time is held decoded. One with a side too long for JPEG is left out.
    """
    file = BytesIO()
    names = saved_names([picture.name for picture in pictures])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # JPEG files get no smaller
        for name, picture in zip(names, pictures, strict=True):
            try:
                archive.writestr(name, annotated_original(picture.data, picture.analysis, look))
            except ImageError:
                continue
    return file.getvalue()


def saved_names(names: Iterable[str]) -> Iterator[str]:
    """Return a name for each annotated picture, none twice: 'ada-faces.jpg', 'ada-faces-2.jpg'.

    They are made of letters, digits and harmless signs, and lead into no other folder.
    """
    taken: set[str] = set()
    for name in names:
        stem = re.sub(r"[^\w .()-]", "_", PurePath(name).stem)[:80].strip(" .") or "picture"
        number, saved = 1, f"{stem}-faces.jpg"
        while saved.casefold() in taken:  # some systems take 'A' for 'a'
            number += 1
            saved = f"{stem}-faces-{number}.jpg"
        taken.add(saved.casefold())
        yield saved


def as_csv(pictures: Iterable[Picture], look: ViewOptions) -> bytes:
    """Return one row a face, as `export.csv_lines` writes it."""
    return "".join(f"{line}\n" for line in csv_lines(_named(pictures, look))).encode()


def as_json(pictures: Iterable[Picture], look: ViewOptions) -> bytes:
    """Return one JSON object a picture, each on a line of its own, as `export.json_lines` writes it."""
    return "".join(f"{line}\n" for line in json_lines(_named(pictures, look))).encode()


def _named(pictures: Iterable[Picture], look: ViewOptions) -> Iterator[Named]:
    return ((picture.name, look.shown(picture.analysis)) for picture in pictures)
