"""Two looks find what one closer look finds, in the same places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agegender.detection.candidates import Candidates
from agegender.detection.coarse_to_fine import TILE_PX, CoarseToFineDetector, best, tiles_over
from agegender.detection.yunet import YuNet
from agegender.imaging.io import decode
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.types import Box, Face, Image

NAMES = ("background", "group-1", "group-4", "group-5", "person-linda", "person-vlado", "solvay1927")


@pytest.fixture(scope="module")
def yunet(mirror: Path) -> Path:
    assert mirror
    return store.fetch(load_manifest()["yunet"])["yunet_n_dynamic.onnx"]


@pytest.mark.parametrize("name", NAMES)
def test_two_looks_find_the_faces_of_a_closer_one(name: str, yunet: Path, photos: Path) -> None:
    image = decode(photos / f"{name}.jpg")
    expected, found = YuNet(yunet).detect(image), CoarseToFineDetector(YuNet(yunet)).detect(image)
    assert len(found) == len(expected)
    for face in expected:
        same = max(found, key=lambda other: other.box.iou(face.box))
        assert same.box.iou(face.box) > 0.6
        distances = np.linalg.norm(np.subtract(same.landmarks, face.landmarks), axis=1)
        assert distances.max() < 0.15 * face.box.height
    assert [face.score for face in found] == sorted((face.score for face in found), reverse=True)


class Spots(YuNet):
    """Finds grey squares, surer of them the larger they are; notes how many pictures of what width."""

    def __init__(self) -> None:
        self.name = "spots"
        self.overlap = 0.3
        self.looks: list[tuple[int, int]] = []

    def candidates(self, images: Sequence[Image], score: float) -> tuple[Candidates, NDArray[np.intp]]:
        self.looks.append((len(images), images[0].shape[1]))
        found = [(square, place) for place, image in enumerate(images) for square in squares(image)]
        sure = [(row, place) for row, place in found if row[0] >= score]
        return candidates([row for row, _ in sure]), np.array([p for _, p in sure], dtype=np.intp)


def candidates(rows: Sequence[Sequence[float]]) -> Candidates:
    """Return rows of score, box and landmarks as candidates."""
    table = np.array(rows, np.float64).reshape(-1, 15)
    return Candidates(table[:, 0], table[:, 1:5], table[:, 5:].reshape(-1, 5, 2))


def squares(image: Image) -> Iterator[list[float]]:
    """Yield a row for each square of up to 150 pixels, whose landmarks are all at its upper left corner."""
    for value in np.unique(image[image > 0]):
        rows, columns = np.nonzero(image[:, :, 0] == value)
        if len(rows) > 4:
            left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            side = max(right - left, bottom - top)
            if side <= 150:
                yield [min(0.9, side / 50), left, top, right, bottom, *(left, top) * 5]


def picture(*squares: tuple[int, int, int]) -> Image:
    image = np.zeros((960, 1280, 3), np.uint8)
    for grey, (left, top, side) in enumerate(squares, 1):
        image[top : top + side, left : left + side] = grey
    return image


def look(image: Image) -> tuple[list[tuple[int, int]], tuple[Face, ...]]:
    spots = Spots()
    return spots.looks, CoarseToFineDetector(spots).detect(image)


def test_where_there_is_no_doubt_one_look_is_enough() -> None:
    looks, (face,) = look(picture((200, 100, 160)))
    assert looks == [(1, 640)]
    assert face.box == Box(200, 100, 360, 260)


def test_doubts_are_looked_at_closely_all_at_once_and_told_in_pixels_of_the_picture() -> None:
    looks, faces = look(picture((200, 100, 160), (800, 600, 40), (0, 880, 40)))
    assert looks == [(1, 640), (2, TILE_PX)]
    assert [face.box for face in faces] == [
        Box(200, 100, 360, 260),
        Box(800, 600, 840, 640),
        Box(0, 880, 40, 920),
    ]
    assert faces[1].landmarks[0] == (800, 600)


def test_neighbours_in_doubt_share_a_tile() -> None:
    looks, _ = look(picture((600, 400, 14), (630, 410, 12), (660, 400, 12)))
    assert looks == [(1, 640), (2, TILE_PX)]


def test_what_a_tile_cuts_is_not_taken_for_a_face() -> None:
    _, faces = look(picture((400, 300, 40), (450, 200, 400)))
    assert [face.box for face in faces] == [Box(400, 300, 440, 340)]


def test_where_doubts_are_everywhere_all_of_it_is_looked_at() -> None:
    places = [(x, y) for x in range(40, 1240, 80) for y in range(40, 920, 80)]
    looks, faces = look(picture(*((x, y, 36) for x, y in places)))
    assert {(face.box.left, face.box.top) for face in faces} == set(places)
    assert looks == [(1, 640), (1, 1280)]


def test_where_tiles_would_take_longer_all_of_it_is_looked_at_smaller() -> None:
    class Doubtful(Spots):
        def candidates(self, images: Sequence[Image], score: float) -> tuple[Candidates, NDArray[np.intp]]:
            super().candidates(images, score)
            places = [(x, y) for x in range(10, 620, 40) for y in range(10, 460, 40)]
            rows = [(0.4, x, y, x + 18, y + 18, *(x, y) * 5) for x, y in places if score < 0.4]
            return candidates(rows), np.zeros(len(rows), np.intp)

    spots = Doubtful()
    CoarseToFineDetector(spots).detect(np.zeros((1440, 1920, 3), np.uint8))
    assert spots.looks == [(1, 640), (1, 1280)]


def test_a_small_picture_is_looked_at_once() -> None:
    looks, faces = look(np.ascontiguousarray(picture((20, 30, 40))[:200, :300]))
    assert looks == [(1, 300)]
    assert [face.box for face in faces] == [Box(20, 30, 60, 70)]


def test_a_picture_that_is_lower_than_a_tile_is_looked_at_in_all_its_height() -> None:
    looks, (face,) = look(np.ascontiguousarray(picture((600, 10, 40))[:60]))
    assert looks == [(1, 784), (1, TILE_PX)]
    assert face.box.iou(Box(600, 10, 640, 50)) > 0.95


SIDE = st.floats(0, 900)
BOXES = st.tuples(st.floats(-100, 1100), st.floats(-100, 800), SIDE, SIDE).map(
    lambda row: (row[0], row[1], row[0] + row[2], row[1] + row[3])
)


@given(st.lists(BOXES, min_size=1, max_size=12))
def test_tiles_lie_in_the_picture_and_hold_every_doubt(boxes: list[tuple[float, ...]]) -> None:
    tiles = tiles_over(np.array(boxes), 1000, 700).tolist()
    assert len(tiles) <= len(boxes)
    for left, top, right, bottom in tiles:
        assert 0 <= left < right <= 1000 and 0 <= top < bottom <= 700
        assert right - left >= TILE_PX and bottom - top >= TILE_PX
    for box in boxes:
        seen = Box(max(box[0], 0), max(box[1], 0), min(box[2], 1000), min(box[3], 700))
        assert any(Box(*tile).intersection(seen) == seen for tile in tiles) or seen.left > seen.right


def test_a_face_and_the_head_around_it_are_one() -> None:
    face, head, other = (190, 180, 216, 216), (174, 162, 240, 238), (220, 100, 310, 210)
    rows = [(score, *box, *box[:2] * 5) for score, box in ((0.74, head), (0.87, face), (0.9, other))]
    assert [one.box for one in best(candidates(rows))] == [Box(*other), Box(*face)]
