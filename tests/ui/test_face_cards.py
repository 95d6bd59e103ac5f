"""Boxes to point at: where they lie, as a browser reads it."""

from __future__ import annotations

import pytest

from agegender.types import Box
from agegender.ui.face_cards import place


@pytest.mark.parametrize(
    ("box", "style"),
    [
        (Box(10, 20, 30, 80), "left:5.00%;top:20.00%;right:85.00%;bottom:20.00%"),
        (Box(-10, -1, 210, 101), "left:0.00%;top:0.00%;right:0.00%;bottom:0.00%"),
    ],
)
def test_a_box_lies_in_percent_of_the_picture_and_never_beyond_it(box: Box, style: str) -> None:
    assert place(box, 200, 100) == style
