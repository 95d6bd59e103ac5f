"""Truncated pictures: measure how much of them is missing, and make the rest readable."""

from __future__ import annotations

import random
import re
import struct
import zlib
from io import BytesIO
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL.Image

MAX_LOST = 0.01
"""Maximum fraction of missing rows for a picture to be read."""

END_OF_JPEG = b"\xff\xd9"
END_OF_PNG = b"IEND\xaeB`\x82"


class Completed(NamedTuple):
    """A file that can be read to its end, and the fraction of its rows, 0 to 1, that is missing."""

    data: bytes
    lost: float


def note(lost: float) -> str:
    """Note for a picture with a fraction of its rows, 0 to 1, missing."""
    if not lost:
        return "The file breaks off, but only after the last row of the picture."
    return "The file breaks off near its end: less than a hundredth of the picture's rows is missing."


def lacks_end(data: bytes) -> bool:
    """Return whether a readable PNG file lacks its last chunk."""
    return data.startswith(b"\x89PNG") and END_OF_PNG not in data[-1_000_000:] and END_OF_PNG not in data


def complete(data: bytes) -> Completed | None:
    """Complete a truncated file with an end; None if too much is missing, or for other formats.

    The size of the picture in `data` must have been checked. Raises whatever Pillow and zlib raise.
    """
    if data.startswith(b"\xff\xd8\xff"):
        found = _complete_jpeg(data)
    elif data.startswith(b"\x89PNG"):
        found = _complete_png(data)
    elif data.startswith((b"BM", b"II*\0", b"MM\0*")):  # uncompressed; other variants remain unreadable
        found = Completed(data + bytes(int(len(data) * MAX_LOST)), MAX_LOST * 0.99)
    else:
        return None
    return found if found and found.lost < MAX_LOST else None


def _complete_jpeg(data: bytes) -> Completed | None:
    """Let libjpeg show what is missing: it paints that grey."""
    data = data.rstrip(b"\xff")  # half a marker, which would join what is appended
    if not _has_all_scans(data):
        return None
    with PIL.Image.open(BytesIO(data), formats=["JPEG"]) as picture:
        (width, height), layers = picture.size, getattr(picture, "layer", [])
    mcu_wh = 8 * max(layer[1] for layer in layers), 8 * max(layer[2] for layer in layers)
    noise = random.Random(0).randbytes(4096 + width * height // 50).replace(b"\xff", b"")
    plain, noisy = (_brightness(data + tail + END_OF_JPEG) for tail in (b"", noise))
    differs = np.any(_blocks(np.not_equal(plain, noisy), mcu_wh), axis=1)
    grey = np.all(_blocks((plain == 127) | (plain == 128), mcu_wh), axis=1)
    kept = min(_first(differs), len(grey) - _first(~grey[::-1]))
    return Completed(data + END_OF_JPEG, 1 - kept / len(grey))


def _brightness(data: bytes) -> npt.NDArray[np.uint8]:
    with PIL.Image.open(BytesIO(data), formats=["JPEG"]) as picture:
        picture.draft("L", picture.size)
        return np.asarray(picture if picture.mode == "L" else picture.getchannel(0))


def _blocks(pixels: npt.NDArray[np.bool_], wh: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels of each block, (blocks, pixels), in storage order."""
    (height, width), (w, h) = pixels.shape, wh
    padded = np.pad(pixels, ((0, -height % h), (0, -width % w)), mode="edge")
    rows, columns = padded.shape[0] // h, padded.shape[1] // w
    return padded.reshape(rows, h, columns, w).swapaxes(1, 2).reshape(rows * columns, h * w)


def _first(flags: npt.NDArray[Any]) -> int:
    return int(flags.argmax()) if flags.any() else len(flags)


def _has_all_scans(data: bytes) -> bool:
    """Return whether the last scan of a JPEG file has begun, so that only its end can be missing.

    Progressive files transmit each coefficient of each component bit by bit, in many scans (ITU-T T.81, G.1).
    """
    place, lowest_bits = 2, dict[int, npt.NDArray[np.int_]]()
    while place + 4 <= len(data):
        if data[place] != 0xFF:  # scan data: skip to the next marker, as 0xFF means nothing else there
            found = re.compile(rb"\xff[\x01-\xcf\xd9-\xfe]").search(data, place)
            place = found.start() if found else len(data)
            continue
        marker, size = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (0xFF, 0x01, 0x00) or 0xD0 <= marker <= 0xD8:
            place += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            break
        body = data[place + 4 : place + 2 + size]
        if marker in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA) and len(body) > 5:
            lowest_bits = {number: np.full(64, 99) for number in body[6::3]}
        elif marker == 0xDA and len(body) >= 4:
            first, last, bits = body[-3:]
            for number in body[1 : 1 + 2 * body[0] : 2]:
                if number in lowest_bits:
                    lowest_bits[number][first : last + 1] = bits & 15
        place += 2 + size
    return bool(lowest_bits) and not any(bits.any() for bits in lowest_bits.values())


def _complete_png(data: bytes) -> Completed | None:
    """Inflate what is there, and add empty rows for what is missing."""
    head, body = _png_parts(data)
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row_bytes = 1 + (width * bits + 7) // 8
    size = height * row_bytes
    if interlaced:
        passes = (
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        )
        sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
        size = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 < rows)
    inflated = zlib.decompressobj().decompress(body, size)
    lost = (size - len(inflated)) / row_bytes / height
    if lost >= MAX_LOST:
        return None
    stream = zlib.compress(inflated + bytes(size - len(inflated)), 1)
    return Completed(head + _chunk(b"IDAT", stream) + _chunk(b"IEND", b""), max(0.0, lost))


def _png_parts(data: bytes) -> tuple[bytes, bytes]:
    """Everything before the pixels of a PNG file, and its deflated pixels as far as they go."""
    starts = [8]
    while (place := starts[-1]) + 12 <= len(data):
        starts.append(place + 12 + int.from_bytes(data[place : place + 4], "big"))
    chunks = [(data[start + 4 : start + 8], start, end) for start, end in pairwise(starts)]
    first = next(start for kind, start, _ in chunks if kind == b"IDAT")
    pixels = (data[start + 8 : min(end - 4, len(data))] for kind, start, end in chunks if kind == b"IDAT")
    return data[:first], b"".join(pixels)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
