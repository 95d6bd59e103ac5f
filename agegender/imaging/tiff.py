"""TIFF features beyond Pillow: recognising camera raw files, and rare kinds of pixels."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import PIL.Image

from agegender.imaging.color import finite, levels_of, spread

MAGIC = (b"II*\0", b"MM\0*")

# Tags of TIFF 6.0, TIFF/EP and DNG.
SUBFILE, WIDTH, HEIGHT, PHOTOMETRIC, MAKE, SUB_IFDS = 254, 256, 257, 262, 271, 330
DNG_VERSION = 50706
MOSAIC = (32803, 34892)
"""Photometric interpretations of raw files: one colour per pixel, as from the sensor, or raw with three."""

MAX_TAGS = 1_000
_FORMATS = {1: "B", 3: "H", 4: "I"}


def tags(data: bytes) -> dict[int, int]:
    """Tags of a TIFF file's first picture, each with its first value.

    For text and anything else that is not an integer, the value is its offset in the file. Empty for other
    files.
    """
    if not data.startswith(MAGIC) or len(data) < 8:
        return {}
    order = "<" if data[:1] == b"I" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    if start + 2 > len(data):
        return {}
    (count,) = struct.unpack_from(order + "H", data, start)
    found = {}
    for place in range(start + 2, start + 2 + 12 * min(count, MAX_TAGS), 12):
        if place + 12 > len(data):
            break
        tag, kind, many = struct.unpack_from(order + "HHI", data, place)
        form = _FORMATS.get(kind, "I")
        at = place + 8
        if many * struct.calcsize(form) > 4:  # too long for the entry, which then holds an offset
            (at,) = struct.unpack_from(order + "I", data, at)
        if kind not in _FORMATS or at + 4 > len(data):
            form, at = "I", place + 8
        found[tag] = struct.unpack_from(order + form, data, at)[0]
    return found


def raw_kind(data: bytes) -> str | None:
    """The kind of camera raw file, such as "Nikon NEF"; None for a picture.

    What can be read of a raw file as TIFF is only its thumbnail.
    """
    known = tags(data)
    if DNG_VERSION in known:
        return "DNG"
    if data[8:10] == b"CR":
        return "Canon CR2"
    reduced = bool(known.get(SUBFILE, 0) & 1) and SUB_IFDS in known
    if not reduced and known.get(PHOTOMETRIC) not in MOSAIC:
        return None
    maker = data[known.get(MAKE, len(data)) :][:10].upper()
    return next((name for start, name in MAKERS.items() if maker.startswith(start)), "RAW")


MAKERS = {
    b"NIKON": "Nikon NEF",
    b"SONY": "Sony ARW",
    b"PENTAX": "Pentax PEF",
    b"SAMSUNG": "Samsung SRW",
    b"HASSELBLAD": "Hasselblad 3FR",
    b"PHASE ONE": "Phase One IIQ",
    b"KODAK": "Kodak DCR",
    b"CANON": "Canon CR2",
    b"EPSON": "Epson ERF",
}


def pixels_of(data: bytes) -> int:
    """Number of pixels that a TIFF file's first picture claims to have; 0 for other files."""
    known = tags(data)
    return known.get(WIDTH, 0) * known.get(HEIGHT, 0)


def read_rare(data: bytes) -> PIL.Image.Image | None:
    """Load a picture that Pillow cannot open, as grey or RGB of 8 bits; None if OpenCV cannot either.

    Supports floating-point RGB, and packed grey of 10, 12 or 14 bits. Scaled like other grey: from the
    darkest to the brightest value, or from 0 to the largest value of as many bits as are used. OpenCV has
    turned it upright.
    """
    return _spread(data, tags(data).get(PHOTOMETRIC) == 0) if pixels_of(data) else None


def has_few_bits(picture: PIL.Image.Image) -> bool:
    """Return whether a loaded colour picture with 16 bits in its file is so dark that it uses only a few."""
    colours = {"RGB": 3, "RGBA": 3, "LA": 1}.get(picture.mode, 0)
    bands = picture.getextrema()[:colours] if colours else ()
    return bool(bands) and all(band[1] < 128 for band in bands if isinstance(band, tuple))


def read_few_bits(data: bytes, picture: PIL.Image.Image) -> PIL.Image.Image:
    """Reload a picture of which Pillow has read the upper eight bits, scaled by the bits in use."""
    spread_picture = _spread(data, white_is_zero=False)
    if spread_picture is None or spread_picture.size != picture.size:
        return picture
    spread_picture.info = picture.info
    return spread_picture


def _spread(data: bytes, white_is_zero: bool) -> PIL.Image.Image | None:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # failures are expected and need no log
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if values is None or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        return None
    if values.ndim == 3:
        values = values[..., 2::-1]
    low, high = levels_of(values)
    if values.dtype.kind == "u":
        low, high = 0.0, float(2 ** max(8, int(high).bit_length()) - 1)
    if white_is_zero:
        low, high = high, low
    return PIL.Image.fromarray(spread(finite(values, low, high), low, high))
