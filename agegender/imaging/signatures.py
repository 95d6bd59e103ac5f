"""Unsupported files: recognised by their first bytes, with advice on what to do."""

from __future__ import annotations

import re

from agegender.imaging.tiff import MAGIC, raw_kind

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


def message(data: bytes) -> str | None:
    """Message for a file that is not a supported picture; None if it is not recognised either."""
    for start, name, advice in _OTHER_STARTS:
        if _begins(start, data):
            return OTHER.format(name, advice)
    return VIDEO if any(_begins(start, data) for start in _VIDEO_STARTS) else None


def _first(starts: tuple[tuple[bytes, str], ...], data: bytes) -> str | None:
    return next((name for start, name in starts if _begins(start, data)), None)


def _begins(start: bytes, data: bytes) -> bool:
    return re.match(start, data[:2048], re.DOTALL | re.IGNORECASE) is not None
