"""Which files are read: one table, for folders, for the pages, for the README and for messages."""

from __future__ import annotations

from pathlib import PurePath
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
    Format("TIFF", (".tif", ".tiff"), "also grey of 10 to 32 bits, and floating point"),
    Format("GIF", (".gif",)),
    Format("BMP", (".bmp", ".dib")),
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
    return PurePath(name.lower()).suffix in endings(formats)
