"""Counting people in a video: not those both doubtful and brief; numbers have no gaps."""

from __future__ import annotations

import json

import numpy as np
import pytest
from stubs import AGE, GENDER

from agegender.export.people import people_csv, people_json
from agegender.tracking.people import LIVED_S, Person, Sightings
from agegender.tracking.tracker import SURE_SCORE, Tracker
from agegender.types import Box, Face

IMAGE = np.full((240, 320, 3), 128, np.uint8)
STEP_S = 0.1
SURE, DOUBTFUL = SURE_SCORE + 0.05, SURE_SCORE - 0.05
LEFT, RIGHT, PATCH = (Box(x, 60, x + 60, 130) for x in (10, 240, 130))

Seen = dict[Box, tuple[float, list[tuple[float, float]]]]
"""A face's position, its detection score, and when it appears and disappears."""


def people(seen: Seen, seconds: float = 4.0, rest_s: float = 5.0) -> tuple[Person, ...]:
    tracker, sightings = Tracker(rest_s), Sightings()
    for i in range(round(seconds / STEP_S)):
        time_s = i * STEP_S
        faces = [
            Face(box, score)
            for box, (score, spans) in seen.items()
            if any(start_s - 1e-6 <= time_s < end_s - 1e-6 for start_s, end_s in spans)
        ]
        for track in tracker.update(faces, time_s):
            if track.missed == 0:
                tracker.learn(track.number, (AGE, GENDER), time_s)
        sightings.add(tracker.tracks, IMAGE, time_s)
    sightings.end(seconds)
    return sightings.people()


@pytest.mark.parametrize(
    ("score", "seconds", "counts"),
    [
        (SURE, 0.5, True),
        (SURE, 3.0, True),
        (DOUBTFUL, 0.5, False),
        (DOUBTFUL, LIVED_S + 0.2, True),
    ],
)
def test_who_is_both_doubtful_and_short_lived_does_not_count(
    score: float, seconds: float, counts: bool
) -> None:
    (person,) = people({LEFT: (score, [(0.0, seconds)])})
    assert (person.counted, person.number) == (counts, int(counts))


def test_numbers_have_no_gaps_and_ghosts_none() -> None:
    found = people(
        {
            LEFT: (SURE, [(0.0, 4.0)]),
            PATCH: (DOUBTFUL, [(0.5, 1.0)]),
            RIGHT: (SURE, [(2.0, 4.0)]),
        }
    )
    assert [(person.number, person.counted) for person in found] == [(1, True), (2, True), (0, False)]
    assert found[1].spans[0][0] == pytest.approx(2.0)


def test_a_patch_that_comes_and_goes_is_one_and_does_not_count() -> None:
    blinking = {PATCH: (DOUBTFUL, [(0.0, 0.5), (1.6, 2.1), (3.2, 3.7)])}
    (ghost,) = people(blinking)
    assert not ghost.counted
    assert len(ghost.spans) == 3
    assert len(people(blinking, rest_s=0.0)) == 3


def test_one_who_counts_is_in_view_from_the_first_moment_on() -> None:
    (person,) = people({LEFT: (DOUBTFUL, [(1.0, 3.5)])})
    ((start_s, end_s),) = person.spans
    assert start_s == pytest.approx(1.0)
    assert end_s == pytest.approx(3.7, abs=0.15)


def test_a_single_frame_is_enough_where_there_is_no_other() -> None:
    (person,) = people({LEFT: (SURE, [(0.0, 1.0)])}, seconds=STEP_S)
    assert person.number == 1


def test_files_tell_who_does_not_count() -> None:
    found = people({LEFT: (SURE, [(0.0, 4.0)]), PATCH: (DOUBTFUL, [(0.5, 1.0)])})
    told = json.loads(people_json("in.mp4", found))["people"]
    assert [(each["person"], each["counted"]) for each in told] == [(1, True), (None, False)]
    assert [line.split(",")[0] for line in people_csv(found).removeprefix("\ufeff").splitlines()] == [
        "person",
        "1",
    ]
