"""Age distributions against closed forms, point masses and general properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agegender.estimation.age import CUTS, OLDEST, from_ranges, from_years, probability_below, range_of
from agegender.types import RANGES

YEARS = 100


def point_mass(year: int) -> np.ndarray:
    return np.array(np.eye(YEARS)[year])


def distributions(size: int) -> st.SearchStrategy[np.ndarray]:
    weights = arrays(np.float64, size, elements=st.floats(0, 1, width=32))
    return weights.filter(lambda w: w.sum() > 1e-3).map(lambda w: w / w.sum())


def test_ranges_meet_in_the_middle_of_their_gaps() -> None:
    assert CUTS == (3.5, 7.5, 14, 23, 35.5, 46, 57)


@pytest.mark.parametrize(
    ("year", "shares"),
    [
        (0, {"0–2": 1}),
        (2, {"0–2": 1}),
        (3, {"0–2": 0.5, "4–6": 0.5}),
        (7, {"4–6": 0.5, "8–12": 0.5}),
        (13, {"8–12": 1}),
        (14, {"15–20": 1}),
        (35, {"25–32": 0.5, "38–43": 0.5}),
        (56, {"48–53": 1}),
        (57, {"60–100": 1}),
        (99, {"60–100": 1}),
    ],
)
def test_a_year_belongs_to_its_range_and_one_that_is_cut_to_both(year: int, shares: dict[str, float]) -> None:
    age = from_years(point_mass(year))
    assert dict(zip(RANGES, age.probabilities, strict=True)) == {**dict.fromkeys(RANGES, 0), **shares}


@pytest.mark.parametrize("year", [1, 30, 99])
def test_a_certain_year_is_stated_as_that_year(year: int) -> None:
    age = from_years(point_mass(year))
    assert (age.years, age.low, age.high) == pytest.approx((year, year - 0.4, year + 0.4))


def test_no_age_is_below_nought() -> None:
    assert from_years(point_mass(0)).low == 0


def test_logistic_distribution_gives_its_closed_form() -> None:
    location, scale = 40.0, 3.0  # narrow enough to be within 0 to 100

    def below(age: float) -> float:
        return 1 / (1 + math.exp(-(age - location) / scale))

    edges = [below(year) for year in range(YEARS + 1)]
    age = from_years(np.diff(edges))
    at_cuts = [0.0, *map(below, CUTS), 1.0]
    assert age.probabilities == pytest.approx(np.diff(at_cuts), abs=2e-3)  # uniform within a year
    assert age.years == pytest.approx(location - 0.5, abs=1e-3)
    spread = scale * math.log(9)  # the logit of 90 %
    assert (age.low, age.high) == pytest.approx((location - spread - 0.5, location + spread - 0.5), abs=0.04)


def test_evenly_spread_over_a_century() -> None:
    age = from_years(np.full(YEARS, 1 / YEARS))
    assert age.probabilities == pytest.approx([0.035, 0.04, 0.065, 0.09, 0.125, 0.105, 0.11, 0.43])
    assert (age.years, age.low, age.high) == pytest.approx((49.5, 9.5, 89.5))


def test_single_precision_is_enough() -> None:
    age = from_years(np.full(YEARS, 1 / YEARS, dtype=np.float32))
    assert sum(age.probabilities) == pytest.approx(1, abs=1e-6)
    assert all(type(value) is float for value in (*age.probabilities, age.years, age.low, age.high))


@given(distributions(YEARS))
def test_any_distribution_gives_probabilities_and_an_interval(pmf: np.ndarray) -> None:
    age = from_years(pmf)
    assert min(age.probabilities) >= 0
    assert sum(age.probabilities) == pytest.approx(1)
    assert 0 <= age.low <= age.high <= YEARS
    assert age.years == pytest.approx(float(pmf @ np.arange(YEARS)))


@given(distributions(YEARS))
def test_half_lies_up_to_the_end_of_the_range_and_half_from_its_start_on(pmf: np.ndarray) -> None:
    age = from_years(pmf)
    place = RANGES.index(age.range)
    assert sum(age.probabilities[: place + 1]) >= 0.5 - 1e-9
    assert sum(age.probabilities[place:]) >= 0.5 - 1e-9
    assert age.range_probability == age.probabilities[place]


def test_of_ranges_far_apart_the_middle_one_is_told() -> None:
    assert from_ranges([0.6, 0, 0, 0, 0, 0, 0, 0.4]).range == "0–2"
    assert from_ranges([0.4, 0, 0, 0, 0, 0, 0, 0.6]).range == "60–100"
    assert from_ranges([0.45, 0, 0, 0.1, 0, 0, 0, 0.45]).range == "15–20"  # never wrong by seven ranges


@given(distributions(YEARS))
def test_four_fifths_lie_in_the_interval(pmf: np.ndarray) -> None:
    age = from_years(pmf)
    cumulative = np.concatenate([[0], np.cumsum(pmf)])
    below_low, below_high = np.interp([age.low + 0.5, age.high + 0.5], np.arange(YEARS + 1), cumulative)
    assert below_high == pytest.approx(0.9)
    assert below_low == pytest.approx(0.1) or age.low == 0


@given(distributions(60), st.integers(1, 40))
def test_who_is_older_by_some_years_is_shown_older_by_them(pmf: np.ndarray, shift: int) -> None:
    young = from_years(np.concatenate([pmf, np.zeros(40)]))
    old = from_years(np.concatenate([np.zeros(shift), pmf, np.zeros(40 - shift)]))
    assert old.years == pytest.approx(young.years + shift)
    assert old.high == pytest.approx(young.high + shift)
    assert old.low == pytest.approx(young.low + shift) or young.low == 0
    older_than_cuts = 1 - np.cumsum([young.probabilities, old.probabilities], axis=1)
    assert (older_than_cuts[1] >= older_than_cuts[0] - 1e-9).all()


@pytest.mark.parametrize(
    ("name", "years", "low", "high"),
    [("0–2", 1.25, 0, 2.65), ("25–32", 28.75, 23.75, 33.75), ("60–100", 73, 59.8, 86.2)],
)
def test_a_certain_range_lies_between_its_cuts(name: str, years: float, low: float, high: float) -> None:
    age = from_ranges(np.eye(len(RANGES))[RANGES.index(name)])
    assert age.range == name
    assert (age.years, age.low, age.high) == pytest.approx((years, low, high))


@given(distributions(len(RANGES)))
def test_ranges_alone_keep_their_probabilities_and_average_their_middles(
    probabilities: np.ndarray,
) -> None:
    age = from_ranges(probabilities)
    assert age.probabilities == pytest.approx(probabilities)
    assert age.years == pytest.approx(probabilities @ [1.25, 5, 10.25, 18, 28.75, 40.25, 51, 73])
    cumulative = np.concatenate([[0], np.cumsum(probabilities)])
    assert np.interp(age.high + 0.5, [0, *CUTS, OLDEST], cumulative) == pytest.approx(0.9)
    assert 0 <= age.low <= age.high < OLDEST


@pytest.mark.parametrize(
    ("years", "name"),
    [
        *[(-1, None), (0, "0–2"), (2, "0–2"), (3, None), (4, "4–6"), (7, None), (25, "25–32"), (32, "25–32")],
        *[(33, None), (59, None), (60, "60–100"), (100, "60–100"), (116, "60–100")],
    ],
)
def test_range_of_a_stated_age(years: int, name: str | None) -> None:
    assert range_of(years) == name


@given(distributions(YEARS), st.integers(0, YEARS - 1))
def test_a_stated_age_is_in_the_interval_when_as_much_lies_below_it(pmf: np.ndarray, age_years: int) -> None:
    age = from_years(pmf)
    below = probability_below(age_years, age, pmf)
    if age.low < age_years < age.high:
        assert 0.1 - 1e-6 <= below <= 0.9 + 1e-6
    elif age_years < age.low or age_years > age.high:
        assert below <= 0.1 + 1e-6 or below >= 0.9 - 1e-6


@given(distributions(len(RANGES)))
def test_ranges_alone_say_how_much_lies_below_their_cuts(probabilities: np.ndarray) -> None:
    age = from_ranges(probabilities)
    assert probability_below(3, age) == pytest.approx(probabilities[0])  # 3 counts as 3.5
    assert probability_below(7, age) == pytest.approx(probabilities[:2].sum())
