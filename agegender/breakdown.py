"""What lies behind an evaluation's figures: groups of people, ages mixed up, how sure is how right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agegender.datasets import FAIRFACE_AGES, Kind, Sample
from agegender.evaluation import Result
from agegender.figures import Figure, figures, stated_genders, true_range
from agegender.types import RANGES, WARNINGS

LEVELS = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""The intervals of age that are looked at: meant to hold the true age in so many of 1."""

ANY = "any"
"""Stands for all of the warnings together."""

BINS = 10
"""So many bins of equal width, from 0.5 to 1, hold the probabilities of the stated gender."""

FAIRFACE_GROUPS = (*(f"{first}–{last}" for first, last in FAIRFACE_AGES[:-1]), f"{FAIRFACE_AGES[-1][0]}+")


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of the people who are alike in one thing: `by` is gender, race or age, or a warning."""

    by: str
    name: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[i][j]` pictures of people in the i-th of `names` were taken for people in the j-th."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """What was stated about as surely: the mean of the probabilities, and which part of them was right."""

    count: int
    stated: float
    right: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The bins that are not empty, and `error`: by how much stated and right differ, on the mean; or None."""

    error: float | None
    bins: tuple[Bin, ...]


def groups(kind: Kind, results: Sequence[Result]) -> tuple[Group, ...]:
    """Return the figures of each gender, race and group of ages that the labels name."""
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
    """Return the figures of the faces with each warning and without it, and with any and without all."""
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
    """Return which ages were taken for which: FairFace's nine groups, else the eight ranges."""
    names = FAIRFACE_GROUPS if kind == "fairface" else RANGES
    counts = np.zeros((len(names), len(names)), dtype=int)
    for result in results:
        true = _age_name(kind, result.sample) if kind == "fairface" else true_range(result.sample)
        if result.reading and true:
            place = result.group if kind == "fairface" else RANGES.index(result.reading.age.range)
            if place is not None:
                counts[names.index(true), place] += 1
    return Confusion(names, tuple(tuple(row) for row in counts.tolist()))


def gender_calibration(kind: Kind, results: Sequence[Result]) -> Calibration:
    """Return how far the probability of the stated gender is from how often it is right.

    `error` is the expected calibration error (Naeini et al., 2015): the pictures fall into `BINS` bins by
    that probability, and the bins' differences are averaged, each weighed by its number of pictures.
    """
    stated = np.array(stated_genders(kind, results), dtype=float).reshape(-1, 2)
    places = np.minimum(BINS - 1, (stated[:, 0] - 0.5) * 2 * BINS).astype(int)
    bins = [
        Bin(len(inside), *map(float, inside.mean(0)))
        for place in range(BINS)
        if len(inside := stated[places == place])
    ]
    if not bins:
        return Calibration(None, ())
    return Calibration(sum(b.count * abs(b.stated - b.right) for b in bins) / len(stated), tuple(bins))


def age_calibration(results: Sequence[Result]) -> tuple[Bin, ...]:
    """Return for each of `LEVELS` how often such an interval holds the true age; () where no age is known.

    The intervals leave out as much at one end as at the other.
    """
    below = np.array([result.below for result in results if result.below is not None])
    if not len(below):
        return ()
    return tuple(Bin(len(below), level, float(np.mean(np.abs(below - 0.5) <= level / 2))) for level in LEVELS)


def _race_name(race: str) -> str:
    """Return the data set's word for a race as it is written in a sentence."""
    return race.capitalize() if race.islower() else race.replace("_", " or ")


def _age_name(kind: Kind, sample: Sample) -> str | None:
    """Return the group of ages that a label lies in: of Adience a range, else one of FairFace's groups."""
    if kind == "adience":
        return true_range(sample)
    if sample.ages is None:
        return None
    age = sample.ages[0]
    return FAIRFACE_GROUPS[sum(first <= age for first, _ in FAIRFACE_AGES) - 1]
