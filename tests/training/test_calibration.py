"""What the temperature of age is chosen by, against figures made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import spread_loss


def test_every_year_of_the_group_has_to_be_likely() -> None:
    narrow, wide = np.zeros(100), np.zeros(100)
    narrow[[30, 31]] = 0.9, 0.1
    wide[[30, 31]] = 0.5, 0.5
    loss = spread_loss(np.stack([narrow, wide]), [30, 30], [32, 32])
    assert loss == pytest.approx(-(np.log(0.9 * 0.1) / 2 + np.log(0.5)) / 2)
    assert spread_loss([narrow], [30], [32]) > spread_loss([wide], [30], [32])


def test_open_groups_end_at_birth_and_at_90() -> None:
    pmf = np.arange(1, 101) / 5050
    youngest, oldest = spread_loss([pmf], [-1000], [3]), spread_loss([pmf], [70], [1000])
    assert youngest == pytest.approx(-np.log(pmf[0:3]).mean())
    assert oldest == pytest.approx(-np.log(pmf[70:91]).mean())
