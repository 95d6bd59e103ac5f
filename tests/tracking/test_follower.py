"""Following a whole clip: one number per person, stable labels, and no more work than needed."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, GUEST_S, PORTRAITS, clip, face_on

from agegender.analyzer import Analyzer, build_analyzer
from agegender.drawing.view_options import ViewOptions
from agegender.tracking.follower import FULL_EVERY_S, LONG_SIDE_PX, VIEW_EVERY_S, Follower, is_cut, thumbnail
from agegender.tracking.fusion import SETTLE_S
from agegender.types import Age, Box, Estimate, Face, Gender, Image


class Scripted:
    """A scripted detector and estimator that records its calls."""

    name = "scripted"

    def __init__(self, faces: Sequence[Face] = (), seconds_a_face: float = 0.0) -> None:
        self.faces = tuple(faces)  # in units of the picture's width
        self.seconds_a_face = seconds_a_face
        self.widths: list[int] = []
        self.batches: list[int] = []

    def detect(self, image: Image) -> tuple[Face, ...]:
        self.widths.append(image.shape[1])
        return tuple(
            Face(
                Box(*(side * image.shape[1] for side in (box.left, box.top, box.right, box.bottom))),
                face.score,
            )
            for face in self.faces
            for box in (face.box,)
        )

    def estimate(self, _image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        self.batches.append(len(faces))
        time.sleep(self.seconds_a_face * len(faces))
        return tuple((Age((0, 0, 0, 0, 1, 0, 0, 0), 28, 25, 32), Gender(0.9)) for _ in faces)


def follower_of(scripted: Scripted, budget_s: float = float("inf")) -> Follower:
    return Follower(Analyzer(scripted, scripted), budget_s)


def part(left: float, top: float, side: float, score: float = 0.9) -> Face:
    return Face(Box(left, top, left + side, top + side), score)


BLANK = np.zeros((480, 640, 3), np.uint8)


@pytest.fixture(scope="module")
def analyzer(mirror: Path) -> Analyzer:
    assert mirror.is_dir()  # otherwise the detector would have to be downloaded
    return build_analyzer("yunet")


@pytest.fixture(scope="module")
def bundled() -> Analyzer:
    return build_analyzer("bundled")


def test_in_a_clip_with_known_truth_nobody_is_mistaken_and_labels_hold_still(analyzer: Analyzer) -> None:
    follower, seen = Follower(analyzer), defaultdict(list)
    alone = 0
    for frame in clip():
        tracks = [track for track in follower.follow(frame.image, frame.time_s) if track.missed == 0]
        alone += len(tracks) == 1
        for name, box in frame.truth.items():
            track = max(tracks, key=lambda track: track.box.iou(box))
            assert track.box.iou(box) > 0.6, f"{name} is lost at {frame.time_s:.1f} s"
            assert track.shown is not None
            seen[name].append((track.seconds, track.number, track.shown.age.range, track.shown.gender.label))
    assert {name: {number for _, number, _, _ in views} for name, views in seen.items()} == {
        "Collins": {1},
        "Hopper": {2},
    }
    assert alone > FPS * (14 - (GUEST_S[1] - GUEST_S[0]) - 1)  # nobody is seen who is not there
    for views in seen.values():
        settled = [(label, gender) for seconds, _, label, gender in views if seconds > SETTLE_S]
        changes = sum(one != other for one, other in pairwise(settled))
        assert len(settled) > 2 * FPS
        assert changes == 0


@pytest.mark.parametrize("name", ["analyzer", "bundled"])
def test_faces_are_found_in_frames_of_any_size(name: str, request: pytest.FixtureRequest) -> None:
    follower = Follower(request.getfixturevalue(name))
    for i, (width, height) in enumerate([(640, 480), (320, 240), (1280, 960), (641, 481), (640, 480)]):
        (track,) = follower.follow(face_on(width, height, width // 5), i / 10)
        assert track.number == 1, "the same aspect: the camera only changed its mind about the size"
        assert track.box.iou(Box(0.4 * width, 0, 0.6 * width, height)) > 0.2
    (turned,) = follower.follow(face_on(480, 640, 100), 0.6)
    assert turned.number == 2


def test_a_cut_to_another_face_in_the_same_place_is_somebody_new(analyzer: Analyzer) -> None:
    follower = Follower(analyzer)
    (collins,) = follower.follow(face_on(640, 480, 150), 0.0)
    (again,) = follower.follow(face_on(640, 480, 150), 0.1)
    (hopper,) = follower.follow(face_on(640, 480, 150, "Hopper"), 0.2)
    assert collins.number == again.number
    assert hopper.number != again.number
    assert hopper.box.iou(again.box) > 0.5, "or this test says nothing about cuts"


def test_no_frame_of_a_moving_camera_in_changing_light_is_a_cut() -> None:
    thumbnails = [thumbnail(frame.image) for frame in clip()]
    assert not any(is_cut(one, other) for one, other in pairwise(thumbnails[::3]))  # even at 5 per second


def test_cuts() -> None:
    collins, hopper = (thumbnail(PORTRAITS[name]) for name in ("Collins", "Hopper"))
    assert is_cut(collins, hopper)
    assert not is_cut(collins, collins * 0.4)  # the light goes out
    assert not is_cut(collins, np.roll(collins, 8, axis=1))  # the camera turns
    flat = np.full_like(collins, 80)
    assert not is_cut(flat, flat)
    assert thumbnail(np.zeros((1, 1, 3), np.uint8)).shape == (24, 32, 3)


def test_a_large_face_is_followed_at_half_the_size_and_the_whole_looked_through_regularly() -> None:
    scripted = Scripted([part(0.4, 0.2, 0.2)])
    follower = follower_of(scripted)
    for i in range(31):
        follower.follow(BLANK, i / 30)
    assert scripted.widths.count(LONG_SIDE_PX // 2) >= 25
    assert scripted.widths.count(LONG_SIDE_PX) >= 1 / FULL_EVERY_S - 1
    assert set(scripted.widths) == {LONG_SIDE_PX, LONG_SIDE_PX // 2}


@pytest.mark.parametrize("faces", [[], [part(0.4, 0.2, 0.05)]], ids=["nobody", "a small face"])
def test_small_faces_are_looked_for_at_full_size(faces: list[Face]) -> None:
    scripted = Scripted(faces)
    follower = follower_of(scripted)
    for i in range(10):
        follower.follow(BLANK, i / 30)
    assert set(scripted.widths) == {LONG_SIDE_PX}


def test_a_lost_face_is_looked_for_at_full_size_at_once() -> None:
    scripted = Scripted([part(0.4, 0.2, 0.2)])
    follower = follower_of(scripted)
    follower.follow(BLANK, 0.0)
    scripted.faces = ()
    follower.follow(BLANK, 0.03)
    follower.follow(BLANK, 0.06)
    assert scripted.widths == [640, 320, 640]


def test_estimation_comes_at_once_often_at_first_and_seldom_later() -> None:
    scripted = Scripted([part(0.4, 0.2, 0.2)])
    follower = follower_of(scripted)
    counts = []
    for i in range(90):
        follower.follow(BLANK, i / 30)
        counts.append(len(scripted.batches))
    assert counts[0] == 1
    assert 8 <= counts[30] <= 11
    assert counts[89] - counts[35] <= 2 / VIEW_EVERY_S


def test_a_better_view_is_estimated_ahead_of_time() -> None:
    scripted = Scripted([part(0.4, 0.2, 0.08)])
    follower = follower_of(scripted)
    for i in range(60):
        follower.follow(BLANK, i / 30)
    before = len(scripted.batches)
    scripted.faces = (part(0.39, 0.19, 0.115),)  # it comes closer
    follower.follow(BLANK, 60 / 30 + 0.15)
    assert len(scripted.batches) == before + 1


def test_a_crowd_and_a_slow_estimator_share_the_budget_and_everybody_gets_a_turn() -> None:
    crowd = [part(0.02 + 0.16 * (i % 6), 0.02 + 0.14 * (i // 6), 0.1) for i in range(30)]
    scripted = Scripted(crowd, seconds_a_face=0.002)
    follower = follower_of(scripted, budget_s=0.01)
    for i in range(20):
        tracks = follower.follow(BLANK, i / 30)
    assert len(tracks) == 30
    assert all(track.shown is not None for track in tracks)
    assert max(scripted.batches[1:]) <= 6


def test_everybody_due_is_estimated_where_time_does_not_matter() -> None:
    scripted = Scripted([part(0.1 + 0.3 * i, 0.1, 0.2) for i in range(3)], seconds_a_face=0.001)
    follower = follower_of(scripted)
    follower.follow(BLANK, 0.0)
    follower.follow(BLANK, 1.0)
    assert scripted.batches == [3, 3]


def test_faces_below_the_threshold_are_left_out() -> None:
    scripted = Scripted([part(0.1, 0.1, 0.2, 0.72), part(0.6, 0.1, 0.2, 0.95)])
    assert len(follower_of(scripted).follow(BLANK, 0.0, ViewOptions(score=0.8))) == 1
    assert len(follower_of(scripted).follow(BLANK, 0.0)) == 2


def test_faces_smaller_than_asked_for_are_left_out() -> None:
    scripted = Scripted([part(0.1, 0.1, 0.2), part(0.6, 0.1, 0.4)])
    heights = [track.box.height for track in follower_of(scripted).follow(BLANK, 0.0)]
    least_px = round(max(heights)) - 1
    assert len(follower_of(scripted).follow(BLANK, 0.0, ViewOptions(smallest_px=least_px))) == 1


def test_faces_come_back_in_the_pixels_of_the_frame() -> None:
    follower = follower_of(Scripted([part(0.5, 0.25, 0.25)]))
    for i in range(3):  # at full size, then at half
        (track,) = follower.follow(np.zeros((720, 1280, 3), np.uint8), i / 30)
        assert track.face.box.iou(Box(640, 320, 960, 640)) > 0.99
