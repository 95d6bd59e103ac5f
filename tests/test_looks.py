"""Two looks find what one closer look finds, in the same places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender import images, models
from agegender.detectors import YuNet
from agegender.looks import TwoLooks, around, around_both, best, joined
from agegender.types import Box, Face, Image

NAMES = ("background", "group-1", "group-4", "group-5", "person-linda", "person-vlado", "solvay1927")


@pytest.fixture(scope="module")
def yunet(mirror: Path) -> Path:
    assert mirror
    return models.fetch(models.load_manifest()["yunet"])["yunet_n_dynamic.onnx"]


@pytest.mark.parametrize("name", NAMES)
def test_two_looks_find_the_faces_of_a_closer_one(name: str, yunet: Path, photos: Path) -> None:
    image = images.decode(photos / f"{name}.jpg")
    expected, found = YuNet(yunet).detect(image), TwoLooks(YuNet(yunet)).detect(image)
    assert len(found) == len(expected)
    for face in expected:
        same = max(found, key=lambda other: other.box.iou(face.box))
        assert same.box.iou(face.box) > 0.6
        distances = np.linalg.norm(np.subtract(same.landmarks, face.landmarks), axis=1)
        assert distances.max() < 0.15 * face.box.height
    assert [face.score for face in found] == sorted((face.score for face in found), reverse=True)


class Spots:
    """Finds grey squares, surer of them the larger they are; notes how wide the pictures are."""

    name = "spots"

    def __init__(self) -> None:
        self.widths: list[int] = []

    def detect(self, image: Image, score: float) -> tuple[Face, ...]:
        self.widths.append(image.shape[1])
        faces = []
        for value in np.unique(image[image > 0]):
            rows, columns = np.nonzero(image[:, :, 0] == value)
            if len(rows) > 4:
                box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                sure = min(0.9, box.width / 50)
                faces += [Face(box, sure, ((box.left, box.top),) * 5)] if sure >= score else []
        return tuple(faces)


def picture(*squares: tuple[int, int, int]) -> Image:
    image = np.zeros((960, 1280, 3), np.uint8)
    for number, (left, top, side) in enumerate(squares, 1):
        image[top : top + side, left : left + side] = 50 * number
    return image


def look(image: Image) -> tuple[list[int], tuple[Face, ...]]:
    spots = Spots()
    return spots.widths, TwoLooks(spots).detect(image)  # type: ignore[arg-type]  # all of it that is used


def test_where_there_is_no_doubt_one_look_is_enough() -> None:
    widths, (face,) = look(picture((200, 100, 160)))
    assert widths == [640]
    assert face.box == Box(200, 100, 360, 260)


def test_a_doubt_is_looked_at_closely_and_told_in_pixels_of_the_picture() -> None:
    widths, faces = look(picture((200, 100, 160), (800, 600, 40)))
    assert len(widths) == 2
    assert widths[1] < 200
    assert [face.box for face in faces] == [Box(200, 100, 360, 260), Box(800, 600, 840, 640)]
    assert faces[1].landmarks[0] == (800, 600)


def test_where_doubts_are_everywhere_all_of_it_is_looked_at() -> None:
    image = np.zeros((960, 1280, 3), np.uint8)
    places = [(x, y) for x in range(40, 1240, 120) for y in range(40, 920, 120)]
    for number, (left, top) in enumerate(places, 1):
        image[top : top + 48, left : left + 48] = 3 * number
    widths, faces = look(image)
    assert {(face.box.left, face.box.top) for face in faces} == set(places)
    assert len(faces) == len(places)
    assert widths[0] == 640
    assert len(widths) == 2


def test_where_parts_would_take_longer_all_of_it_is_looked_at_smaller() -> None:
    widths: list[int] = []

    class Doubtful:
        name = "doubtful"

        def detect(self, image: Image, _score: float) -> tuple[Face, ...]:
            widths.append(image.shape[1])
            places = [(x, y) for x in range(10, 620, 40) for y in range(10, 460, 40)]
            return tuple(Face(Box(x, y, x + 20, y + 20), 0.4) for x, y in places) if len(widths) == 1 else ()

    TwoLooks(Doubtful()).detect(np.zeros((1440, 1920, 3), np.uint8))  # type: ignore[arg-type]  # as above
    assert widths == [640, 1280]


def test_a_small_picture_is_looked_at_once() -> None:
    widths, faces = look(np.ascontiguousarray(picture((20, 30, 40))[:200, :300]))
    assert widths == [300]
    assert [face.box for face in faces] == [Box(20, 30, 60, 70)]


BOXES = st.builds(
    lambda x, y, side: around(Box(x, y, x + side, y + side), 1000, 700, 48),
    *(st.floats(-100, 1100), st.floats(-100, 800), st.floats(0, 400)),
)


@given(st.lists(BOXES, max_size=12))
def test_parts_cover_every_doubt_and_are_cheaper_apart(boxes: list[Box]) -> None:
    parts = joined(boxes)
    for box in boxes:
        assert box.area > 0
        assert any(part.intersection(box) == box for part in parts)
    for i, part in enumerate(parts):
        assert Box(0, 0, 1000, 700).intersection(part) == part
        assert all(around_both(part, other).area > part.area + other.area for other in parts[:i])
    assert sum(part.area for part in parts) <= sum(box.area for box in boxes)


def test_a_face_and_the_head_around_it_are_one() -> None:
    face, head = Box(190, 180, 216, 216), Box(174, 162, 240, 238)
    kept = best([Face(head, 0.74), Face(face, 0.87), Face(Box(220, 100, 310, 210), 0.9)])
    assert [one.box for one in kept] == [Box(220, 100, 310, 210), face]
