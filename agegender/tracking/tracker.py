"""Faces across the frames of a video: who is the one that was there a moment ago.

Time comes in with each frame, in seconds from any start, so that a live camera and a file work alike.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from agegender.tracking.fusion import Evidence, Shown, add_view, show, view_weight
from agegender.types import Box, Estimate, Face, Reading

BRIDGE_S = 0.8
"""For how long a face may be hidden, behind a hand or in a blur, and still be the same person."""

BRIDGE_FRAMES = 2
"""A face must have been missed at least as often before it is given up: frames may come slowly."""

GONE_S = 5.0
"""After a pause this long nobody is taken for who was there before it."""

REACH, REACH_PER_S = 0.7, 1.0
"""How far from where it was expected a face may turn up, in sides of it: at once, and more each second."""

LARGEST_RATIO = 1.8
"""How much larger or smaller a face may be than it was."""

FOLLOW, STEER = 0.6, 0.15
"""How fast the smoothed box and its velocity follow what was found (an alpha-beta filter)."""

STEADY_S = 0.25
"""For how long a face that is not found stays in view, as a single miss must not make its box blink."""

COAST_S = 0.3
"""For how long a face is expected to go on moving as it did."""


@dataclass(frozen=True, slots=True)
class Track:
    """A person in view.

    `face` is as it was last found, `box` the smoothed box to draw, and `velocity` that of its four sides
    in pixels a second. `missed` counts the frames since it was found. `shown` is None until the face was
    estimated for the first time; `viewed_s` is when that was last, and `best_weight` the best view's.
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
        """For how long the person has been seen."""
        return self.last_seen_s - self.first_seen_s

    def in_view(self, time_s: float) -> bool:
        """Return whether the person counts as in view at a time: found in the last frame, or just missed."""
        return time_s - self.last_seen_s <= STEADY_S

    def box_at(self, time_s: float) -> Box:
        """Return where the face is expected at a time not long after it was last seen."""
        ahead_s = min(max(0.0, time_s - self.last_seen_s), COAST_S)
        sides = zip(_sides(self.box), self.velocity, strict=True)
        left, top, right, bottom = (side + speed * ahead_s for side, speed in sides)
        return Box(left, top, max(left, right), max(top, bottom))

    def reading_at(self, time_s: float) -> Reading | None:
        """Return what is shown of the person, the face where it is expected; None before the first view."""
        if self.shown is None:
            return None
        # Landmarks belong to the moment at which they were found.
        face = Face(self.box_at(time_s), self.face.score)
        return Reading(face, self.shown.age, self.shown.gender, self.shown.warnings)


class Tracker:
    """Gives each face of frame after frame the number of its person. Numbers count from 1."""

    def __init__(self) -> None:
        self.tracks: tuple[Track, ...] = ()
        self._last_number = 0

    def update(self, faces: Sequence[Face], time_s: float) -> tuple[Track, ...]:
        """Return the tracks after a frame with these faces; who was not found in it has `missed` above 0."""
        kept = [track for track in self.tracks if time_s - track.last_seen_s <= GONE_S]
        found = assign([track.box_at(time_s) for track in kept], _gaps(kept, time_s), faces)
        tracks = []
        for i, track in enumerate(kept):
            if i in found:
                tracks.append(_seen(track, faces[found[i]], time_s))
            elif time_s - track.last_seen_s <= BRIDGE_S or track.missed + 1 < BRIDGE_FRAMES:
                tracks.append(replace(track, missed=track.missed + 1))
        for j, face in enumerate(faces):
            if j not in found.values():
                self._last_number += 1
                still = (0.0, 0.0, 0.0, 0.0)
                tracks.append(Track(self._last_number, face, face.box, still, time_s, time_s))
        self.tracks = tuple(tracks)
        return self.tracks

    def learn(self, number: int, estimate: Estimate, time_s: float, warnings: Collection[str] = ()) -> None:
        """Add what was estimated of a track's face, and its warnings, to what is known of the person."""
        self.tracks = tuple(
            _viewed(track, estimate, time_s, warnings) if track.number == number else track
            for track in self.tracks
        )

    def scale(self, ratio: float) -> None:
        """Go on with frames that are `ratio` times as large as before: cameras change their minds."""
        self.tracks = tuple(_scaled(track, ratio) for track in self.tracks)

    def forget(self) -> None:
        """Start afresh, as after a cut: whoever is found next is somebody new."""
        self.tracks = ()


def assign(expected: Sequence[Box], gaps_s: Sequence[float], faces: Sequence[Face]) -> dict[int, int]:
    """Return which expected box is which face, as indices, each at most once, the closest pairs first.

    `gaps_s` has the seconds since each box was seen: the longer, the farther it may have gone.
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
    """Return how unlike two boxes are, 0 for the same; None where they cannot be of one person."""
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
    # After a pause, or twice at one moment, nothing is known of how fast it goes.
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
