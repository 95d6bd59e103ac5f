from __future__ import annotations

import altair
import pytest

from agegender.types import RANGES, Age, Box, Face, Gender, Reading
from agegender.ui.range_charts import ages_chart, ages_description, count_ages


def reading(place: int, p_female: float) -> Reading:
    probabilities = tuple(float(i == place) for i in range(len(RANGES)))
    return Reading(Face(Box(0, 0, 9, 9), 0.9), Age(probabilities, 30.0, 20.0, 40.0), Gender(p_female))


def test_faces_are_counted_by_gender_and_range() -> None:
    readings = [reading(0, 0.9), reading(4, 0.8), reading(4, 0.7), reading(7, 0.1)]
    assert count_ages(readings) == {"Female": [1, 0, 0, 0, 2, 0, 0, 0], "Male": [0, 0, 0, 0, 0, 0, 0, 1]}
    assert count_ages(readings[3:]) == {"Male": [0, 0, 0, 0, 0, 0, 0, 1]}
    assert count_ages([]) == {}


def test_charts_have_one_scale_and_tell_the_same_in_words() -> None:
    numbers = [1, 0, 0, 0, 2, 0, 0, 0]
    assert ages_description("Female", numbers) == "Female faces by years. 0–2: 1, 25–32: 2"
    for gender in ("Female", "Male"):
        drawn = altair.Chart.from_dict(
            ages_chart(gender, numbers, 10)
        ).to_dict()  # raises where the schema does
        assert drawn["encoding"]["y"]["scale"]["domain"] == pytest.approx([0, 12])
        data = next(iter(drawn["datasets"].values()))
        assert [row["value"] for row in data] == numbers
