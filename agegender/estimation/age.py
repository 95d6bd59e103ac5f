"""From a distribution over age to what is shown: the eight ranges, expected years, an interval.

Two ways to count meet here. Age itself runs on without steps; people state it in whole years, k from
the k-th birthday to the next. Distributions are over the former, whatever is shown is in the latter, so
the middle of a year of life, k + 0.5, is stated as k.
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
"""Where the last range ends for nets that know ranges only. Its name says 100, but hardly anybody older
than this is in a picture, and a tenth of a range that reaches 100 must not count as older than 96."""

TAIL = 0.1
"""Probability left out at each end of the interval: 80 % remain."""


def from_years(pmf: ArrayLike) -> Age:
    """Return what is shown of one distribution over years of age.

    `pmf` has shape (n,), is not negative and sums to 1; `pmf[k]` is the probability of an age in
    [k, k + 1), and of any from k on in the last entry, which counts as if it ended at n. A year that
    one of `CUTS` divides is shared out evenly. `years` is the expected stated age, the sum of k · pmf[k].
    """
    edges = np.arange(np.size(pmf) + 1, dtype=np.float64)
    return _shown(edges, np.asarray(pmf, dtype=np.float64))


def from_ranges(probabilities: ArrayLike) -> Age:
    """Return what is shown of the probabilities of the eight ranges alone.

    `probabilities` has shape (8,), is not negative and sums to 1. Each range is taken to be spread
    evenly between its two cuts, the first one from birth and the last one up to `OLDEST`.
    """
    return _shown(np.array([0.0, *CUTS, OLDEST]), np.asarray(probabilities, dtype=np.float64))


def range_of(age_years: int) -> str | None:
    """Return the one of the eight ranges that a stated age lies in, or None where it lies in a gap.

    The last range is open: whoever is older than 100 belongs to it.
    """
    for name, (first, last) in zip(RANGES, LIMITS, strict=True):
        if first <= age_years and (age_years <= last or name == RANGES[-1]):
            return name
    return None


def probability_below(age_years: int, age: Age, pmf: ArrayLike | None = None) -> float:
    """Return the probability of being younger than the middle of a stated year of life.

    By the distribution over years that `from_years` takes, or without one by the eight ranges of `age`, as
    `from_ranges` spreads them. The interval that leaves out p at each end holds the stated age when this lies
    between p and 1 − p.
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
