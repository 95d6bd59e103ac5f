"""Which way up: pictures are turned where that shows faces better, and told in their own pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.analyzer import Analyzer, analyze_file, build_analyzer
from agegender.detection.orientation import TURNS, roll_degrees, turned, turned_face, upright
from agegender.imaging.io import decode, encode_png
from agegender.types import Box, Face, Image

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module", params=["yunet", "bundled"])
def analyzer(request: pytest.FixtureRequest, mirror: Path) -> Analyzer:
    assert mirror
    return build_analyzer(request.param)


@pytest.mark.parametrize("degrees", TURNS)
@pytest.mark.parametrize("name", ["grace_hopper.jpg", "astronaut.png"])
def test_a_turned_picture_is_read_as_it_is_when_it_stands(
    analyzer: Analyzer, name: str, degrees: int
) -> None:
    image = decode(SAMPLES / name)
    (expected,) = analyzer(image).readings
    analysis = analyzer(turned(image, degrees))
    (found,) = analysis.readings
    assert analysis.turned_degrees == (360 - degrees) % 360
    height_px, width_px = image.shape[:2]
    there = turned_face(expected.face, degrees, width_px, height_px)
    assert found.face.box.iou(there.box) > 0.95
    np.testing.assert_allclose(found.face.landmarks, there.landmarks, atol=2)
    assert found.gender.label == expected.gender.label
    assert found.age.years == pytest.approx(expected.age.years, abs=1)
    assert found.warnings == expected.warnings


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_large_turned_file_is_told_in_its_own_pixels(analyzer: Analyzer, degrees: int) -> None:
    image = decode(SAMPLES / "grace_hopper.jpg")
    whole = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    large = turned(np.asarray(whole, np.uint8), degrees)
    _, analysis = analyze_file(encode_png(large), analyzer)
    (reading,) = analysis.readings
    assert (analysis.width_px, analysis.height_px) == large.shape[1::-1]
    box = Box(*(4 * side for side in (177.4, 123.4, 355.7, 335.7)))
    there = turned_face(Face(box, 1.0), degrees, *reversed(whole.shape[:2]))
    assert reading.face.box.iou(there.box) > 0.7


def test_the_scan_that_lay_on_its_side_is_read_upright(analyzer: Analyzer, cases: Path) -> None:
    _, analysis = analyze_file(cases / "sideways90.jpg", analyzer)
    (reading,) = analysis.readings
    assert analysis.turned_degrees == 90
    assert (analysis.width_px, analysis.height_px) == (512, 683)
    assert reading.gender.label == "Male"
    assert reading.age.years == pytest.approx(35.5, abs=3)


def test_who_lies_among_people_who_stand_is_read_by_the_own_turn(analyzer: Analyzer) -> None:
    """The detector finds her as she lies; her landmarks are those of the turned face."""
    image = decode(SAMPLES / "grace_hopper.jpg")[:512, :512]
    standing = analyzer(image)
    (expected,) = standing.readings
    both = np.hstack([image, turned(image, 180)])
    analysis = analyzer(both)
    assert analysis.turned_degrees == 0
    assert len(analysis.readings) >= 1
    for reading in analysis.readings:
        if reading.face.box.center[0] > 512 and "tilted" not in reading.warnings:
            assert abs(roll_degrees(reading.face)) > 135
            assert reading.gender.label == expected.gender.label
            assert reading.age.years == pytest.approx(expected.age.years, abs=6)


@pytest.mark.parametrize("name", ["group-1", "group-4", "solvay1927", "stock-group-1", "person-vlado"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_groups_are_found_as_when_they_stand(
    analyzer: Analyzer, photos: Path, name: str, degrees: int
) -> None:
    image = decode(photos / f"{name}.jpg")
    expected = analyzer.find(image)
    found = analyzer.find(turned(image, degrees))
    assert expected.turned_degrees == 0
    assert found.turned_degrees == 360 - degrees
    assert len(found.faces) == len(expected.faces)


class Saying:
    """Finds a face of one score in pictures by the colour of their first pixel, and counts its looks."""

    def __init__(self, scores: dict[int, float]) -> None:
        self.name = "saying"
        self.scores = scores
        self.looks = 0

    def detect(self, image: Image) -> tuple[Face, ...]:
        self.looks += 1
        score = self.scores.get(int(image[0, 0, 0]), 0.0)
        return (Face(Box(10, 10, 70, 70), score),) if score else ()


CORNERS = np.zeros((100, 100, 3), np.uint8)
CORNERS[:50, :50], CORNERS[50:, :50], CORNERS[50:, 50:], CORNERS[:50, 50:] = 10, 20, 30, 40
"""Its first pixel is 10 as it is, 20 turned clockwise by 90°, 30 by 180°, 40 by 270°."""


@pytest.mark.parametrize(
    ("scores", "degrees", "is_unsure", "looks"),
    [
        ({10: 0.95, 20: 0.99}, 0, False, 1),  # a sure face is not asked again
        ({10: 0.7, 20: 0.9}, 90, False, 6),
        ({10: 0.7, 20: 0.9, 30: 0.895}, 90, True, 6),
        ({10: 0.8, 20: 0.75, 30: 0.8}, 0, True, 5),  # as good as it is: it stays
        ({30: 0.9}, 180, False, 5),  # nobody as it is: that need not be looked at again
        ({10: 0.905, 20: 0.95, 30: 0.7}, 0, False, 3),  # nearly sure: it may only be upside down
    ],
)
def test_the_turn_that_shows_most_is_taken(
    scores: dict[int, float], degrees: int, is_unsure: bool, looks: int
) -> None:
    detector = Saying(scores)
    found = upright(CORNERS, detector, sure=0.91)
    assert found.turned_degrees == degrees
    assert bool(found.unsure) == is_unsure
    assert detector.looks == looks
    np.testing.assert_array_equal(found.image, turned(CORNERS, degrees))


def test_nobody_anywhere_leaves_the_picture_as_it_is() -> None:
    found = upright(CORNERS, Saying({}), sure=0.91)
    assert (found.faces, found.turned_degrees) == ((), 0)


points = st.tuples(st.floats(0, 300), st.floats(0, 200))


@given(st.lists(points, min_size=7, max_size=7), st.sampled_from(TURNS))
def test_turned_back_a_face_is_where_it_was(places: list[tuple[float, float]], degrees: int) -> None:
    (left, top), (right, bottom) = np.sort(np.array(places[:2]), axis=0).tolist()
    face = Face(Box(left, top, right, bottom), 0.8, tuple(places[2:]))
    wide, high = (200, 300) if degrees in (90, 270) else (300, 200)
    back = turned_face(turned_face(face, degrees, 300, 200), (360 - degrees) % 360, wide, high)
    np.testing.assert_allclose(back.landmarks, face.landmarks, atol=1e-9)
    one, other = [(box.left, box.top, box.right, box.bottom) for box in (back.box, face.box)]
    np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("degrees", TURNS)
def test_pixels_and_places_turn_alike(degrees: int) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    image[4:8, 10:16] = 255
    rows, columns = np.nonzero(turned(image, degrees)[:, :, 0])
    box = turned_face(Face(Box(10, 4, 16, 8), 1.0), degrees, 30, 20).box
    assert box == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_the_roll_is_that_of_the_landmarks() -> None:
    face = Face(Box(0, 0, 10, 10), 1.0, ((3, 3), (7, 3), (5, 5), (3, 8), (7, 8)))
    for degrees in TURNS:
        roll = roll_degrees(turned_face(face, degrees, 10, 10))
        assert (roll - degrees) % 360 == pytest.approx(0)
    assert roll_degrees(replace(face, landmarks=())) == 0
