"""From faces to crops: geometry against least squares, pixels against plain slices."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.estimation import alignment
from agegender.estimation.alignment import align, face_matrix, similarity
from agegender.imaging.geometry import margin_crop
from agegender.imaging.io import decode
from agegender.types import Box, Face, Image

TEMPLATE = np.array(alignment.TEMPLATE)
SAMPLES = Path(__file__).parents[2] / "samples"
coordinates = st.tuples(*[st.floats(-2000, 2000)] * 2)


def least_squares(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The same matrix from numpy's general solver: x' = a x − b y + c, y' = b x + a y + d."""
    rows = [row for x, y in source for row in ((x, -y, 1, 0), (y, x, 0, 1))]
    a, b, c, d = np.linalg.lstsq(np.array(rows), target.ravel(), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


@pytest.fixture(scope="module")
def portrait() -> Image:
    return decode(SAMPLES / "grace_hopper.jpg")


def face_at(landmarks: np.ndarray) -> Face:
    return Face(Box(0, 0, 1, 1), 0.9, tuple((float(x), float(y)) for x, y in landmarks))


@given(st.lists(coordinates, min_size=5, max_size=5))
def test_similarity_is_the_least_squares_one(points: list[tuple[float, float]]) -> None:
    source = np.array(points)
    if np.ptp(source, axis=0).max() < 1:
        source[0] += 50
    expected = least_squares(source, TEMPLATE)
    spots = np.column_stack([source, np.ones(5)])
    np.testing.assert_allclose(
        spots @ similarity([*map(tuple, source)], [*map(tuple, TEMPLATE)]).T, spots @ expected.T, atol=1e-6
    )


@given(
    scale=st.floats(0.01, 100), angle=st.floats(-np.pi, np.pi), x=st.floats(-999, 999), y=st.floats(-999, 999)
)
def test_landmarks_laid_out_by_any_similarity_come_back_to_the_template(
    scale: float, angle: float, x: float, y: float
) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = scale * TEMPLATE @ turn.T + (x, y)
    matrix = face_matrix(face_at(landmarks))
    np.testing.assert_allclose(landmarks @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-6)


def test_a_face_that_lies_as_the_template_does_is_cut_out_pixel_by_pixel(portrait: Image) -> None:
    side, left, top = 112, 200, 150
    crop = align(portrait, face_at(TEMPLATE * side + (left, top)), side)
    np.testing.assert_array_equal(crop, portrait[top : top + side, left : left + side])


def test_a_margin_shows_more_around_the_same_face(portrait: Image) -> None:
    side, left, top = 100, 200, 150
    crop = align(portrait, face_at(TEMPLATE * side + (left, top)), 150, margin=0.25)
    np.testing.assert_array_equal(crop, portrait[top - 25 : top + 125, left - 25 : left + 125])


def test_a_face_lying_on_its_side_is_turned_upright(portrait: Image) -> None:
    landmarks = TEMPLATE * 112 + (200, 150)
    upright = align(portrait, face_at(landmarks), 112)
    x, y = landmarks.T
    lying = np.ascontiguousarray(np.rot90(portrait, -1))  # clockwise: (x, y) → (height − y, x)
    np.testing.assert_array_equal(
        align(lying, face_at(np.column_stack([portrait.shape[0] - y, x])), 112), upright
    )


def test_a_face_leaving_the_picture_repeats_its_border(portrait: Image) -> None:
    side, pad = 112, 60
    crop = align(portrait, face_at(TEMPLATE * side + (-pad, -pad)), side)
    padded = cv2.copyMakeBorder(portrait, pad, 0, pad, 0, cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(crop, padded[:side, :side])


def test_a_large_face_is_averaged_down_not_sampled() -> None:
    lines = np.zeros((800, 800, 3), np.uint8)
    lines[::2] = 255
    crop = align(lines, face_at(TEMPLATE * 800), 100)
    assert np.abs(crop[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_a_box_alone_is_centred_and_as_large_as_the_template_says(portrait: Image) -> None:
    small, large = (
        face_matrix(Face(Box(100, 50, 100 + 100 * times, 50 + 100 * times), 0.9)) for times in (1, 2)
    )
    for matrix, middle in ((small, (150, 100)), (large, (200, 150))):
        np.testing.assert_allclose(matrix[:, :2] @ middle + matrix[:, 2], (0.5, 0.435))
    assert small[0, 0] == pytest.approx(2 * large[0, 0])
    assert align(portrait, Face(Box(5, 5, 5, 5), 0.9), 112).shape == (112, 112, 3)  # even of zero size


def test_margin_crop_is_the_square_around_the_box(portrait: Image) -> None:
    crop = margin_crop(portrait, Box(200, 150, 300, 230), 0.4, 180)  # the longer side is 100 px
    np.testing.assert_array_equal(crop, portrait[100:280, 160:340])
    corner = margin_crop(portrait, Box(0, 0, 100, 100), 0.4, 180)
    padded = cv2.copyMakeBorder(portrait, 40, 0, 40, 0, cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(corner, padded[:180, :180])


@pytest.mark.parametrize("box", [Box(-900, -900, -800, -800), Box(5000, 5000, 5100, 5100)])
def test_a_face_wholly_outside_gives_a_crop_of_the_border(portrait: Image, box: Box) -> None:
    corner = portrait[0, 0] if box.left < 0 else portrait[-1, -1]
    assert (margin_crop(portrait, box, 0.4, 64) == corner).all()
