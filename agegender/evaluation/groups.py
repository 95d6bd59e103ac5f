"""Breakdown of an evaluation: figures by group and by warning, and the confusion between ages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agegender.evaluation.datasets import FAIRFACE_AGES, Kind, Sample
from agegender.evaluation.metrics import Figure, figures, true_range
from agegender.evaluation.run import Result
from agegender.types import RANGES, WARNINGS

ANY = "any"
"""All warnings together."""


FAIRFACE_GROUPS = (*(f"{first}–{last}" for first, last in FAIRFACE_AGES[:-1]), f"{FAIRFACE_AGES[-1][0]}+")


@dataclass(frozen=True, slots=True)
class Group:
    """Figures for people who share an attribute: `by` is gender, race or age, or a warning."""

    by: str
    name: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[i][j]` is the number of people in the i-th of `names` who were estimated to be in the j-th."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def groups(
    kind: Kind,
    results: Sequence[Result],
    figures: Callable[[Kind, Sequence[Result]], tuple[Figure, ...]] = figures,
) -> tuple[Group, ...]:
    """Figures for each gender, race and age group in the labels."""
    by: dict[str, Callable[[Sample], str | None]] = {
        "gender": lambda sample: sample.gender,
        "race": lambda sample: _race_name(sample.race),
        "age": lambda sample: _age_name(kind, sample),
    }
    order = (*RANGES, *FAIRFACE_GROUPS)
    found = []
    for what, name_of in by.items():
        names = {name for result in results if (name := name_of(result.sample))}
        for name in sorted(names, key=lambda name: (order.index(name) if name in order else 0, name)):
            of_group = [result for result in results if name_of(result.sample) == name]
            found.append(Group(what, name, figures(kind, of_group)))
    return tuple(found)


def warned(kind: Kind, results: Sequence[Result]) -> tuple[Group, ...]:
    """Figures for the faces with and without each warning, and with any and with none."""
    found = [(result, result.reading.warnings) for result in results if result.reading]
    groups = []
    for name in (*WARNINGS, ANY):
        for title, holds in (("with", True), ("without", False)):
            alike = [
                result
                for result, warnings in found
                if (bool(warnings) if name == ANY else name in warnings) == holds
            ]
            groups.append(Group(name, title, figures(kind, alike)))
    return tuple(groups)


def confusion(kind: Kind, results: Sequence[Result]) -> Confusion:
    """Confusion between ages: over FairFace's nine groups for FairFace, otherwise over the eight ranges."""
    names = FAIRFACE_GROUPS if kind == "fairface" else RANGES
    counts = np.zeros((len(names), len(names)), dtype=int)
    for result in results:
        true = _age_name(kind, result.sample) if kind == "fairface" else true_range(result.sample)
        if result.reading and true:
            place = result.group if kind == "fairface" else RANGES.index(result.reading.age.range)
            if place is not None:
                counts[names.index(true), place] += 1
    return Confusion(names, tuple(tuple(row) for row in counts.tolist()))


def _race_name(race: str) -> str:
    """The data set's term for a race as written in a sentence."""
    return race.capitalize() if race.islower() else race.replace("_", " or ")


def _age_name(kind: Kind, sample: Sample) -> str | None:
    """The age group of a label: one of the ranges for Adience, otherwise one of FairFace's groups."""
    if kind == "adience":
        return true_range(sample)
    if sample.ages is None:
        return None
    age = round(sum(sample.ages) / 2) if kind == "congress" else sample.ages[0]
    return FAIRFACE_GROUPS[sum(first <= age for first, _ in FAIRFACE_AGES) - 1]
