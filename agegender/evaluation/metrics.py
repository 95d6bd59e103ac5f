"""Metrics of an evaluation: accuracy, error, bias and calibration, with 95 % intervals."""

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
"""Minimum probability at which a stated gender counts as confident."""

WIDEST_YEARS = 8
"""Congress members count only if their possible ages span at most this many years."""

BINS = 10
"""Number of equal-width bins from 0.5 to 1 for the probability of the stated gender."""

LEAST_YEARS_FOR_GENDER = {"utkface": 4}
"""Minimum age for the gender metrics: UTKFace's babies are left out, as their gender cannot be seen."""


Z95 = 1.96
"""Half-width of a 95 % interval in standard errors."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value over `count` pictures, None for no pictures. Rates are from 0 to 1.

    `interval` is the 95 % confidence interval, None for too few pictures.
    """

    key: str
    title: str
    value: float | None
    count: int
    unit: str = "%"
    interval: tuple[float, float] | None = None


def figures(kind: Kind, results: Sequence[Result]) -> tuple[Figure, ...]:
    """The data set's usual figures. Pictures without a detected face count only in the first one."""
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
    """For each stated gender, its probability (0.5 to 1) and whether it is right.

    Leaves out pictures without a detected face, without a label, or of a person too young to tell.
    """
    least_years = LEAST_YEARS_FOR_GENDER.get(kind, 0)
    return [
        (result.reading.gender.probability, result.reading.gender.label == result.sample.gender)
        for result in results
        if result.reading and result.sample.gender and _is_from(result.sample, least_years)
    ]


def calibration_error(stated: Sequence[tuple[float, bool]]) -> float | None:
    """Expected calibration error (Naeini et al., 2015) of `stated_genders`; None without any.

    Faces are binned by stated probability into `BINS` bins; the gaps between mean probability and accuracy
    are averaged, weighted by the number of faces.
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
    """The one of the eight ranges that holds all years of a label, if any; (38, 42) is in 38–43."""
    if sample.ages is None:
        return None
    first, last = map(range_of, sample.ages)
    return first if first == last else None


def wilson(right: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) for a rate of `right` out of `count`, which is at least 1.

    Unlike the normal approximation it stays within 0 to 1 and is useful near the ends.
    """
    rate, square = right / count, Z95**2 / count
    middle = (rate + square / 2) / (1 + square)
    half = Z95 / (1 + square) * sqrt(rate * (1 - rate) / count + square / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _is_from(sample: Sample, least_years: int) -> bool:
    return least_years == 0 or (sample.ages is not None and sample.ages[0] >= least_years)


def confidence(kind: Kind, results: Sequence[Result]) -> tuple[Figure, ...]:
    """How well gender probabilities are calibrated, and how many of those at `SURE` or above are wrong."""
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
    """Accuracy over the eight ranges, for the pictures whose age is known to be in one."""
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
    """Mean by which members of Congress are taken to be older (negative: younger) than they are."""
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
    """Mean of the values as a figure; its value is None if there are none."""
    count = len(values)
    if not count:
        return Figure(key, title, None, 0, unit)
    middle = float(np.mean(values))
    if unit == "%":
        return Figure(key, title, middle, count, unit, wilson(sum(values), count))
    if count == 1:  # the spread is unknown
        return Figure(key, title, middle, count, unit)
    half = Z95 * float(np.std(values, ddof=1)) / sqrt(count)
    low = middle - half if min(values) < 0 else max(0.0, middle - half)
    return Figure(key, title, middle, count, unit, (low, middle + half))
