"""The criteria for choosing the age temperature, against hand-made figures."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import (
    corrected,
    density,
    errors_by_group,
    exact,
    spread_loss,
    weights_of_years,
)


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


def test_a_label_says_how_probable_each_year_is() -> None:
    even, old = weights_of_years([20, 70], [30, 1000])
    assert even[20:30] == pytest.approx(0.1) and even.sum() == pytest.approx(1)
    assert old.sum() == pytest.approx(1) and not old[:70].any()
    assert old[70:75].sum() == pytest.approx(0.36)


def test_what_training_saw_little_is_made_more_of() -> None:
    often = density(weights_of_years([20] * 9 + [60], [30] * 9 + [70]))
    assert often[25] == pytest.approx(9 * often[65], rel=0.1)
    pmf = corrected(np.full((1, 100), 0.01), often**-0.5)
    assert pmf.sum() == pytest.approx(1)
    assert pmf[0, 65] == pytest.approx(3 * pmf[0, 25], rel=0.1)


def test_errors_count_in_the_group_of_the_label() -> None:
    firsts = np.array([0, 3, 10, 20, 30, 40, 50, 60, 70])
    labels = weights_of_years(firsts, firsts + 1)
    pmf = np.eye(100)[firsts + np.array([0, 1, 0, 0, -5, 0, 0, 0, 12])]
    assert errors_by_group(pmf, labels) == pytest.approx([0, 1, 0, 0, 5, 0, 0, 0, 12])
    assert exact(pmf, labels) == pytest.approx(8 / 9)
