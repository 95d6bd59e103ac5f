"""Colour encoding stated in picture files, read from their boxes or chunks, which Pillow does not expose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from agegender.imaging.hdr import PRIMARIES, TRANSFERS, Primaries, Transfer

MAX_BOXES = 2_000
"""Cameras write a few hundred."""


class Light(NamedTuple):
    """Encoding of a high-dynamic-range picture."""

    transfer: Transfer
    primaries: Primaries


def light_of(data: bytes) -> Light | None:
    """The colour encoding that a PNG, AVIF or HEIC file states; None for an ordinary one."""
    if data[4:8] == b"ftyp":
        coded = (pair for pair in _av1_numbers(data) if pair[1] in TRANSFERS)
        numbers = _nclx(data) or next(coded, ())
    elif data.startswith(b"\x89PNG"):
        numbers = _cicp(data)
    else:
        return None
    primaries, transfer = numbers[:2] if len(numbers) > 1 else (0, 0)
    if transfer not in TRANSFERS:
        return None
    return Light(TRANSFERS[transfer], PRIMARIES.get(primaries, "bt2020"))


def _cicp(data: bytes) -> tuple[int, ...]:
    """Values of a PNG file's cICP chunk, which comes before the pixels (PNG 3, 11.3.2.6)."""
    place = data.find(b"cICP", 8, 1_000_000)
    sound = 0 < place < data.find(b"IDAT") and data[place - 4 : place] == b"\0\0\0\4"
    return tuple(data[place + 4 : place + 8]) if sound else ()


def _nclx(data: bytes) -> tuple[int, ...]:
    """Primaries and transfer of the primary picture in an AVIF or HEIC file.

    ISO/IEC 23008-12: `pitm` names the primary item, `ipco` lists properties, `ipma` maps them to items.
    """
    none = memoryview(b"")
    meta = dict(_boxes(memoryview(data))).get(b"meta", none)[4:]
    parts = dict(_boxes(meta))
    iprp = dict(_boxes(parts.get(b"iprp", none)))
    properties = list(_boxes(iprp.get(b"ipco", none)))
    pitm = parts.get(b"pitm", none)
    primary = int.from_bytes(pitm[4 : 6 if bytes(pitm[:1]) == b"\0" else 8], "big")
    for index in _associated(iprp.get(b"ipma", none), primary):
        kind, body = properties[index - 1] if 0 < index <= len(properties) else (b"", none)
        if kind == b"colr" and bytes(body[:4]) == b"nclx":
            return int.from_bytes(body[4:6], "big"), int.from_bytes(body[6:8], "big")
    return ()


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield type and content of consecutive boxes in a part of a file."""
    place = 0
    for _ in range(MAX_BOXES):
        size, head = int.from_bytes(data[place : place + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        size = size or len(data) - place
        if size < head or place + head > len(data):
            return
        yield bytes(data[place + 4 : place + 8]), data[place + head : place + size]
        place += size


def _associated(ipma: memoryview, item: int) -> tuple[int, ...]:
    """1-based indices of an item's properties."""
    if len(ipma) < 8:
        return ()
    id_size, index_size = (2 if ipma[0] == 0 else 4), (2 if ipma[3] & 1 else 1)
    place = 8
    for _ in range(min(int.from_bytes(ipma[4:8], "big"), MAX_BOXES)):
        head = ipma[place : place + id_size + 1]
        if len(head) <= id_size:
            break
        place += id_size + 1
        end = place + head[id_size] * index_size
        if int.from_bytes(head[:id_size], "big") == item:
            starts = range(place, min(end, len(ipma)), index_size)
            # The highest bit marks the property as essential.
            mask = 0x7FFF if index_size == 2 else 0x7F
            return tuple(int.from_bytes(ipma[at : at + index_size], "big") & mask for at in starts)
        place = end
    return ()


# An AV1 sequence header preceded by its size, as at the start of pictures in AVIF files; a temporal delimiter
# may come first.
_AV1_START = re.compile(rb"(?:mdat|\x12\x00)\x0a([\x05-\x40])", re.DOTALL)


MAX_SEQUENCE_HEADERS = 8


def _av1_numbers(data: bytes) -> list[tuple[int, int]]:
    """Primaries and transfer (ITU-T H.273) of the pictures in an AVIF file that state them."""
    starts = islice(_AV1_START.finditer(data), MAX_SEQUENCE_HEADERS)
    found = (_sequence_color(data[start.end() : start.end() + start[1][0]]) for start in starts)
    return [numbers for numbers in found if numbers]


class _Bits:
    """Reads bits, highest first; 0 past the end."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def __call__(self, count: int) -> int:
        self.left -= count
        return (self.value >> self.left) & ((1 << count) - 1) if self.left >= 0 else 0


def _sequence_color(header: bytes) -> tuple[int, int] | None:
    """Primaries and transfer in a sequence header (AV1, 5.5.1 and 5.5.2); None if it states none."""
    bits = _Bits(header)
    profile, _, reduced = bits(3), bits(1), bits(1)
    if reduced:
        bits(5)  # seq_level_idx
    elif not _skip_operating_points(bits):
        return None
    width_bits, height_bits = bits(4) + 1, bits(4) + 1
    bits(width_bits + height_bits)
    if not reduced and bits(1):  # frame_id_numbers_present_flag
        bits(7)
    bits(3)  # 128×128 superblocks, filter_intra, intra_edge_filter
    if not reduced:
        _skip_tools(bits)
    bits(3)  # superres, cdef, restoration
    if bits(1) and profile == 2:  # high_bitdepth
        bits(1)
    if profile != 1:
        bits(1)  # mono_chrome
    return (bits(8), bits(8)) if bits(1) else None


def _skip_operating_points(bits: _Bits) -> bool:
    """Skip fields that only sequences have; return whether that was possible."""
    if bits(1):  # timing_info_present_flag: not in pictures
        return False
    delays = bits(1)  # initial_display_delay_present_flag
    for _ in range(bits(5) + 1):
        bits(12)
        if bits(5) > 7:  # seq_level_idx, above which there is a tier
            bits(1)
        if delays and bits(1):
            bits(4)
    return True


def _skip_tools(bits: _Bits) -> None:
    bits(4)  # interintra, masked, warped and dual
    order = bits(1)
    if order:
        bits(2)
    screen_content = bits(1) or bits(1)  # seq_choose_screen_content_tools, or forced
    if screen_content and not bits(1):  # seq_choose_integer_mv
        bits(1)
    if order:
        bits(3)
