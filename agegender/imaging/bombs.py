"""Decompression bombs: files that would take decoders minutes, detected by counting."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from io import BytesIO

from agegender.errors import ImageError

TOO_INTRICATE = (
    "The picture is stored in far more pieces than usual, which would take too long to read. "
    "Save it anew, as JPEG for example, and try again."
)

# Each limit is many times what cameras and programs write, and costs at most about a second.
MAX_READS = 200_000
MAX_SCANNED_PIXELS = 1_000_000_000
MAX_EXIF_PARTS = 16
MAX_COMPRESSED_TEXTS = 100
MAX_NUMBERS = 50_000

PNG, JPEG, TIFF = b"\x89PNG", b"\xff\xd8\xff", (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+")

# In a JPEG file's compressed data, 0xFF is followed by one of these; everywhere else by a marker.
_SCAN_OR_END = re.compile(rb"\xff[\xda\xd9]")

# Numeric TIFF types, for each value of which Pillow creates an object; the others are byte strings.
_NUMBERS = frozenset({3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18})
_POINTERS = frozenset({34665, 34853, 40965})


class Pieces(BytesIO):
    """A file in memory whose `read` raises `ImageError` after more than `MAX_READS` calls.

    Pillow goes from chunk to chunk in Python: 10 MB of padding would keep it busy for seconds.
    """

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes, or all that are left."""
        self.reads += 1
        if self.reads > MAX_READS:
            raise ImageError(TOO_INTRICATE)
        return super().read(size)


def refuse_intricate(data: bytes) -> None:
    """Raise `ImageError` for a picture whose parts are few enough to read, but slow to process."""
    if data.startswith(JPEG):
        refused = data.count(b"Exif\0\0") > MAX_EXIF_PARTS  # Pillow appends each to all earlier ones
    elif data.startswith(PNG):
        texts = sum(map(data.count, (b"zTXt", b"iTXt", b"iCCP")))  # each may inflate to a megabyte
        refused = texts > MAX_COMPRESSED_TEXTS
    else:
        refused = data.startswith(TIFF) and _has_many_numbers(data)
    if refused:
        raise ImageError(TOO_INTRICATE)


def refuse_many_scans(data: bytes, pixels: int) -> None:
    """Raise `ImageError` for a JPEG file with far more scans of its `pixels` than cameras write.

    A scan of a whole picture takes as little as 70 bytes, and 20 to 50 ms for 50 megapixels.
    """
    most = MAX_SCANNED_PIXELS // max(1, pixels)
    # Counting is fast, but includes thumbnails and trailing data, so parse the file only if it is too high.
    if data.startswith(JPEG) and data.count(b"\xff\xda") > most and _scans(data) > most:
        raise ImageError(TOO_INTRICATE)


def _scans(data: bytes) -> int:
    """Number of scans of a JPEG file's main picture, without thumbnails."""
    place, scans = 2, 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in (0xDA, 0xD9):
            break
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    for found in _SCAN_OR_END.finditer(data, place):
        if found[0] == b"\xff\xd9":
            break
        scans += 1
    return scans


def _has_many_numbers(data: bytes) -> bool:
    """Return whether the directories of a TIFF's first page list very many numbers."""
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    entry = struct.Struct(order + ("HHQQ" if big else "HHII"))
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), data.ljust(16, b"\0"), 8 if big else 4)
    waiting, seen, numbers = [start], set[int](), 0
    while waiting and numbers <= MAX_NUMBERS:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        for tag, kind, count, value in _entries(data, place, entry, order + ("Q" if big else "H")):
            numbers += count if kind in _NUMBERS else 0
            if tag in _POINTERS:
                waiting.append(value)
    return numbers > MAX_NUMBERS


def _entries(
    data: bytes, place: int, entry: struct.Struct, count_format: str
) -> Iterator[tuple[int, int, int, int]]:
    """Yield tag, type, count and value or offset of each entry of a directory, if there is one."""
    head = struct.calcsize(count_format)
    if place + head > len(data):
        return iter(())
    (count,) = struct.unpack_from(count_format, data, place)
    last = min(place + head + count * entry.size, len(data))
    whole = (last - place - head) // entry.size * entry.size
    return entry.iter_unpack(data[place + head : place + head + whole])
