"""Criteria and data for choosing temperature and age correction: the held-out training faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

HELD_OUT = 2000
"""The last faces of the training set, never trained on but used for choices and calibration."""
OLDEST_YEARS = 90
"""Assumed upper end of the group of everybody over 70."""
TEMPERATURES = np.geomspace(0.6, 1.7, 27).tolist()
POWERS = (0.0, 0.1, 0.2, 0.3)
"""α values tried for the correction by (density)^−α. Negative ones gain exact groups and lose the oldest."""
STRETCHES = (0.0, 0.1, 0.2, 0.3)
"""Values tried for the fraction by which ages beyond 50 years are stretched."""
WIDENINGS = (0.0, 0.5, 1.0)
"""Values tried for the fraction by which a distribution is widened for each 20 years beyond 50."""
STATED = 0.8
"""Nominal coverage of the reported interval."""
EXACT_COST = 0.005
"""Maximum cost of the correction, as a fraction of exact groups."""
SMOOTH_YEARS = 3.0
OLD_YEARS = (70.0, 75.0, 80.0, 85.0, 90.0, 97.0)
OLD_PARTS = (0.36, 0.27, 0.2, 0.11, 0.06)
"""Assumed distribution, over the years from 70 on, of FairFace's open-ended group.

Roughly that of the world's population of that age (United Nations, World Population Prospects 2022). The
label alone does not say how far beyond 70 to go, so a net that learns from it stays close to 70.
"""


def spread_loss(pmf: ArrayLike, low_years: ArrayLike, high_years: ArrayLike) -> float:
    """Mean −log probability of ages spread evenly over the annotated groups.

    `pmf` (n, 100) is P(k ≤ age < k + 1) for each of n faces; face i is at least `low_years[i]` and younger
    than `high_years[i]`. The likelihood of the group as a whole, −log P(low ≤ age < high), ignores how narrow
    a distribution is within the group; this loss does not, as every year of the group has to be likely.
    """
    low = np.maximum(np.asarray(low_years), 0).astype(int)[:, None]
    high = np.minimum(np.asarray(high_years), OLDEST_YEARS + 1).astype(int)[:, None]
    logs = np.log(np.maximum(np.asarray(pmf, dtype=np.float64), 1e-12))
    years = np.arange(logs.shape[1])
    inside: NDArray[np.bool_] = (low <= years) & (years < high)
    return -float(np.mean((logs * inside).sum(1) / inside.sum(1)))


def weights_of_years(low_years: ArrayLike, high_years: ArrayLike) -> NDArray[np.float64]:
    """Probability of each year given only a face's label, (n, 100): uniform, but `OLD_PARTS` from 70 on."""
    low = np.maximum(np.asarray(low_years, dtype=np.float64), 0)[:, None]
    high = np.asarray(high_years, dtype=np.float64)[:, None]
    years = np.arange(100)
    even = np.where((low <= years) & (years < high), 1.0, 0.0)
    ends = np.interp(np.arange(101), OLD_YEARS, np.concatenate([[0], np.cumsum(OLD_PARTS)]))
    parts = np.where(high > 120, np.where(years >= low, np.diff(ends), 0.0), even)
    return np.asarray(parts / parts.sum(1, keepdims=True), dtype=np.float64)


def density(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Number of faces per year, (100,), from their `weights_of_years`: smoothed and scaled to a mean of 1."""
    steps = np.arange(-12, 13)
    kernel = np.exp(-((steps / SMOOTH_YEARS) ** 2) / 2)
    of_years = np.convolve(np.pad(labels.sum(0), 12, mode="edge"), kernel / kernel.sum(), mode="valid")
    of_years = np.maximum(of_years, 0.02 * of_years.mean())
    return of_years / of_years.mean()


def corrected(pmf: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply each year's probability by its factor and renormalise."""
    weighted = pmf * factors
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), dtype=np.float64)


def errors_by_group(pmf: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Error of the expected age in years for people of each of FairFace's groups, (9,).

    A face counts towards its groups by the probability its label (`weights_of_years`) gives them.
    """
    years = np.arange(100)
    off = np.abs((pmf @ years)[:, None] - years) * labels
    starts = [0, 3, 10, 20, 30, 40, 50, 60, 70]
    errors = np.add.reduceat(off, starts, axis=1).sum(0) / np.add.reduceat(labels, starts, axis=1).sum(0)
    return np.asarray(errors, dtype=np.float64)


def exact(pmf: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Fraction of faces whose median age is in the group of the label."""
    starts = [0, 3, 10, 20, 30, 40, 50, 60, 70]
    groups, truth = (np.add.reduceat(parts, starts, axis=1) for parts in (pmf, labels))
    return float(np.mean((groups.cumsum(1)[:, :-1] < 0.5).sum(1) == truth.argmax(1)))


def coverage_of_old(pmf: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coverage of the `STATED` intervals for people from 40, 50, 60 and 70 years on, (4,)."""
    middle = pmf.cumsum(axis=1) - pmf / 2
    held = (labels * (np.abs(middle - 0.5) < STATED / 2)).sum(1)
    group = np.searchsorted([40, 50, 60, 70], labels @ np.arange(100), side="right")
    return np.array([held[group == number].mean() for number in (1, 2, 3, 4)])
