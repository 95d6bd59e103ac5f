"""Downloads: annotated pictures as a ZIP, results in the formats of the command line."""

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
    """An uploaded picture, with its name and file, and its analysis."""

    name: str
    data: bytes
    analysis: Analysis


def zipped(pictures: Sequence[Picture], look: ViewOptions) -> bytes:
    """Pack the pictures, annotated at full size, into a ZIP of JPEG files without metadata.

    Only one picture is decoded at a time. A picture with a side too long for JPEG is left out.
    """
    file = BytesIO()
    names = saved_names([picture.name for picture in pictures])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # JPEG does not compress any further
        for name, picture in zip(names, pictures, strict=True):
            try:
                archive.writestr(name, annotated_original(picture.data, picture.analysis, look))
            except ImageError:
                continue
    return file.getvalue()


def saved_names(names: Iterable[str]) -> Iterator[str]:
    """Yield a unique file name for each annotated picture: 'ada-faces.jpg', 'ada-faces-2.jpg'.

    Names consist of letters, digits and harmless punctuation, and cannot point to another folder.
    """
    taken: set[str] = set()
    for name in names:
        stem = re.sub(r"[^\w .()-]", "_", PurePath(name).stem)[:80].strip(" .") or "picture"
        number, saved = 1, f"{stem}-faces.jpg"
        while saved.casefold() in taken:  # some file systems ignore case
            number += 1
            saved = f"{stem}-faces-{number}.jpg"
        taken.add(saved.casefold())
        yield saved


def as_csv(pictures: Iterable[Picture], look: ViewOptions) -> bytes:
    """One CSV row per face, as written by `export.csv_lines`."""
    return "".join(f"{line}\n" for line in csv_lines(_named(pictures, look))).encode()


def as_json(pictures: Iterable[Picture], look: ViewOptions) -> bytes:
    """One JSON object per picture and line, as written by `export.json_lines`."""
    return "".join(f"{line}\n" for line in json_lines(_named(pictures, look))).encode()


def _named(pictures: Iterable[Picture], look: ViewOptions) -> Iterator[Named]:
    return ((picture.name, look.shown(picture.analysis)) for picture in pictures)
