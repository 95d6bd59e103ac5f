"""Faces keep their numbers while their people stay, and no longer."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.tracking.tracker import BRIDGE_S, GONE_S, Tracker, assign
from agegender.types import RANGES, Age, Box, Face, Gender

STEP_S = 1 / 15


def face(x: float, y: float, side: float = 100.0, score: float = 0.9) -> Face:
    return Face(Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2), score)


def numbers(tracker: Tracker, faces: list[Face], time_s: float) -> list[int]:
    """Numbers of the faces, in their order."""
    found = {track.face: track.number for track in tracker.update(faces, time_s) if track.missed == 0}
    return [found[one] for one in faces]


def test_two_people_keep_their_numbers_whatever_the_order_they_are_found_in() -> None:
    tracker, shuffle = Tracker(), random.Random(1)
    assert numbers(tracker, [face(100, 200), face(500, 400)], 0.0) == [1, 2]
    for i in range(1, 60):
        people = [face(100 + 4 * i, 200), face(500 - 3 * i, 400 + i)]
        order = shuffle.sample([0, 1], 2)
        assert numbers(tracker, [people[k] for k in order], i * STEP_S) == [k + 1 for k in order]


def test_people_who_pass_each_other_are_told_apart_by_the_way_they_go() -> None:
    tracker = Tracker()
    for i in range(60):
        left, right = face(100 + 8 * i, 200), face(580 - 8 * i, 235)
        assert numbers(tracker, [left, right], i * STEP_S) == [1, 2]


@pytest.mark.parametrize(("gap_s", "expected"), [(0.5, 1), (BRIDGE_S, 1), (BRIDGE_S + 0.5, 2)])
def test_a_short_gap_is_bridged_and_a_long_one_is_not(gap_s: float, expected: int) -> None:
    tracker = Tracker()
    tracker.update([face(300, 200)], 0.0)
    time_s = STEP_S
    while time_s < gap_s - 1e-9:
        assert [track.missed > 0 for track in tracker.update([], time_s)] in ([True], [])
        time_s += STEP_S
    assert numbers(tracker, [face(310, 205)], gap_s) == [expected]


def test_slow_frames_are_no_gap_but_a_long_pause_is() -> None:
    tracker = Tracker()
    for i in range(5):
        assert numbers(tracker, [face(300 + 10 * i, 200)], 2.0 * i) == [1]
    assert numbers(tracker, [face(350, 200)], 8.0 + GONE_S + 0.1) == [2]


@pytest.mark.parametrize(
    "other",
    [face(520, 200), face(300, 200, side=300), face(300, 200, side=30)],
    ids=["elsewhere", "much larger", "much smaller"],
)
def test_a_face_that_cannot_be_the_same_is_somebody_new(other: Face) -> None:
    tracker = Tracker()
    tracker.update([face(300, 200)], 0.0)
    assert numbers(tracker, [other], STEP_S) == [2]


def test_a_newcomer_beside_someone_gets_a_number_of_his_own() -> None:
    tracker = Tracker()
    tracker.update([face(300, 200)], 0.0)
    assert numbers(tracker, [face(420, 200), face(302, 200)], STEP_S) == [2, 1]


def test_after_a_cut_everybody_is_new() -> None:
    tracker = Tracker()
    tracker.update([face(300, 200)], 0.0)
    tracker.forget()
    assert numbers(tracker, [face(300, 200)], STEP_S) == [2]


def test_a_video_that_changes_its_size_goes_on() -> None:
    tracker = Tracker()
    for i in range(5):
        tracker.update([face(300 + 10 * i, 200)], i * STEP_S)
    tracker.scale(0.5)
    assert numbers(tracker, [face(175, 100, side=50)], 5 * STEP_S) == [1]


def test_the_box_to_draw_shakes_less_than_what_is_found_and_keeps_up() -> None:
    tracker, shake, errors = Tracker(), random.Random(3), []
    for i in range(90):
        x = 100 + 4.0 * i
        track = tracker.update([face(x + shake.gauss(0, 3), 200)], i * STEP_S)[0]
        errors.append(track.box.center[0] - x)
    later = errors[15:]
    assert abs(sum(later)) / len(later) < 1.0
    assert (sum(error**2 for error in later) / len(later)) ** 0.5 < 2.8


def test_where_a_face_is_expected_follows_its_way_but_not_for_long() -> None:
    tracker = Tracker()
    for i in range(30):
        track = tracker.update([face(100 + 10 * i, 200)], i * STEP_S)[0]
    last = track.box.center[0]
    assert track.box_at(track.last_seen_s + STEP_S).center[0] == pytest.approx(last + 10, abs=1)
    assert track.box_at(track.last_seen_s + 60).center[0] < last + 60
    assert track.box_at(0.0) == track.box  # never backwards


def test_a_track_has_nothing_to_show_before_its_first_estimate() -> None:
    tracker = Tracker()
    (track,) = tracker.update([face(300, 200)], 0.0)
    assert track.reading_at(0.0) is None
    probabilities = tuple(0.65 if name == "25–32" else 0.05 for name in RANGES)
    tracker.learn(track.number, (Age(probabilities, 29, 22, 37), Gender(0.9)), 0.0)
    reading = tracker.tracks[0].reading_at(0.0)
    assert reading is not None
    assert (reading.age.range, reading.gender.label) == ("25–32", "Female")


def test_seconds_seen() -> None:
    tracker = Tracker()
    for i in range(31):
        (track,) = tracker.update([face(300, 200)], 10 + i / 10)
    assert track.seconds == pytest.approx(3.0)


places = st.integers(-200, 800)  # whole pixels: boxes that differ by less than rounding are the same
sides = st.integers(0, 400)
squares = st.builds(lambda x, y, side: Box(x, y, x + side, y + side), places, places, sides)


@given(st.lists(squares, max_size=8), st.lists(squares, max_size=8))
def test_assignment_is_one_to_one_and_takes_the_nearest_first(expected: list[Box], found: list[Box]) -> None:
    faces = [Face(box, 0.9) for box in found]
    pairs = assign(expected, [0.0] * len(expected), faces)
    assert len(set(pairs.values())) == len(pairs)
    for i, box in enumerate(expected):  # where a box is found again exactly, nothing else takes it
        if box.area > 0 and box in found and expected.count(box) == 1:
            assert faces[pairs[i]].box == box


def test_assignment_of_nobody() -> None:
    assert assign([], [], []) == {}
    assert assign([Box(0, 0, 9, 9)], [0.0], []) == {}
    assert assign([], [], [face(5, 5)]) == {}
