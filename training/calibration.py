"""What the temperature of age is chosen by, and on whom: the same for a new net and for an exported file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

HELD_OUT = 2000
"""The last faces of the training set: never trained on, for choices and for calibration."""
OLDEST_YEARS = 90
"""Where the group of everybody over 70 is taken to end."""
TEMPERATURES = np.geomspace(0.4, 2.5, 93).tolist()


def spread_loss(pmf: ArrayLike, low_years: ArrayLike, high_years: ArrayLike) -> float:
    """Return the mean −log probability of ages that are spread evenly over the annotated groups.

    `pmf` (n, 100) is P(k ≤ age < k + 1) for each of n faces; face i is from `low_years[i]` on and below
    `high_years[i]`. The likelihood of the group as a whole, −log P(low ≤ age < high), does not see how
    narrow a distribution inside the group is; this one does, as every year of the group has to be likely.
    """
    low = np.maximum(np.asarray(low_years), 0).astype(int)[:, None]
    high = np.minimum(np.asarray(high_years), OLDEST_YEARS + 1).astype(int)[:, None]
    logs = np.log(np.maximum(np.asarray(pmf, dtype=np.float64), 1e-12))
    years = np.arange(logs.shape[1])
    inside: NDArray[np.bool_] = (low <= years) & (years < high)
    return -float(np.mean((logs * inside).sum(1) / inside.sum(1)))


def best_temperature(name: str, loss: Callable[[float], float]) -> float:
    """Return the temperature of the least loss, and print what it gives."""
    best = min(TEMPERATURES, key=loss)
    print(f"{name}: temperature {best:.3f}, held-out loss {loss(1.0):.4f} → {loss(best):.4f}")
    return float(best)
