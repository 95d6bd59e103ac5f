"""How many faces look how old: one chart a gender, to the same scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from agegender.bars import over_ranges
from agegender.drawing.palette import FEMALE, MALE
from agegender.types import RANGES, Reading

COLOURS = {"Female": FEMALE, "Male": MALE}
"""What faces are framed in; the two charts stand apart and are named, so that nothing hangs on it."""


def count_ages(readings: Iterable[Reading]) -> dict[str, list[int]]:
    """Return, for each gender that was seen, how many faces are in each of the eight ranges."""
    counts = Counter((reading.gender.label, reading.age.range) for reading in readings)
    seen = {gender: [counts[gender, name] for name in RANGES] for gender in COLOURS}
    return {gender: numbers for gender, numbers in seen.items() if any(numbers)}


def chart(gender: str, numbers: list[int], most: int) -> dict[str, Any]:
    """Return the numbers of faces, one a range, as bars; `most` is the largest number of any chart."""
    texts = [str(number) if number else "" for number in numbers]
    colour = COLOURS[gender]
    return over_ranges(numbers, texts, 1.2 * most, title="faces", height_px=120, colour_rgb=colour)


def description(gender: str, numbers: list[int]) -> str:
    """Return in words what the chart shows."""
    listed = ", ".join(f"{name}: {n}" for name, n in zip(RANGES, numbers, strict=True) if n)
    return f"{gender} faces by years. {listed}"
