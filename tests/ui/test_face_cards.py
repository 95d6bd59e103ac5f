"""Boxes over faces: their position as a browser computes it."""

from __future__ import annotations

import pytest

from agegender.types import RANGES, Age, Box, Face, Gender, Reading
from agegender.ui.face_cards import card, place


@pytest.mark.parametrize(
    ("box", "style"),
    [
        (Box(10, 20, 30, 80), "left:5.00%;top:20.00%;right:85.00%;bottom:20.00%"),
        (Box(-10, -1, 210, 101), "left:0.00%;top:0.00%;right:0.00%;bottom:0.00%"),
    ],
)
def test_a_box_lies_in_percent_of_the_picture_and_never_beyond_it(box: Box, style: str) -> None:
    assert place(box, 200, 100) == style


def test_a_card_says_that_the_photo_was_turned_to_read_it() -> None:
    age = Age((1.0, *[0.0] * (len(RANGES) - 1)), 1.0, 0.0, 2.0)
    reading = Reading(Face(Box(0, 0, 9, 9), 0.9), age, Gender(0.9))
    assert "turned by 90°" in card(reading, b"", None, turned_degrees=90)
    assert "turned" not in card(reading, b"", None)
