"""training/occlusions.py and training/robustness.py: things are drawn where the landmarks say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agegender.estimation.alignment import TEMPLATE
from agegender.evaluation.datasets import Sample
from agegender.evaluation.run import Result
from agegender.types import Age, Box, Face, Gender, Image, Reading
from training import occlusions, robustness

SIDE_PX = 120
MARKS = np.array(TEMPLATE) * 60 + 30  # a face in the middle of the picture
FACE = Face(Box(30, 30, 90, 90), 0.9, tuple(map(tuple, MARKS.tolist())))
EYES, MOUTH = MARKS[:2].astype(int), MARKS[3:].astype(int)


@pytest.fixture
def picture() -> Image:
    return np.random.default_rng(0).integers(90, 160, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


def changed(before: Image, after: Image, points: np.ndarray) -> bool:
    """Return whether all points have changed, False if none has; fails if only some have."""
    found = {
        bool((before[y - 1 : y + 2, x - 1 : x + 2] != after[y - 1 : y + 2, x - 1 : x + 2]).any())
        for x, y in points
    }
    (same,) = found
    return same


def drawn(way: Callable[..., Image], picture: Image) -> Image:
    return way(picture, occlusions.frame_of(MARKS), np.random.default_rng(3))


@pytest.mark.parametrize(
    ("after", "eyes", "mouth"),
    [
        (lambda picture: robustness.mask(picture, FACE), False, True),
        (lambda picture: robustness.sunglasses(picture, FACE), True, False),
        (lambda picture: drawn(occlusions.mask, picture), False, True),
        (lambda picture: drawn(occlusions.sunglasses, picture), True, False),
        (lambda picture: drawn(occlusions.shut_eyes, picture), True, False),
        (lambda picture: drawn(occlusions.hat, picture), False, False),
    ],
    ids=["mask", "sunglasses", "mask of training", "sunglasses of training", "shut eyes", "hat"],
)
def test_it_is_drawn_where_it_is_worn(
    picture: Image, after: Callable[[Image], Image], eyes: bool, mouth: bool
) -> None:
    before, found = picture.copy(), after(picture)
    assert (found != before).any()
    assert (picture == before).all()  # the input picture is not modified
    assert changed(before, found, EYES) == eyes
    assert changed(before, found, MOUTH) == mouth


@pytest.mark.parametrize("way", occlusions.WAYS, ids=lambda way: way.__name__)
def test_each_of_them_takes_faces_that_are_turned_mirrored_or_leave_the_crop(
    way: Callable[..., Image], picture: Image
) -> None:
    for marks in (SIDE_PX - MARKS, MARKS + 70, MARKS[:, ::-1], MARKS * 3 - 120):
        found = way(picture, occlusions.frame_of(marks), np.random.default_rng(1))
        assert found.shape == picture.shape and found.dtype == np.uint8


def test_the_frame_lays_the_template_on_the_landmarks() -> None:
    turned = np.array(TEMPLATE) @ ((40, -9), (12, 50)) + (7, 3)
    np.testing.assert_allclose(occlusions.placed(occlusions.frame_of(turned), TEMPLATE), turned, atol=1e-9)


def result(years: float, female: float) -> Result:
    age = Age((0, 0, 0, 0, 1, 0, 0, 0), years, years - 5, years + 5)
    return Result(Sample("1.jpg", (30, 30), "Female"), Reading(FACE, age, Gender(female)))


def test_consistency_by_hand() -> None:
    plain = [result(30, 0.95), result(40, 0.7), result(50, 0.05), Result(Sample("2.jpg", None, None))]
    copies = [result(31, 0.4), result(37, 0.2), result(50.5, 0.3), result(3, 0.9)]
    found = robustness.consistency(plain, copies)
    assert found["years_apart"]["value"] == 1
    assert (found["gender_flips"]["value"], found["gender_flips"]["count"]) == (0.5, 2)
