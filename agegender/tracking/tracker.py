"""Link faces across the frames of a video into tracks.

Time comes with each frame, in seconds from any start, so that a live camera and a file work alike.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from agegender.tracking.fusion import Evidence, Shown, add_view, show, view_weight
from agegender.types import Box, Estimate, Face, Reading

BRIDGE_S = 0.8
"""How long a face may be lost, behind a hand or in motion blur, and still be the same person."""

BRIDGE_FRAMES = 2
"""Minimum number of misses a track survives, because frames may come slowly."""

GONE_S = 5.0
"""Length of a pause after which everybody is somebody new."""

SURE_SCORE = 0.85
"""Best score from which a face is no longer doubtful."""

SAME_PLACE = 0.5
"""Overlap (IoU) at which a doubtful face is the same as one lost less than `GONE_S` ago.

Such faces tend to be a patch of background that the detector takes for a face now and then.
"""

REACH, REACH_PER_S = 0.7, 1.0
"""How far from its expected place a face may turn up, in face sides: at once, and per second since."""

LARGEST_RATIO = 1.8
"""Largest change in size between two sightings."""

FOLLOW, STEER = 0.6, 0.15
"""Alpha and beta of the filter that smooths boxes and their velocity."""

STEADY_S = 0.25
"""How long a lost face counts as in view, so that a single miss does not make its box blink."""

COAST_S = 0.3
"""How long a lost face is assumed to keep moving."""


@dataclass(frozen=True, slots=True)
class Track:
    """A person in view.

    `face` is as last detected, `box` the smoothed box to draw, `velocity` that of its four sides in pixels
    per second, `missed` the number of frames since the last detection. `shown` is None until the first
    estimate; `viewed_s` is the time of the last one and `best_weight` the weight of the best.
    """

    number: int
    face: Face
    box: Box
    velocity: tuple[float, float, float, float]
    first_seen_s: float
    last_seen_s: float
    missed: int = 0
    evidence: Evidence | None = None
    shown: Shown | None = None
    viewed_s: float = -math.inf
    best_weight: float = 0.0

    @property
    def seconds(self) -> float:
        """Time from the first to the last sighting."""
        return self.last_seen_s - self.first_seen_s

    def in_view(self, time_s: float) -> bool:
        """Return whether the person was detected at `time_s` or shortly before."""
        return time_s - self.last_seen_s <= STEADY_S

    def box_at(self, time_s: float) -> Box:
        """Where the face is expected at a time soon after its last sighting."""
        ahead_s = min(max(0.0, time_s - self.last_seen_s), COAST_S)
        sides = zip(_sides(self.box), self.velocity, strict=True)
        left, top, right, bottom = (side + speed * ahead_s for side, speed in sides)
        return Box(left, top, max(left, right), max(top, bottom))

    def reading_at(self, time_s: float) -> Reading | None:
        """The reading to display, with the face where it is expected; None before the first estimate."""
        if self.shown is None:
            return None
        # Without landmarks, which belong to the frame in which they were detected.
        face = Face(self.box_at(time_s), self.face.score)
        return Reading(face, self.shown.age, self.shown.gender, self.shown.warnings)


class Tracker:
    """Assigns each face in a sequence of frames the number of its person, from 1.

    `rest_s` is how long a doubtful face is remembered for recognition in the same place.
    """

    def __init__(self, rest_s: float = GONE_S) -> None:
        self.tracks: tuple[Track, ...] = ()
        self._rest_s = rest_s
        self._lost: tuple[Track, ...] = ()
        self._last_number = 0

    def update(self, faces: Sequence[Face], time_s: float) -> tuple[Track, ...]:
        """Process the faces of a frame; return all tracks. Those not detected in it have `missed` > 0."""
        kept = [track for track in self.tracks if time_s - track.last_seen_s <= GONE_S]
        found = assign([track.box_at(time_s) for track in kept], _gaps(kept, time_s), faces)
        tracks, lost = [], [track for track in self._lost if time_s - track.last_seen_s <= self._rest_s]
        for i, track in enumerate(kept):
            if i in found:
                tracks.append(_seen(track, faces[found[i]], time_s))
            elif time_s - track.last_seen_s <= BRIDGE_S or track.missed + 1 < BRIDGE_FRAMES:
                tracks.append(replace(track, missed=track.missed + 1))
            else:
                lost.append(track)
        for j, face in enumerate(faces):
            if j not in found.values():
                tracks.append(self._come_back(face, lost, time_s) or self._new(face, time_s))
        self.tracks, self._lost = tuple(tracks), tuple(lost)
        return self.tracks

    def _new(self, face: Face, time_s: float) -> Track:
        self._last_number += 1
        return Track(self._last_number, face, face.box, (0.0, 0.0, 0.0, 0.0), time_s, time_s)

    def _come_back(self, face: Face, lost: list[Track], time_s: float) -> Track | None:
        """Revive the lost track at the place of a doubtful face, if any, and remove it from `lost`."""
        doubtful = [track for track in lost if track.face.score < SURE_SCORE]
        best = max(doubtful, key=lambda track: track.face.box.iou(face.box), default=None)
        if best is None or face.score >= SURE_SCORE or best.face.box.iou(face.box) < SAME_PLACE:
            return None
        lost.remove(best)
        return _seen(best, face, time_s)

    def learn(self, number: int, estimate: Estimate, time_s: float, warnings: Collection[str] = ()) -> None:
        """Add an estimate of a track's face, and its warnings, to the person's evidence."""
        self.tracks = tuple(
            _viewed(track, estimate, time_s, warnings) if track.number == number else track
            for track in self.tracks
        )

    def scale(self, ratio: float) -> None:
        """Rescale all tracks: cameras change their resolution mid-stream."""
        self.tracks = tuple(_scaled(track, ratio) for track in self.tracks)
        self._lost = tuple(_scaled(track, ratio) for track in self._lost)

    def forget(self) -> None:
        """Start afresh, as after a cut: whoever is found next is somebody new."""
        self.tracks = self._lost = ()


def assign(expected: Sequence[Box], gaps_s: Sequence[float], faces: Sequence[Face]) -> dict[int, int]:
    """Match expected boxes to faces greedily, closest pair first; {box index: face index}.

    `gaps_s` are the seconds since each box was seen: the longer, the farther it may have moved.
    """
    pairs = []
    for i, (box, gap_s) in enumerate(zip(expected, gaps_s, strict=True)):
        for j, face in enumerate(faces):
            cost = _cost(box, face.box, REACH + REACH_PER_S * min(gap_s, BRIDGE_S))
            if cost is not None:
                pairs.append((cost, i, j))
    found: dict[int, int] = {}
    for _, i, j in sorted(pairs):
        if i not in found and j not in found.values():
            found[i] = j
    return found


def _cost(before: Box, after: Box, reach: float) -> float | None:
    """Dissimilarity of two boxes, 0 for equal ones; None if they cannot be the same person."""
    side_before, side_after = math.sqrt(before.area), math.sqrt(after.area)
    if min(side_before, side_after) <= 0:
        return None
    ratio = max(side_before, side_after) / min(side_before, side_after)
    distance = math.dist(before.center, after.center) / ((side_before + side_after) / 2)
    if ratio > LARGEST_RATIO or distance > reach:
        return None
    return distance + math.log(ratio)


def _seen(track: Track, face: Face, time_s: float) -> Track:
    elapsed_s = time_s - track.last_seen_s
    found, expected = _sides(face.box), _sides(track.box_at(time_s))
    errors = [new - old for new, old in zip(found, expected, strict=True)]
    smooth = [new - (1 - FOLLOW) * error for new, error in zip(found, errors, strict=True)]
    # After a pause, or without any time in between, the speed is unknown.
    steer = STEER / elapsed_s if 0 < elapsed_s <= COAST_S else 0.0
    keep = 1.0 if elapsed_s <= COAST_S else 0.0
    left, top, right, bottom = (
        keep * speed + steer * error for speed, error in zip(track.velocity, errors, strict=True)
    )
    velocity = (left, top, right, bottom)
    return replace(track, face=face, box=Box(*smooth), velocity=velocity, last_seen_s=time_s, missed=0)


def _viewed(track: Track, estimate: Estimate, time_s: float, warnings: Collection[str]) -> Track:
    weight = view_weight(track.face)
    evidence = add_view(track.evidence, estimate, weight, time_s, warnings)
    shown = show(track.shown, evidence, time_s, track.first_seen_s)
    best = max(weight, track.best_weight)
    return replace(track, evidence=evidence, shown=shown, viewed_s=time_s, best_weight=best)


def _scaled(track: Track, ratio: float) -> Track:
    box = track.box.moved(ratio, ratio)
    left, top, right, bottom = (speed * ratio for speed in track.velocity)
    return replace(track, face=track.face.moved(ratio, ratio), box=box, velocity=(left, top, right, bottom))


def _gaps(tracks: Iterable[Track], time_s: float) -> list[float]:
    return [max(0.0, time_s - track.last_seen_s) for track in tracks]


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom
