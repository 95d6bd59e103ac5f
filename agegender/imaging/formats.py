"""The formats that can be read: one table for folders, pages, the README and messages.

python -m agegender.imaging.formats README.md # updates the table there
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple


class Format(NamedTuple):
    """A kind of file: its name, and the endings of such files, the usual one first."""

    name: str
    endings: tuple[str, ...]
    note: str = ""


PICTURES = (
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "of MPO and Ultra HDR the ordinary picture"),
    Format("PNG", (".png", ".apng"), "also with 16 bits, and in PQ or HLG"),
    Format("WebP", (".webp",)),
    Format("HEIC and HEIF", (".heic", ".heif", ".hif", ".heics", ".heifs"), "also in PQ or HLG"),
    Format("AVIF", (".avif", ".avifs"), "also in PQ or HLG"),
    Format("JPEG XL", (".jxl",), "where pylibjxl is installed"),
    Format("TIFF", (".tif", ".tiff"), "also grey of 10 to 32 bits, and floating point"),
    Format("GIF", (".gif",)),
    Format("BMP", (".bmp",)),
)
"""Pictures. Of several frames, the first that shows something is used."""

VIDEOS = (
    Format("MP4 and MOV", (".mp4", ".m4v", ".mov", ".qt")),
    Format("3GP", (".3gp", ".3g2", ".3gpp")),
    Format("WebM and Matroska", (".webm", ".mkv")),
    Format("AVI", (".avi",)),
    Format("MPEG transport stream and AVCHD", (".ts", ".mts", ".m2ts", ".m2t")),
    Format("MPEG program stream", (".mpg", ".mpeg", ".vob", ".mod")),
    Format("Windows Media", (".wmv", ".asf")),
    Format("Flash Video", (".flv",)),
    Format("GIF and WebP that move", (".gif", ".webp")),
)
"""Videos; MP4 is also the format written."""


RAW_ENDINGS = frozenset(
    {".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".pef"}
    | {".srw", ".3fr", ".iiq", ".dcr", ".kdc", ".erf", ".mrw", ".x3f", ".raw", ".rwl"}
)
"""Endings of camera raw files, which cannot be read."""


def endings(formats: tuple[Format, ...]) -> tuple[str, ...]:
    """File endings in lower case with the dot, as `str.endswith` takes them.

    >>> endings(PICTURES)[:2]
    ('.jpg', '.jpeg')
    """
    return tuple(ending for each in formats for ending in each.endings)


def names(formats: tuple[Format, ...]) -> str:
    """List the names of formats for a sentence.

    >>> names(PICTURES[:3])
    'JPEG, PNG and WebP'
    """
    *first, last = (each.name.replace(" and ", ", ") for each in formats)
    return f"{', '.join(first)} and {last}"


def has_ending(name: str, formats: tuple[Format, ...]) -> bool:
    """Return whether a file's name has one of the formats' endings, in upper or lower case.

    >>> has_ending("DSC00001.HIF", PICTURES)
    True
    """
    return name.lower().endswith(endings(formats))


MARKED = re.compile(r"(<!-- formats -->\n).*?(<!-- end -->)", re.DOTALL)
"""Place of the table in the README."""


def markdown() -> str:
    """The table of formats for the README."""
    lines = ["| pictures | names end in | |", "| --- | --- | --- |", *map(_line, PICTURES)]
    return "\n".join([*lines, "", "| videos | names end in | |", "| --- | --- | --- |", *map(_line, VIDEOS)])


def _line(each: Format) -> str:
    return f"| {each.name} | {', '.join(each.endings)} | {each.note} |"


def rewritten(text: str) -> str:
    """Replace the table in a Markdown text."""
    return MARKED.sub(lambda found: f"{found[1]}{markdown()}\n{found[2]}", text)


if __name__ == "__main__":  # python -m agegender.imaging.formats README.md
    for path in map(Path, sys.argv[1:]):
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
