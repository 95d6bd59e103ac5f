"""The sequence header of AV1: what the pixels mean, where the file around them does not say it."""

from __future__ import annotations

import re
from itertools import islice

# A sequence header with its size before it, as pictures in AVIF files begin; before it a delimiter or none.
_START = re.compile(rb"(?:mdat|\x12\x00)\x0a([\x05-\x40])", re.DOTALL)
MAX_PICTURES = 8


def color_numbers(data: bytes) -> list[tuple[int, int]]:
    """Return the primaries and transfer (ITU-T H.273) of the pictures in an AVIF file that tell them."""
    starts = islice(_START.finditer(data), MAX_PICTURES)
    found = (_color(data[start.end() : start.end() + start[1][0]]) for start in starts)
    return [numbers for numbers in found if numbers]


class _Bits:
    """Reads bits, the highest first; 0 where there are no more."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def __call__(self, count: int) -> int:
        self.left -= count
        return (self.value >> self.left) & ((1 << count) - 1) if self.left >= 0 else 0


def _color(header: bytes) -> tuple[int, int] | None:
    """Return primaries and transfer of a sequence header (AV1, 5.5.1 and 5.5.2); None where it has none."""
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
    """Go past what only sequences have; return whether that could be done."""
    if bits(1):  # timing_info_present_flag: not of pictures
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
