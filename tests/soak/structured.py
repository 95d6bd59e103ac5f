"""Pictures whose parts are reordered, repeated, resized and lied about: segments, chunks, boxes, tags."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator

import hostile
import numpy as np

Parts = list[bytes]
Rng = np.random.Generator

NUMBERS = (
    0,
    1,
    2,
    127,
    255,
    256,
    4_095,
    16_384,
    65_535,
    2**16,
    2**20,
    2**24 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
)


def jpeg_parts(data: bytes) -> Parts:
    """Segments, each scan with its data."""
    parts, place = [data[:2]], 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] == 0xDA:
            while end + 1 < len(data) and (data[end] != 0xFF or data[end + 1] in (0, *range(0xD0, 0xD8))):
                end += 1
        parts.append(data[place:end])
        place = end
    return [*parts, data[place:]]


def png_parts(data: bytes) -> Parts:
    """Chunks."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        parts.append(data[place:end])
        place = end
    return parts


def riff_parts(data: bytes) -> Parts:
    """Chunks of WebP."""
    parts, place = [data[:12]], 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        parts.append(data[place : place + 8 + size + size % 2])
        place += 8 + size + size % 2
    return parts


def box_parts(data: bytes) -> Parts:
    """Boxes of HEIF and AVIF; those of `meta` apart, as all is said there."""
    parts, place = [], 0
    while place + 8 <= len(data):
        size, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if size < 8:
            break
        step = 12 if name == b"meta" else 8 if name in (b"iprp", b"ipco") else size
        parts.append(data[place : place + step])
        place += step
    return [*parts, data[place:]]


def tiff_parts(data: bytes) -> Parts:
    """The entries of the first directory."""
    order = "little" if data[:1] == b"I" else "big"
    if data[2:4] in (b"+\0", b"\0+"):  # BigTIFF
        return [data[start : start + 20] for start in range(0, len(data), 20)]
    start = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    count = int.from_bytes(data[start : start + 2], order)  # type: ignore[arg-type]
    entries = [data[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    return [data[: start + 2], *entries, data[start + 2 + 12 * count :]]


def gif_parts(data: bytes) -> Parts:
    """Blocks, cut at what begins them."""
    cuts = [0, *(place for place in range(13, len(data)) if data[place] in (0x21, 0x2C)), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(cuts)]


def bmp_parts(data: bytes) -> Parts:
    """The fields of the headers."""
    return [*(data[place : place + 4] for place in range(0, 56, 4)), data[56:]]


SPLIT: dict[str, Callable[[bytes], Parts]] = {
    "jpg": jpeg_parts, "png": png_parts, "webp": riff_parts, "heic": box_parts, "avif": box_parts,
    "tif": tiff_parts, "gif": gif_parts, "bmp": bmp_parts,
}  # fmt: skip


def reordered(parts: Parts, rng: Rng) -> Parts:
    order = list(range(1, len(parts)))
    rng.shuffle(order)
    return [parts[0], *(parts[i] for i in order)]


def swapped(parts: Parts, rng: Rng) -> Parts:
    one, other = rng.integers(0, len(parts), 2)
    parts[one], parts[other] = parts[other], parts[one]
    return parts


def repeated(parts: Parts, rng: Rng) -> Parts:
    place, times = int(rng.integers(1, len(parts))), int(rng.choice([2, 30, 1_000, 20_000]))
    most = max(1, 2_000_000 // max(1, len(parts[place])))
    return parts[:place] + [parts[place]] * min(times, most) + parts[place:]


def dropped(parts: Parts, rng: Rng) -> Parts:
    del parts[int(rng.integers(1, len(parts)))]
    return parts


def resized(parts: Parts, rng: Rng) -> Parts:
    place = int(rng.integers(1, len(parts)))
    part, size = parts[place], int(rng.integers(0, 2 * len(parts[place]) + 2))
    parts[place] = part[:size] + bytes(rng.integers(0, 256, max(0, size - len(part)), dtype=np.uint8))
    return parts


def lying(parts: Parts, rng: Rng) -> Parts:
    """Put numbers that programs stumble over into one part; a chunk of PNG gets the right sum."""
    place = int(rng.integers(1, len(parts)))
    part = bytearray(parts[place])
    for _ in range(int(rng.integers(1, 4))):
        size, order = int(rng.choice([1, 2, 4])), str(rng.choice(["big", "little"]))
        at = int(rng.random() ** 2 * max(1, len(part) - size))
        number = int(rng.choice(NUMBERS)) & (1 << 8 * size) - 1
        part[at : at + size] = number.to_bytes(size, order)  # type: ignore[arg-type]
    if parts[0].startswith(b"\x89PNG") and len(part) >= 12:
        part[-4:] = struct.pack(">I", zlib.crc32(part[4:-4]))
    parts[place] = bytes(part)
    return parts


CHANGES = (reordered, swapped, repeated, dropped, resized, lying, lying, lying)


def files(count: int) -> Iterator[tuple[str, bytes]]:
    """Return so many files by name, always the same."""
    sound = list(hostile.sound().items())
    for number in range(count):
        rng = np.random.default_rng(number)
        name, data = sound[number % len(sound)]
        parts, done = SPLIT[name.rpartition(".")[2]](data), []
        for _ in range(int(rng.integers(1, 4))):
            if len(parts) > 1:
                change = CHANGES[int(rng.integers(len(CHANGES)))]
                parts = change(parts, rng)
                done.append(change.__name__)
        yield f"{number} {' '.join(done)} {name}", b"".join(parts)
