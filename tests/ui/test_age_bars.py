"""Bars over the eight ranges, parsed from their HTML."""

from __future__ import annotations

import re

from agegender.types import RANGES, Age, Box, Face, Gender, Reading
from agegender.ui.face_cards import age_bars, ages_chart, ages_description, count_ages

AGE = Age((0.0, 0.0, 0.1, 0.2, 0.4, 0.2, 0.1, 0.0), 29.0, 12.0, 48.0)


def reading(place: int, p_female: float) -> Reading:
    probabilities = tuple(float(i == place) for i in range(len(RANGES)))
    return Reading(Face(Box(0, 0, 9, 9), 0.9), Age(probabilities, 30.0, 20.0, 40.0), Gender(p_female))


def heights(html: str) -> list[int]:
    return [int(px) for px in re.findall(r"height:(\d+)px", html)]


def test_every_range_has_its_bar_and_the_one_that_is_told_stands_out() -> None:
    html = age_bars(AGE)
    assert re.findall(r"<small>(.*?)</small>", html) == list(RANGES)
    assert heights(html) == [0, 0, 15, 29, 58, 29, 15, 0]
    assert re.findall(r"<span class='told'>.*?<small>(.*?)</small>", html) == [AGE.range]


def test_an_empty_bar_has_no_number_and_the_words_tell_all() -> None:
    html = age_bars(AGE)
    assert re.findall(r"'>(\d+ %)<i", html) == ["10 %", "20 %", "40 %", "20 %", "10 %"]
    assert "aria-label='Probability of each age group. 0–2: 0 %, 4–6: 0 %, 8–12: 10 %," in html


def test_faces_are_counted_by_gender_and_range() -> None:
    readings = [reading(0, 0.9), reading(4, 0.8), reading(4, 0.7), reading(7, 0.1)]
    assert count_ages(readings) == {"Female": [1, 0, 0, 0, 2, 0, 0, 0], "Male": [0, 0, 0, 0, 0, 0, 0, 1]}
    assert count_ages(readings[3:]) == {"Male": [0, 0, 0, 0, 0, 0, 0, 1]}
    assert count_ages([]) == {}


def test_both_genders_are_in_one_chart_with_one_scale() -> None:
    counts = {"Female": [1, 0, 0, 0, 2, 0, 0, 0], "Male": [0, 0, 0, 0, 0, 0, 0, 4]}
    html = ages_chart(counts)
    assert heights(html) == [25, 0, 0, 0, 0, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0, 100]
    assert ages_description(counts) == "Faces by age group. Female: 0–2: 1, 25–32: 2; Male: 60–100: 4"
    assert "Female · 3" in html and "Male · 4" in html
