"""How sure is how right: stated probabilities beside how often they held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agegender.evaluation.datasets import Kind
from agegender.evaluation.metrics import BINS, calibration_error, stated_genders
from agegender.evaluation.run import Result

LEVELS = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""The intervals of age that are looked at: meant to hold the true age in so many of 1."""


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


def gender_calibration(kind: Kind, results: Sequence[Result]) -> Calibration:
    """Return how far the probability of the stated gender is from how often it is right.

    `error` is `metrics.calibration_error`, and the bins are those that it counts in.
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
    """Return for each of `LEVELS` how often such an interval holds the true age; () where no age is known.

    The intervals leave out as much at one end as at the other.
    """
    below = np.array([result.below for result in results if result.below is not None])
    if not len(below):
        return ()
    return tuple(Bin(len(below), level, float(np.mean(np.abs(below - 0.5) <= level / 2))) for level in LEVELS)
