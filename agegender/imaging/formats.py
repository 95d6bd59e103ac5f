"""The formats that can be read: one table for folders, pages, the README and messages.

python -m agegender.imaging.formats README.md # updates the table there
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from agegender.imaging.tiff import MAGIC, raw_kind


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


RAW = "This is a camera's raw file ({}). Export it as JPEG or TIFF, or choose the JPEG beside it."
OTHER = "This is a {}, which is not read here. {}"
VIDEO = "This is a video, not a picture. Choose it on the page Video, or use the command “video”."
SAVE = "Save it as JPEG or PNG and choose that."

_RAW_STARTS = (
    (rb"FUJIFILMCCD-RAW", "Fujifilm RAF"),
    (rb"II(RO|RS)|MMOR", "Olympus ORF"),
    (rb"IIU\x00", "Panasonic RW2"),
    (rb"....ftypcrx ", "Canon CR3"),
    (rb"FOVb", "Sigma X3F"),
    (rb"\x00MRM", "Minolta MRW"),
    (rb"II\x1a\x00\x00\x00HEAPCCDR", "Canon CRW"),
)
_OTHER_STARTS = (
    (rb"\x00\x00\x00\x0cjP  \r\n|\xff\x4f\xff\x51", "JPEG 2000 picture", SAVE),
    (rb"8BPS", "Photoshop document", SAVE),
    (
        rb".{0,1023}%PDF-",
        "PDF document",
        "Save the page as JPEG or PNG and choose that.",
    ),
    (rb"gimp xcf", "GIMP document", SAVE),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript document", SAVE),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.{,500}?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg", "SVG drawing", SAVE),
    (rb"\s*<(!doctype )?html", "web page", "Save the picture in it, not the page."),
    (rb"v/1\x01|#\?RADIANCE|#\?RGBE", "picture for computer graphics (EXR or HDR)", SAVE),
    (rb".{128}DICM", "medical picture (DICOM)", SAVE),
    (rb"II\xbc", "JPEG XR picture", SAVE),
    (rb"\x00\x00[\x01\x02]\x00", "Windows icon", SAVE),
    (
        rb"PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b",
        "archive or office document",
        "Unpack it and choose the pictures.",
    ),
)
_VIDEO_STARTS = (
    rb"....(moov|mdat|wide|skip|free|ftyp(?!he[iv]|m[is]f1|avi[fs]|miaf))",  # MP4, but not HEIC or AVIF
    *(rb"\x1a\x45\xdf\xa3", rb"RIFF....AVI ", rb"FLV\x01", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    *(rb"\x00\x00\x01[\xba\xb3]", rb"\x47.{187}\x47", rb".{4}\x47.{191}\x47"),  # MPEG
)


def raw_message(data: bytes) -> str | None:
    """Message for a camera raw file; None for all others."""
    kind = raw_kind(data) if data.startswith(MAGIC) else _first(_RAW_STARTS, data)
    return RAW.format(kind) if kind else None


def unread_message(data: bytes) -> str | None:
    """Message for a file that is not a supported picture; None if it is not recognised either."""
    for start, name, advice in _OTHER_STARTS:
        if _begins(start, data):
            return OTHER.format(name, advice)
    return VIDEO if any(_begins(start, data) for start in _VIDEO_STARTS) else None


def _first(starts: tuple[tuple[bytes, str], ...], data: bytes) -> str | None:
    return next((name for start, name in starts if _begins(start, data)), None)


def _begins(start: bytes, data: bytes) -> bool:
    return re.match(start, data[:2048], re.DOTALL | re.IGNORECASE) is not None


if __name__ == "__main__":  # python -m agegender.imaging.formats README.md
    for path in map(Path, sys.argv[1:]):
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
