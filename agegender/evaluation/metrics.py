"""What an evaluation's results come to: how often the pipeline is right, and by how much it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from agegender.estimation.age import range_of
from agegender.evaluation.datasets import FAIRFACE_AGES, Kind, Sample
from agegender.evaluation.run import Result
from agegender.evaluation.titles import TITLES
from agegender.types import RANGES

SURE = 0.95
"""A gender that is told with this probability, or a higher one, is told confidently."""

WIDEST_YEARS = 8
"""Of Congress those count whose interval of ages is no wider."""

BINS = 10
"""So many bins of equal width, from 0.5 to 1, hold the probabilities of the stated gender."""

LEAST_YEARS_FOR_GENDER = {"utkface": 4}
"""Nobody sees the gender of a baby, so UTKFace's are left out of that figure."""


Z95 = 1.96
"""Within so many standard errors of a mean lies the truth, in 95 % of samples."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, over `count` pictures; None over none. Rates are parts of 1.

    `interval` holds the value that ever more such pictures would give, with a confidence of 95 %; None
    where there are too few pictures to say.
    """

    key: str
    title: str
    value: float | None
    count: int
    unit: str = "%"
    interval: tuple[float, float] | None = None


def figures(kind: Kind, results: Sequence[Result]) -> tuple[Figure, ...]:
    """Return the data set's usual figures. Pictures without a found face count in the first one only."""
    read = [result for result in results if not result.problem]
    found = [result for result in read if result.reading]
    least_years = LEAST_YEARS_FOR_GENDER.get(kind, 0)
    gender_right = [right for _, right in stated_genders(kind, found)]
    from_age = f", from {least_years} years on" if least_years else ""
    return (
        mean("faces_found", TITLES["faces_found"], [result.reading is not None for result in read]),
        mean("gender_accuracy", TITLES["gender_accuracy"] + from_age, gender_right),
        *_AGE_FIGURES[kind](found),
    )


def stated_genders(kind: Kind, results: Sequence[Result]) -> list[tuple[float, bool]]:
    """Return how probable each stated gender is said to be, 0.5 to 1, and whether it is right.

    Without the pictures that say nothing of it: no face found, no label, or a person too young to tell.
    """
    least_years = LEAST_YEARS_FOR_GENDER.get(kind, 0)
    return [
        (result.reading.gender.probability, result.reading.gender.label == result.sample.gender)
        for result in results
        if result.reading and result.sample.gender and _is_from(result.sample, least_years)
    ]


def calibration_error(stated: Sequence[tuple[float, bool]]) -> float | None:
    """Return the expected calibration error (Naeini et al., 2015) of `stated_genders`; None of none.

    The faces fall into `BINS` bins by the stated probability; the differences between its mean and how often
    it was right are averaged, each weighed by its number of faces.
    """
    if not stated:
        return None
    table = np.array(stated, dtype=float)
    places = np.minimum(BINS - 1, (table[:, 0] - 0.5) * 2 * BINS).astype(int)
    inside = [table[places == place] for place in range(BINS)]
    return float(
        sum(len(part) * abs(np.subtract(*part.mean(0))) for part in inside if len(part)) / len(table)
    )


def true_range(sample: Sample) -> str | None:
    """Return the one of the eight ranges that all of the years of a label lie in; (38, 42) lies in 38–43."""
    if sample.ages is None:
        return None
    first, last = map(range_of, sample.ages)
    return first if first == last else None


def wilson(right: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval (1927) of a rate: `right` of `count`, which is at least 1, were right.

    Unlike the normal one it stays within 0 to 1 and is of use near the ends.
    """
    rate, square = right / count, Z95**2 / count
    middle = (rate + square / 2) / (1 + square)
    half = Z95 / (1 + square) * sqrt(rate * (1 - rate) / count + square / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _is_from(sample: Sample, least_years: int) -> bool:
    return least_years == 0 or (sample.ages is not None and sample.ages[0] >= least_years)


def confidence(kind: Kind, results: Sequence[Result]) -> tuple[Figure, ...]:
    """Return how well genders' probabilities hold, and how many of those told at `SURE` or more are wrong."""
    stated = stated_genders(kind, results)
    sure = [not right for probability, right in stated if probability >= SURE]
    wrong = [probability >= SURE for probability, right in stated if not right]
    return (
        mean("gender_sure_wrong", f"gender wrong where told at {100 * SURE:.0f} % or more", sure),
        mean("gender_wrong_sure", f"wrong genders told at {100 * SURE:.0f} % or more", wrong),
        Figure(
            "gender_calibration_error",
            "gender: stated and right differ by",
            calibration_error(stated),
            len(stated),
        ),
    )


def _group_figures(found: Sequence[Result]) -> tuple[Figure, ...]:
    steps = [
        abs(result.group - FAIRFACE_AGES.index(result.sample.ages))
        for result in found
        if result.group is not None and result.sample.ages
    ]
    return _step_figures("age_group", steps)


def _range_figures(found: Sequence[Result]) -> tuple[Figure, ...]:
    """Return how well the eight ranges are met, over the pictures whose age is known to lie in one."""
    steps = [
        abs(RANGES.index(result.reading.age.range) - RANGES.index(true))
        for result in found
        if result.reading and (true := true_range(result.sample))
    ]
    return _step_figures("age_range", steps)


def _years_figures(found: Sequence[Result]) -> tuple[Figure, ...]:
    pairs = [(r.reading.age, r.sample.ages[0]) for r in found if r.reading and r.sample.ages]
    return (
        mean(
            "age_mae_years", TITLES["age_mae_years"], [abs(age.years - true) for age, true in pairs], "years"
        ),
        mean(
            "age_in_interval",
            TITLES["age_in_interval"],
            [age.low <= true <= age.high for age, true in pairs],
        ),
    )


def _congress_figures(found: Sequence[Result]) -> tuple[Figure, ...]:
    """Return by how much Congress is taken to be older (or, negative, younger) than it is."""
    known = [
        (r.reading.age.years, r.sample.ages)
        for r in found
        if r.reading and r.sample.ages and r.sample.ages[1] - r.sample.ages[0] < WIDEST_YEARS
    ]
    bias = [years - (first + last) / 2 for years, (first, last) in known]
    return (mean("age_bias_years", TITLES["age_bias_years"], bias, "years"),)


_AGE_FIGURES: dict[Kind, Callable[[Sequence[Result]], tuple[Figure, ...]]] = {
    "fairface": lambda found: _group_figures(found),
    "utkface": lambda found: (*_range_figures(found), *_years_figures(found)),
    "congress": lambda found: _congress_figures(found),
    "adience": lambda found: _range_figures(found),
}


def _step_figures(key: str, steps: Sequence[int]) -> tuple[Figure, Figure]:
    return (
        mean(f"{key}_exact", TITLES[f"{key}_exact"], [step == 0 for step in steps]),
        mean(f"{key}_within_one", TITLES[f"{key}_within_one"], [step <= 1 for step in steps]),
    )


def mean(key: str, title: str, values: Sequence[float], unit: str = "%") -> Figure:
    """Return the mean of the values, or None of none, as a figure."""
    count = len(values)
    if not count:
        return Figure(key, title, None, 0, unit)
    middle = float(np.mean(values))
    if unit == "%":
        return Figure(key, title, middle, count, unit, wilson(sum(values), count))
    if count == 1:  # nothing is known of how far they spread
        return Figure(key, title, middle, count, unit)
    half = Z95 * float(np.std(values, ddof=1)) / sqrt(count)
    low = middle - half if min(values) < 0 else max(0.0, middle - half)
    return Figure(key, title, middle, count, unit, (low, middle + half))
