"""training/detector/placing.py: faces are where the labels say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.detector.material import CHIP_PX, SIDE_PX, Chip
from training.detector.placing import Scene, moved, placement, reached

FACE = np.array([[50, 45, 110, 125, 65, 70, 95, 70, 80, 90, 68, 105, 92, 105]], np.float32)
WHOLE = np.ones((CHIP_PX, CHIP_PX), np.float32)


def dotted() -> Chip:
    """A black chip with a white dot at each landmark."""
    image = np.zeros((CHIP_PX, CHIP_PX, 3), np.uint8)
    for x, y in FACE[0, 4:].reshape(5, 2).astype(int):
        cv2.circle(image, (x, y), 4, (255, 255, 255), -1)
    return Chip(image, FACE)


def put(matrix: np.ndarray, chip: Chip | None = None) -> Scene:
    scene = Scene(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8))
    scene.put(chip or dotted(), matrix, WHOLE)
    return scene


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 2.0))
def test_landmarks_lie_where_the_picture_shows_them(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    scene = put(placement((80.0, 85.0), (160.0, 160.0), scale, rng))
    (face,) = scene.faces
    for x, y in face[4:].reshape(5, 2):
        reach = max(3, round(6 * scale))
        around = scene.image[
            round(y) - reach : round(y) + reach + 1, round(x) - reach : round(x) + reach + 1, 0
        ]
        rows, columns = np.mgrid[: around.shape[0], : around.shape[1]]
        weights = around / around.sum()
        assert abs((weights * columns).sum() - reach - (x - round(x))) < 0.75
        assert abs((weights * rows).sum() - reach - (y - round(y))) < 0.75


@given(st.integers(0, 2**32 - 1))
def test_right_and_left_are_the_persons_own_in_a_mirror_image_as_well(seed: int) -> None:
    matrix = placement((80.0, 85.0), (160.0, 160.0), 1.0, np.random.default_rng(seed))
    face = moved(FACE, matrix)[0, 4:].reshape(5, 2)
    eyes, mouth = face[1] - face[0], face[[3, 4]].mean(axis=0) - face[[0, 1]].mean(axis=0)
    assert (
        eyes[0] * mouth[1] - eyes[1] * mouth[0] > 0
    )  # the mouth lies below, seen from right eye to left eye


def test_a_turned_face_has_the_box_of_the_turned_ellipse() -> None:
    quarter = np.array([[0.0, -1.0, 200.0], [1.0, 0.0, 0.0]])
    (box,) = moved(FACE, quarter)[:, :4]
    assert box == pytest.approx([200 - 125, 50, 200 - 45, 110])


def test_a_face_that_another_one_covers_is_no_longer_to_be_found() -> None:
    scene = put(np.array([[1.0, 0, 40], [0, 1.0, 40]]))
    scene.put(dotted(), np.array([[1.0, 0, 60], [0, 1.0, 50]]), WHOLE)
    assert len(scene.faces) == 1
    assert scene.faces[0][:2] == pytest.approx([110, 95])


def test_a_face_mostly_outside_is_not_judged() -> None:
    scene = put(np.array([[1.0, 0, -80], [0, 1.0, 40]]))
    assert scene.faces == []
    assert len(scene.unjudged) == 1
    assert scene.unjudged[0] == pytest.approx([0, 85, 30, 165])


def test_tiny_faces_are_not_judged() -> None:
    scene = put(np.array([[0.1, 0, 40], [0, 0.1, 40]]))
    assert (len(scene.faces), len(scene.unjudged)) == (0, 1)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 3), st.floats(-50, 370), st.floats(-50, 370))
def test_nothing_outside_the_reach_changes(seed: int, scale: float, x: float, y: float) -> None:
    matrix = placement((80.0, 80.0), (x, y), scale, np.random.default_rng(seed))
    white = Chip(np.full((CHIP_PX, CHIP_PX, 3), 255, np.uint8), FACE)
    expected = cv2.warpAffine(WHOLE, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_NEAREST)
    left, top, right, bottom = reached(matrix)
    outside = np.ones((SIDE_PX, SIDE_PX), bool)
    outside[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = False
    assert not expected[outside].any()
    assert not put(matrix, white).image[outside].any()
