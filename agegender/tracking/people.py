"""Who is seen when in a video, gathered while it is gone through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agegender.imaging.geometry import CROP_MARGIN, CROP_PX, margin_crop
from agegender.imaging.io import encode_jpeg
from agegender.tracking.fusion import Evidence, view_weight
from agegender.tracking.tracker import Track
from agegender.types import Age, Gender, Image

Span = tuple[float, float]
"""From when to when, in seconds from the beginning of a video."""

MAX_PEOPLE = 200
"""So many are kept, those who are seen longest: each takes some kilobytes, however long the video."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is seen in a video: the number that boxes bear, what all views of the face say together,
    when the person is in view, the best view of the face as a small JPEG file, and the warnings that hold
    for most views."""

    number: int
    age: Age
    gender: Gender
    spans: tuple[Span, ...]
    crop: bytes
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """For how long the person is in view, all in all."""
        return sum(end_s - start_s for start_s, end_s in self.spans)


@dataclass(slots=True)
class _Seen:
    spans: list[Span]
    last_s: float
    sightings: int = 0
    evidence: Evidence | None = None
    best_weight: float = 0.0
    crop: bytes = b""
    numbers: set[int] = field(default_factory=set)


class Sightings:
    """Gathers tracks of frame after frame. Who is found once only is taken for a mistake of the detector."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._in_view: tuple[int, ...] = ()
        self._frames = 0

    def add(self, tracks: Sequence[Track], image: Image, time_s: float) -> None:
        """Take note of the tracks in an analysed RGB frame; crops of faces are cut out of it."""
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
        self._forget({track.number for track in tracks})

    def end(self, time_s: float) -> None:
        """Say that who was in view was so until now."""
        for number in self._in_view:
            spans = self._seen[number].spans
            spans[-1] = (spans[-1][0], time_s)

    def people(self) -> tuple[Person, ...]:
        """Return everybody who was seen, in the order of their numbers."""
        least = min(2, self._frames)
        return tuple(
            Person(number, known.age, known.gender, tuple(seen.spans), seen.crop, known.warnings())
            for number, seen in sorted(self._seen.items())
            if (known := seen.evidence) is not None and seen.sightings >= least
        )

    def _see(self, track: Track, image: Image, time_s: float) -> None:
        seen = self._seen.setdefault(track.number, _Seen([], time_s))
        seen.last_s, seen.sightings = time_s, seen.sightings + 1
        if track.evidence is not None and track.viewed_s == time_s:
            seen.evidence = whole(seen.evidence, track.evidence)
        weight = view_weight(track.face)
        if weight > seen.best_weight:
            seen.best_weight = weight
            seen.crop = encode_jpeg(margin_crop(image, track.face.box, CROP_MARGIN, CROP_PX))

    def _forget(self, present: set[int]) -> None:
        """Forget who was found once and is gone, and of too many those who were seen shortest."""
        gone = [number for number in self._seen if number not in present]
        for number in gone:
            if self._seen[number].sightings < 2:
                del self._seen[number]
        if len(self._seen) > MAX_PEOPLE:
            rest = [number for number in gone if number in self._seen]
            for number in sorted(rest, key=lambda number: self._seen[number].sightings)[: -MAX_PEOPLE // 2]:
                del self._seen[number]


def whole(before: Evidence | None, now: Evidence) -> Evidence:
    """Return the evidence of a whole video: a track's own fades, and its end would outweigh all before."""
    if before is None:
        return now
    weight = before.weight + now.weight
    share = now.weight / weight
    return before.mixed(now, share, weight)
