"""Long pictures: every face that its own square part shows is found in the whole, once."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.analyzer import Analyzer, analyze_file, build_analyzer
from agegender.detection.long_pictures import detect_any_shape, squares
from agegender.imaging.io import decode
from agegender.types import Box, Face, Image

SAMPLE = Path(__file__).parents[2] / "samples" / "grace_hopper.jpg"
FACE = Box(177.4, 123.4, 355.7, 335.7)  # where YuNet sees it


@pytest.fixture(scope="module", params=["yunet", "bundled"])
def analyzer(request: pytest.FixtureRequest, mirror: Path) -> Analyzer:
    assert mirror
    return build_analyzer(request.param)


def long_picture(width_px: int, height_px: int, faces: dict[tuple[int, int], int]) -> Image:
    """Return a grey picture with the sample's head at places, its face as high as asked."""
    picture = np.full((height_px, width_px, 3), 236, np.uint8)
    head = decode(SAMPLE)[20:420, 60:460]
    for (x, y), face_px in faces.items():
        side = round(len(head) * face_px / FACE.height)
        picture[y : y + side, x : x + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    return picture


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_tall_screenshot_shows_all_its_faces(analyzer: Analyzer, format: str) -> None:
    """A JPEG of that size is decoded smaller where that loses nothing."""
    places = {(100, 200): 60, (700, 2300): 60, (50, 4123): 90, (400, 6600): 60, (800, 7800): 60}
    file = BytesIO()
    PIL.Image.fromarray(long_picture(1080, 8000, places)).save(file, format, quality=92)
    _, analysis = analyze_file(file.getvalue(), analyzer)
    assert (analysis.width_px, analysis.height_px) == (1080, 8000)
    assert len(analysis.readings) == len(places)
    found = sorted(reading.face.box.center[1] for reading in analysis.readings)
    assert found == pytest.approx([y + face_px for (_, y), face_px in places.items()], abs=25)


def test_the_screenshot_that_was_read_empty_has_five_faces(analyzer: Analyzer, cases: Path) -> None:
    _, analysis = analyze_file(cases / "tall_8000.jpg", analyzer)
    assert len(analysis.readings) == 5
    assert {reading.gender.label for reading in analysis.readings} == {"Male"}


@pytest.mark.parametrize("face_px", [24, 40])
def test_what_a_square_part_shows_the_whole_panorama_shows(analyzer: Analyzer, face_px: int) -> None:
    places = {(x, 100 + x % 300): face_px for x in range(150, 4400, 700)}
    image = long_picture(4500, 600, places)
    found = analyzer.find(image).faces
    for x, y in places:
        left = min(max(0, x - 280), 4500 - 600)
        part = analyzer.detector.detect(image[:, left : left + 600])
        near = [face for face in part if abs(face.box.center[0] + left - x - face_px) < 1.5 * face_px]
        for face in near:
            assert any(one.box.iou(face.moved(1, 1, left).box) > 0.4 for one in found), (x, y)
    assert near
    assert len(found) == len(places)


def test_a_face_as_large_as_the_short_side_is_one_face(analyzer: Analyzer) -> None:
    image = long_picture(3000, 420, {(1111, 10): 200})
    assert len(analyzer.find(image).faces) == 1


@given(st.integers(20, 3000), st.integers(20, 3000), st.data())
def test_whatever_is_half_a_square_long_lies_wholly_in_one(
    width: int, height: int, data: st.DataObject
) -> None:
    side, length = sorted((width, height))
    start = data.draw(st.integers(0, length - side // 2))
    parts = squares(width, height)
    assert all(left + side <= width and top + side <= height for left, top, side in parts)
    assert any(
        at <= start and start + side // 2 <= at + side for at in (left + top for left, top, _ in parts)
    )


def test_an_ordinary_picture_is_looked_at_once() -> None:
    class Counting:
        name = "counting"
        looks = 0

        def detect(self, _image: Image) -> tuple[Face, ...]:
            self.looks += 1
            return ()

    for shape, looks in (((1080, 1920), 1), ((300, 630), 1), ((2340, 1080), 5)):
        detector = Counting()
        detect_any_shape(np.zeros((*shape, 3), np.uint8), detector)
        assert detector.looks == looks, shape
