"""From an age distribution to what is reported: the eight ranges, expected years, an interval.

Age itself is continuous, but people state it in whole years: k from the k-th birthday to the next.
Distributions are over the former and everything reported is in the latter, so the middle of a year of life, k
+ 0.5, is stated as k.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agegender.types import RANGES, Age

LIMITS = tuple((int(text.split("–")[0]), int(text.split("–")[1])) for text in RANGES)
"""First and last whole year of each of the eight ranges."""

CUTS = tuple((last + 1 + first) / 2 for (_, last), (first, _) in pairwise(LIMITS))
"""Exact ages at which one range ends and the next begins: the middle of each gap."""

OLDEST = 90.0
"""Upper end of the last range for nets that know only ranges.

Its name says 100, but hardly anybody in a picture is older than this, and a tenth of a range that reached 100
must not count as older than 96.
"""

TAIL = 0.1
"""Probability left out at each end of the interval, which leaves 80 %."""


def from_years(pmf: ArrayLike) -> Age:
    """Summarise a distribution over years of age.

    `pmf` has shape (n,), is non-negative and sums to 1; `pmf[k]` is the probability of an age in [k, k + 1),
    the last entry that of any age from there on, treated as ending at n. A year that one of `CUTS` divides is
    split in proportion. `years` is the expected stated age, the sum of k · pmf[k].
    """
    edges = np.arange(np.size(pmf) + 1, dtype=np.float64)
    return _shown(edges, np.asarray(pmf, dtype=np.float64))


def from_ranges(probabilities: ArrayLike) -> Age:
    """Summarise probabilities of the eight ranges alone.

    `probabilities` has shape (8,), is non-negative and sums to 1. Each range is taken as uniform between its
    cuts, the first one from birth and the last one up to `OLDEST`.
    """
    return _shown(np.array([0.0, *CUTS, OLDEST]), np.asarray(probabilities, dtype=np.float64))


def range_of(age_years: int) -> str | None:
    """The one of the eight ranges that holds a stated age, or None if it is in a gap.

    The last range is open-ended and includes ages over 100.
    """
    for name, (first, last) in zip(RANGES, LIMITS, strict=True):
        if first <= age_years and (age_years <= last or name == RANGES[-1]):
            return name
    return None


def probability_below(age_years: int, age: Age, pmf: ArrayLike | None = None) -> float:
    """Probability of being younger than the middle of a stated year of life.

    Uses the distribution over years that `from_years` takes or, without one, the eight ranges of `age`,
    spread as in `from_ranges`. An interval that leaves out p at each end holds the stated age if this is from
    p to 1 − p.
    """
    if pmf is None:
        edges, masses = np.array([0.0, *CUTS, OLDEST]), np.asarray(age.probabilities)
    else:
        edges, masses = np.arange(np.size(pmf) + 1, dtype=np.float64), np.asarray(pmf, dtype=np.float64)
    cumulative = np.concatenate([[0.0], np.cumsum(masses)])
    return float(np.interp(age_years + 0.5, edges, cumulative))


def _shown(edges: NDArray[np.float64], masses: NDArray[np.float64]) -> Age:
    """The age whose distribution has these n masses, each uniform between two of the n + 1 edges."""
    cumulative = np.concatenate([[0.0], np.cumsum(masses)])
    below = np.interp((edges[0], *CUTS, edges[-1]), edges, cumulative)
    probabilities = below[1:] - below[:-1]
    low, high = np.interp([TAIL, 1 - TAIL], cumulative, edges) - 0.5
    years = float(masses @ (edges[:-1] + edges[1:])) / 2 - 0.5
    return Age(tuple(probabilities.tolist()), years, max(0.0, float(low)), float(high))
