"""Fused estimates settle, follow better views, decay, and hold still."""

from __future__ import annotations

import math

import pytest

from agegender.estimation.quality import frontality
from agegender.tracking.fusion import FADE_S, LEAD_S, SETTLE_S, Evidence, Shown, add_view, show, view_weight
from agegender.types import RANGES, Age, Box, Estimate, Face, Gender

FRONTAL = ((38.0, 52.0), (74.0, 52.0), (56.0, 72.0), (42.0, 92.0), (71.0, 92.0))


def estimate(best: int = 4, sure: float = 0.6, p_female: float = 0.8, years: float = 28.0) -> Estimate:
    """An estimate in which range `best` has the probability `sure`."""
    rest = (1 - sure) / (len(RANGES) - 1)
    probabilities = tuple(sure if i == best else rest for i in range(len(RANGES)))
    return Age(probabilities, years, years - 8, years + 8), Gender(p_female)


def fuse(*views: tuple[Estimate, float, float]) -> Evidence:
    evidence = None
    for view, weight, time_s in views:
        evidence = add_view(evidence, view, weight, time_s)
    assert evidence is not None
    return evidence


def test_views_of_one_moment_are_averaged_by_weight() -> None:
    evidence = fuse(
        (estimate(years=20, p_female=0.9), 3.0, 0.0), (estimate(years=40, p_female=0.5), 1.0, 0.0)
    )
    assert evidence.age.years == pytest.approx(25)
    assert evidence.age.low == pytest.approx(17)
    assert sum(evidence.age.probabilities) == pytest.approx(1)
    odds = evidence.gender.p_female / (1 - evidence.gender.p_female)
    assert odds == pytest.approx(9**0.75)  # the mean of log-odds is a geometric mean of odds


def test_an_old_view_fades_exponentially() -> None:
    evidence = fuse((estimate(years=20), 1.0, 0.0), (estimate(years=40), 1.0, FADE_S))
    kept = math.exp(-1)
    assert evidence.age.years == pytest.approx((20 * kept + 40) / (kept + 1))


def test_many_equal_views_say_no_more_than_one() -> None:
    views = [(estimate(p_female=0.8), 0.5, i / 30) for i in range(300)]
    assert fuse(*views).gender.p_female == pytest.approx(0.8)


def test_certainty_itself_can_be_fused() -> None:
    evidence = fuse((estimate(p_female=1.0), 1.0, 0.0), (estimate(p_female=0.0), 1.0, 0.0))
    assert evidence.gender.p_female == pytest.approx(0.5)


def shown_after(*moments: tuple[float, Estimate]) -> Shown:
    """What is displayed if the evidence is as given at each time; the track began at 0."""
    shown = None
    for time_s, view in moments:
        shown = show(shown, fuse((view, 1.0, time_s)), time_s, 0.0)
    assert shown is not None
    return shown


def test_what_is_shown_follows_the_evidence_in_the_first_second_only() -> None:
    young = shown_after((0.0, estimate(best=4, p_female=0.8)), (SETTLE_S, estimate(best=5, p_female=0.2)))
    assert (young.age.range, young.gender.label) == (RANGES[5], "Male")
    old = shown_after((0.0, estimate(best=4, p_female=0.8)), (SETTLE_S + 0.1, estimate(best=5, p_female=0.2)))
    assert (old.age.range, old.gender.label) == (RANGES[4], "Female")


@pytest.mark.parametrize(
    ("rival", "until_s", "wins"),
    [
        (estimate(best=5, p_female=0.2), LEAD_S, True),
        (estimate(best=5, p_female=0.2), LEAD_S - 0.1, False),
        (estimate(best=5, sure=0.28, p_female=0.45), 60.0, False),  # ahead for long, but by little
    ],
)
def test_a_rival_must_lead_clearly_and_for_some_time(rival: Estimate, until_s: float, wins: bool) -> None:
    shown = shown_after((0.0, estimate()), (5.0, rival), (5.0 + until_s, rival))
    assert (shown.age.range == RANGES[5]) is wins
    assert (shown.gender.label == "Male") is wins


def test_a_rival_that_falls_back_starts_again() -> None:
    rival = estimate(best=5, p_female=0.2)
    shown = shown_after((0, estimate()), (5, rival), (6.5, estimate()), (7.5, rival), (9.0, rival))
    assert (shown.age.range, shown.gender.label) == (RANGES[4], "Female")


def test_figures_stand_still_until_they_moved_enough() -> None:
    shown = shown_after((0.0, estimate(p_female=0.8, years=28.0)), (5.0, estimate(p_female=0.81, years=28.6)))
    assert (shown.age.years, shown.gender.p_female) == pytest.approx((28.0, 0.8))
    shown = shown_after((0.0, estimate(p_female=0.8, years=28.0)), (5.0, estimate(p_female=0.9, years=29.5)))
    assert (shown.age.years, shown.gender.p_female) == pytest.approx((29.5, 0.9))


def test_the_years_shown_never_contradict_the_range_shown() -> None:
    shown = shown_after((0.0, estimate(best=4, years=28.0)), (5.0, estimate(best=5, sure=0.9, years=41.0)))
    assert (shown.age.range, shown.age.years) == ("25–32", 28.0)


def turned(share: float) -> tuple[tuple[float, float], ...]:
    """Landmarks with the nose at a fraction of the way from the right eye to the left."""
    return ((38.0, 52.0), (74.0, 52.0), (38.0 + 36.0 * share, 72.0), (42.0, 92.0), (71.0, 92.0))


@pytest.mark.parametrize(
    ("landmarks", "expected"),
    [
        (FRONTAL, 1.0),
        (turned(0.75), 0.5),
        (turned(0.0), 0.1),
        (turned(1.3), 0.1),
        ((), 0.5),
        (((5, 5),) * 5, 0.1),
    ],
)
def test_frontality(landmarks: tuple[tuple[float, float], ...], expected: float) -> None:
    assert frontality(Face(Box(0, 0, 112, 112), 0.9, landmarks)) == pytest.approx(expected)


def test_frontality_does_not_mind_a_tilted_head() -> None:
    angle = math.radians(40)
    tilted = tuple(
        (x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle))
        for x, y in turned(0.5)
    )
    # The nose is below the middle of the eyes, perpendicular to the line through them, however the head is
    # tilted.
    assert frontality(Face(Box(0, 0, 112, 112), 0.9, tilted)) == pytest.approx(1.0)


def test_a_better_view_weighs_more() -> None:
    best = Face(Box(0, 0, 112, 112), 0.95, FRONTAL)
    small = Face(Box(0, 0, 30, 40), 0.95, FRONTAL)
    unsure = Face(Box(0, 0, 112, 112), 0.7, FRONTAL)
    profile = Face(Box(0, 0, 112, 112), 0.95, turned(0.1))
    assert all(0 < view_weight(worse) < view_weight(best) <= 1 for worse in (small, unsure, profile))
    assert view_weight(Face(Box(5, 5, 5, 5), 0.0)) > 0  # nothing to divide by later
