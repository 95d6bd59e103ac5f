"""Bars over the eight ranges of age, as HTML: light enough for every face of a crowd; with words for ears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agegender.text import percent
from agegender.types import RANGES, Age, Reading

GENDERS = ("Female", "Male")
"""In the order in which charts and tables have them."""

FEW = 5
"""So many faces there have to be for a chart of all of them."""


def age_bars(age: Age) -> str:
    """Return how probable each of the eight ranges is; the one that is told stands out."""
    most = max(age.probabilities)
    columns = "".join(
        f"<span class='{'told' if name == age.range else ''}'>{_label(p)}"
        f"<i style='height:{58 * p / most:.0f}px'></i><small>{name}</small></span>"
        for name, p in zip(RANGES, age.probabilities, strict=True)
    )
    listed = ", ".join(f"{name}: {percent(p)}" for name, p in zip(RANGES, age.probabilities, strict=True))
    return (
        f"<div class='bars' role='img' aria-label='Probability of each age group. {listed}'>{columns}</div>"
    )


def _label(probability: float) -> str:
    return percent(probability) if probability >= 0.005 else ""


def count_ages(readings: Iterable[Reading]) -> dict[str, list[int]]:
    """Return, for each gender that was seen, how many faces are in each of the eight ranges."""
    counts = Counter((reading.gender.label, reading.age.range) for reading in readings)
    seen = {gender: [counts[gender, name] for name in RANGES] for gender in GENDERS}
    return {gender: numbers for gender, numbers in seen.items() if any(numbers)}


def ages_chart(counts: dict[str, list[int]]) -> str:
    """Return how many faces of each gender are in each range: one chart, a bar a gender, as HTML."""
    most = max((number for numbers in counts.values() for number in numbers), default=1)
    key = "".join(f"<i class='{name.lower()}'></i>{name} · {sum(n)}" for name, n in counts.items())
    columns = ""
    for place, name in enumerate(RANGES):
        pair = "".join(
            f"<em>{numbers[place] or ''}"
            f"<i class='{gender.lower()}' style='height:{100 * numbers[place] / most:.0f}px'></i></em>"
            for gender, numbers in counts.items()
        )
        columns += f"<span><span class='pair'>{pair}</span><small>{name}</small></span>"
    words = ages_description(counts)
    return f"<p class='key'>{key}</p><div class='bars counts' role='img' aria-label='{words}'>{columns}</div>"


def ages_description(counts: dict[str, list[int]]) -> str:
    """Return in words what the chart shows."""
    told = (
        f"{gender}: " + ", ".join(f"{name}: {n}" for name, n in zip(RANGES, numbers, strict=True) if n)
        for gender, numbers in counts.items()
    )
    return f"Faces by age group. {'; '.join(told)}"
