"""Bars over the eight ranges of age, as Vega-Lite has charts.

Written out, as Altair checks each chart against its schema: 50 ms for every face, every time a page runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from agegender.drawing.palette import FEMALE, MALE
from agegender.types import RANGES, Reading

PALE = {"condition": {"test": "datum.told", "value": 1}, "value": 0.4}
"""How opaque the bars are of which only one is to stand out."""


def over_ranges(
    values: Sequence[float],
    texts: Sequence[str],
    end: float,
    *,
    title: str,
    height_px: int,
    told: str = "",
    colour_rgb: tuple[int, int, int] | None = None,
) -> dict[str, Any]:
    """Return the chart of one value a range, each with its text above, up to the `end` of the scale.

    `title` is what the values are called where they are pointed at. Without a colour they have that of the
    page's theme, and all but the range that is `told` are pale.
    """
    rows = [
        {"range": name, "value": value, "text": text, "told": name == told}
        for name, value, text in zip(RANGES, values, texts, strict=True)
    ]
    colour = {"color": "#{:02x}{:02x}{:02x}".format(*colour_rgb)} if colour_rgb else {}
    return {
        "data": {"values": rows},
        "height": height_px,
        "padding": {"left": 0, "right": 0, "top": 4, "bottom": 0},
        "encoding": {
            "x": {
                "field": "range",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelAngle": 0, "labelFontSize": 10, "labelOverlap": False},
            },
            "y": {"field": "value", "type": "quantitative", "axis": None, "scale": {"domain": [0, end]}},
            "tooltip": [{"field": "range", "title": "years"}, {"field": "text", "title": title}],
        },
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 2} | colour,
                "encoding": {} if colour_rgb else {"opacity": PALE},
            },
            {
                "mark": {"type": "text", "color": "#7A8394", "dy": -6, "fontSize": 10},
                "encoding": {"text": {"field": "text"}},
            },
        ],
    }


COLOURS = {"Female": FEMALE, "Male": MALE}
"""What faces are framed in; the two charts stand apart and are named, so that nothing hangs on it."""


def count_ages(readings: Iterable[Reading]) -> dict[str, list[int]]:
    """Return, for each gender that was seen, how many faces are in each of the eight ranges."""
    counts = Counter((reading.gender.label, reading.age.range) for reading in readings)
    seen = {gender: [counts[gender, name] for name in RANGES] for gender in COLOURS}
    return {gender: numbers for gender, numbers in seen.items() if any(numbers)}


def ages_chart(gender: str, numbers: list[int], most: int) -> dict[str, Any]:
    """Return the numbers of faces, one a range, as bars; `most` is the largest number of any chart."""
    texts = [str(number) if number else "" for number in numbers]
    colour = COLOURS[gender]
    return over_ranges(numbers, texts, 1.2 * most, title="faces", height_px=120, colour_rgb=colour)


def ages_description(gender: str, numbers: list[int]) -> str:
    """Return in words what the chart shows."""
    listed = ", ".join(f"{name}: {n}" for name, n in zip(RANGES, numbers, strict=True) if n)
    return f"{gender} faces by years. {listed}"
