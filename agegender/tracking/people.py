"""The people in a video and when they are seen, gathered frame by frame."""

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
"""Time in view after which a doubtful face counts."""

MAX_PEOPLE = 200
"""Maximum number of people kept, those seen longest: each takes a few kilobytes."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person seen in a video.

    `number` is the one on the person's boxes, `age` and `gender` are fused over all views, `spans` is when
    the person is in view, `crop` is the best view of the face as a small JPEG file, and `warnings` apply to
    most views. A person seen only doubtfully and briefly does not count, and has number 0.
    """

    number: int
    age: Age
    gender: Gender
    spans: tuple[Span, ...]
    crop: bytes
    warnings: tuple[str, ...] = ()

    @property
    def counted(self) -> bool:
        """Return whether the person counts, rather than being a likely false detection."""
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
    """Gathers tracks frame by frame. A face found only once is taken as a false detection.

    People are numbered when they begin to count, so that numbers have no gaps.
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
        """Number of the track's person; 0 while it does not count."""
        seen = self._seen.get(track_number)
        return seen.number if seen else 0

    def end(self, time_s: float) -> None:
        """Extend the open spans to `time_s`."""
        for number in self._in_view:
            spans = self._seen[number].spans
            spans[-1] = (spans[-1][0], time_s)

    def people(self) -> tuple[Person, ...]:
        """Everybody who was seen: in order of number, then those who do not count."""
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
        """Number somebody who was found often enough, and either with confidence or for long."""
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
        """Sort key for how much would be lost by dropping somebody."""
        return self._seen[number].number > 0, self._seen[number].sightings


def whole(before: Evidence | None, now: Evidence) -> Evidence:
    """Evidence over the whole video: a track's own decays, so its end would outweigh everything before."""
    if before is None:
        return now
    weight = before.weight + now.weight
    share = now.weight / weight
    return before.mixed(now, share, weight)
