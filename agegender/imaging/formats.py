"""Which files are read: one table, for folders, for the pages, for the README and for messages.

python -m agegender.imaging.formats README.md    # writes the table there anew
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple


class Format(NamedTuple):
    """A kind of file: its name for people, and what names of such files end in, the usual one first."""

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
"""Pictures. Of several frames the first one that shows something is read."""

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
"""Videos, with MP4 for what is written."""


RAW_ENDINGS = frozenset(
    {".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".pef"}
    | {".srw", ".3fr", ".iiq", ".dcr", ".kdc", ".erf", ".mrw", ".x3f", ".raw", ".rwl"}
)
"""Of cameras' raw files, which are not read."""


def endings(formats: tuple[Format, ...]) -> tuple[str, ...]:
    """Return what names of such files end in, in lower case and with the dot, as `str.endswith` takes them.

    >>> endings(PICTURES)[:2]
    ('.jpg', '.jpeg')
    """
    return tuple(ending for each in formats for ending in each.endings)


def names(formats: tuple[Format, ...]) -> str:
    """Return the names of formats as they are listed in a sentence.

    >>> names(PICTURES[:3])
    'JPEG, PNG and WebP'
    """
    *first, last = (each.name.replace(" and ", ", ") for each in formats)
    return f"{', '.join(first)} and {last}"


def has_ending(name: str, formats: tuple[Format, ...]) -> bool:
    """Return whether a file's name ends as those of such files do, in upper or lower case.

    >>> has_ending("DSC00001.HIF", PICTURES)
    True
    """
    return name.lower().endswith(endings(formats))


MARKED = re.compile(r"(<!-- formats -->\n).*?(<!-- end -->)", re.DOTALL)
"""Where in the README the table stands."""


def markdown() -> str:
    """Return the table of formats for the README."""
    lines = ["| pictures | names end in | |", "| --- | --- | --- |", *map(_line, PICTURES)]
    return "\n".join([*lines, "", "| videos | names end in | |", "| --- | --- | --- |", *map(_line, VIDEOS)])


def _line(each: Format) -> str:
    return f"| {each.name} | {', '.join(each.endings)} | {each.note} |"


def rewritten(text: str) -> str:
    """Return a text in Markdown with the table in it made anew."""
    return MARKED.sub(lambda found: f"{found[1]}{markdown()}\n{found[2]}", text)


if __name__ == "__main__":  # python -m agegender.imaging.formats README.md
    for path in map(Path, sys.argv[1:]):
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
