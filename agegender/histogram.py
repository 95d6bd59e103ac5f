"""How many faces look how old: one chart a gender, to the same scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import altair as alt
import pandas as pd

from agegender.drawing import FEMALE, MALE
from agegender.types import RANGES, Reading

COLOURS = {"Female": FEMALE, "Male": MALE}
"""What faces are framed in; the two charts stand apart and are named, so that nothing hangs on it."""


def count_ages(readings: Iterable[Reading]) -> dict[str, list[int]]:
    """Return, for each gender that was seen, how many faces are in each of the eight ranges."""
    counts = Counter((reading.gender.label, reading.age.range) for reading in readings)
    seen = {gender: [counts[gender, name] for name in RANGES] for gender in COLOURS}
    return {gender: numbers for gender, numbers in seen.items() if any(numbers)}


def chart(gender: str, numbers: list[int], most: int) -> alt.LayerChart:
    """Return the numbers of faces, one a range, as bars; `most` is the largest number of any chart."""
    table = pd.DataFrame({"range": RANGES, "faces": numbers, "text": [str(n) if n else "" for n in numbers]})
    base = alt.Chart(table, height=120).encode(
        x=alt.X(
            "range", sort=None, title=None, axis=alt.Axis(labelAngle=0, labelOverlap=False, labelFontSize=10)
        ),
        y=alt.Y("faces", axis=None, scale=alt.Scale(domain=[0, 1.2 * most])),
        tooltip=[alt.Tooltip("range", title="years"), alt.Tooltip("faces", title="faces")],
    )
    colour = "#{:02x}{:02x}{:02x}".format(*COLOURS[gender])
    bars = base.mark_bar(cornerRadiusEnd=2, color=colour)
    text = base.mark_text(dy=-7, fontSize=11, color="#7A8394").encode(text="text")
    both: alt.LayerChart = (bars + text).properties(padding={"left": 0, "right": 0, "top": 4, "bottom": 0})
    return both


def description(gender: str, numbers: list[int]) -> str:
    """Return in words what the chart shows."""
    listed = ", ".join(f"{name}: {n}" for name, n in zip(RANGES, numbers, strict=True) if n)
    return f"{gender} faces by years. {listed}"
