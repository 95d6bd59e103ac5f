"""Who is seen when in a video, gathered frame by frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agegender.imaging.geometry import CROP_MARGIN, CROP_PX, margin_crop
from agegender.imaging.io import encode_jpeg
from agegender.tracking.fusion import Evidence, view_weight
from agegender.tracking.tracker import SURE_SCORE, Track
from agegender.types import Age, Gender, Image

Span = tuple[float, float]
"""(start, end) in seconds from the beginning of the video."""

LIVED_S = 1.0
"""A doubtful face counts when it has been in view for so long."""

MAX_PEOPLE = 200
"""At most this many are kept, those seen longest: each takes a few kilobytes."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is seen in a video: the number that boxes bear, what all views of the face say together,
    when the person is in view, the best view of the face as a small JPEG file, and the warnings that hold
    for most views.

    Who is both doubtful and seen for a moment only does not count, and has no number but 0.
    """

    number: int
    age: Age
    gender: Gender
    spans: tuple[Span, ...]
    crop: bytes
    warnings: tuple[str, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether the person counts, or is as likely a mistake of the detector."""
        return self.number > 0

    @property
    def seconds(self) -> float:
        """Total time in view."""
        return sum(end_s - start_s for start_s, end_s in self.spans)


@dataclass(slots=True)
class _Seen:
    spans: list[Span]
    last_s: float
    sightings: int = 0
    evidence: Evidence | None = None
    best_weight: float = 0.0
    best_score: float = 0.0
    crop: bytes = b""
    number: int = 0


class Sightings:
    """Gathers tracks of frame after frame. Who is found once only is taken for a mistake of the detector.

    People are numbered when they begin to count, so that their numbers have no gaps.
    """

    def __init__(self) -> None:
        self._last_number = 0
        self._seen: dict[int, _Seen] = {}
        self._in_view: tuple[int, ...] = ()
        self._frames = 0

    def add(self, tracks: Sequence[Track], image: Image, time_s: float) -> None:
        """Record the tracks of an analysed RGB frame, from which crops are cut."""
        self.end(time_s)
        self._frames += 1
        for track in tracks:
            if track.missed == 0:
                self._see(track, image, time_s)
        in_view = [track for track in tracks if track.in_view(time_s)]
        self._in_view = tuple(track.number for track in in_view if track.number in self._seen)
        for number in self._in_view:
            spans = self._seen[number].spans
            if not spans or spans[-1][1] < time_s:
                spans.append((time_s, time_s))
        for number in sorted(self._in_view):
            self._count(self._seen[number], 2)
        self._forget({track.number for track in tracks})

    def number_of(self, track_number: int) -> int:
        """Return the number of a track's person; 0 as long as it does not count."""
        seen = self._seen.get(track_number)
        return seen.number if seen else 0

    def end(self, time_s: float) -> None:
        """Extend the open spans to `time_s`."""
        for number in self._in_view:
            spans = self._seen[number].spans
            spans[-1] = (spans[-1][0], time_s)

    def people(self) -> tuple[Person, ...]:
        """Return everybody who was seen, in the order of their numbers, and then who does not count."""
        least = min(2, self._frames)
        for _, seen in sorted(self._seen.items()):
            self._count(seen, least)
        known = [
            Person(
                seen.number, evidence.age, evidence.gender, tuple(seen.spans), seen.crop, evidence.warnings()
            )
            for _, seen in sorted(self._seen.items())
            if (evidence := seen.evidence) is not None and seen.sightings >= least
        ]
        return tuple(sorted(known, key=lambda person: person.number or math.inf))

    def _count(self, seen: _Seen, least: int) -> None:
        """Give somebody a number who was found often enough, and either surely or for long."""
        if seen.number or seen.sightings < least or seen.evidence is None:
            return
        longest_s = max((end_s - start_s for start_s, end_s in seen.spans), default=0.0)
        if seen.best_score >= SURE_SCORE or longest_s >= LIVED_S:
            self._last_number += 1
            seen.number = self._last_number

    def _see(self, track: Track, image: Image, time_s: float) -> None:
        seen = self._seen.setdefault(track.number, _Seen([], time_s))
        seen.last_s, seen.sightings = time_s, seen.sightings + 1
        if track.evidence is not None and track.viewed_s == time_s:
            seen.evidence = whole(seen.evidence, track.evidence)
        seen.best_score = max(seen.best_score, track.face.score)
        weight = view_weight(track.face)
        if weight > seen.best_weight:
            seen.best_weight = weight
            seen.crop = encode_jpeg(margin_crop(image, track.face.box, CROP_MARGIN, CROP_PX))

    def _forget(self, present: set[int]) -> None:
        """Drop false positives that are gone and, above `MAX_PEOPLE`, those seen least."""
        gone = [number for number in self._seen if number not in present]
        for number in gone:
            if self._seen[number].sightings < 2:
                del self._seen[number]
        if len(self._seen) > MAX_PEOPLE:
            rest = [number for number in gone if number in self._seen]
            for number in sorted(rest, key=self._worth)[: -MAX_PEOPLE // 2]:
                del self._seen[number]

    def _worth(self, number: int) -> tuple[bool, int]:
        """Return a measure of how much is lost with somebody."""
        return self._seen[number].number > 0, self._seen[number].sightings


def whole(before: Evidence | None, now: Evidence) -> Evidence:
    """Evidence of the whole video. A track's own fades, so its end would outweigh all before."""
    if before is None:
        return now
    weight = before.weight + now.weight
    share = now.weight / weight
    return before.mixed(now, share, weight)
