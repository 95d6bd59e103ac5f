"""benchmarks/detectors.py: what counts as found, as invented and as off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agegender.types import Box, Face, Image
from benchmarks.detectors import compare, landmark_error, main, matched
from benchmarks.yardsticks import Haar

EYES = ((40.0, 40.0), (60.0, 40.0), (50.0, 52.0), (42.0, 62.0), (58.0, 62.0))
PICTURE = np.zeros((200, 200, 3), np.uint8)


def face(left: float, top: float, side: float, landmarks: tuple[tuple[float, float], ...] = ()) -> Face:
    return Face(Box(left, top, left + side, top + side), 0.9, landmarks)


class Saying:
    """A detector that says the same of every picture."""

    def __init__(self, name: str, *faces: Face) -> None:
        self.name = name
        self.faces = faces

    def detect(self, _image: Image) -> tuple[Face, ...]:
        return self.faces


def test_each_true_face_is_found_once_by_what_overlaps_it_most() -> None:
    truth = [face(0, 0, 40), face(100, 100, 40)]
    found = [face(10, 0, 40), face(2, 0, 40), face(100, 104, 40), face(60, 60, 40)]
    assert matched(found, truth) == {1: 0, 2: 1}
    assert matched([], truth) == matched(found, []) == {}


def test_landmarks_are_off_in_parts_of_the_distance_between_the_eyes() -> None:
    moved = tuple((x + 3, y + 4) for x, y in EYES)
    assert landmark_error(face(30, 30, 40, moved), face(30, 30, 40, EYES)) == pytest.approx(5 / 20)


def test_small_faces_need_not_be_found_and_what_is_not_there_is_invented() -> None:
    truth = Saying("true", face(30, 30, 40, EYES), face(100, 100, 40, EYES), face(5, 5, 20, EYES))
    found = Saying("found", face(30, 30, 40, EYES), face(150, 20, 40, EYES))
    small = Saying("small", face(5, 5, 20))
    true, other, third = compare("set", [PICTURE, PICTURE], truth, [found, small], 32.0)
    assert (true.faces, true.recall, true.invented_a_picture, true.landmark_error) == (4, 1.0, 0.0, 0.0)
    assert (other.recall, other.invented_a_picture, other.landmark_error) == (0.5, 1.0, 0.0)
    assert (third.recall, third.invented_a_picture, third.landmark_error) == (0.0, 0.0, None)


def test_haar_finds_the_sample_where_yunet_does() -> None:
    from agegender.imaging.io import decode

    sample = Path(__file__).parents[2] / "samples" / "grace_hopper.jpg"
    (found,) = Haar().detect(decode(sample))
    assert found.box.iou(Box(177.4, 123.4, 355.7, 335.7)) > 0.6


@pytest.mark.usefixtures("mirror")
def test_the_command_prints_a_row_for_each_detector_and_set(capsys: pytest.CaptureFixture[str]) -> None:
    samples = Path(__file__).parents[2] / "samples"
    main([str(samples), str(samples), "--limit", "1", "--json"])
    rows = json.loads(capsys.readouterr().out)
    names = ["yunet_n_dynamic", "faces", "haar", "ssd", "yunet_n_dynamic, larger"]
    assert [row["detector"] for row in rows] == names * 3
    assert all(row["count"] == row["faces"] == 1 for row in rows)
    assert all(row["recall"] == 1 for row in rows if row["detector"] == "faces")
