"""Calibration: stated probabilities against how often they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agegender.evaluation.datasets import Kind
from agegender.evaluation.metrics import BINS, calibration_error, stated_genders
from agegender.evaluation.run import Result

LEVELS = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""Nominal coverage of the age intervals examined."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Faces of similar stated probability: the mean probability, and the fraction that was right."""

    count: int
    stated: float
    right: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The non-empty bins, and `error`, the mean gap between stated and right; None without any face."""

    error: float | None
    bins: tuple[Bin, ...]


def gender_calibration(kind: Kind, results: Sequence[Result]) -> Calibration:
    """Compare the probability of the stated gender with how often it is right.

    `error` is `metrics.calibration_error`, computed over the same bins.
    """
    stated = np.array(stated_genders(kind, results), dtype=float).reshape(-1, 2)
    places = np.minimum(BINS - 1, (stated[:, 0] - 0.5) * 2 * BINS).astype(int)
    bins = [
        Bin(len(inside), *map(float, inside.mean(0)))
        for place in range(BINS)
        if len(inside := stated[places == place])
    ]
    return Calibration(calibration_error(stated_genders(kind, results)), tuple(bins))


def age_calibration(results: Sequence[Result]) -> tuple[Bin, ...]:
    """For each of `LEVELS`, how often the interval holds the true age; () if no age is known.

    Intervals are central: they leave out equal probability at each end.
    """
    below = np.array([result.below for result in results if result.below is not None])
    if not len(below):
        return ()
    return tuple(Bin(len(below), level, float(np.mean(np.abs(below - 0.5) <= level / 2))) for level in LEVELS)
