"""Annotate videos: a file in, an MP4 with boxes and labels out, in one pass and little memory."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from agegender.analyzer import Analyzer
from agegender.drawing.annotate import annotate
from agegender.drawing.blur import blur_faces
from agegender.drawing.view_options import ViewOptions
from agegender.errors import VideoError
from agegender.tracking.follower import Follower
from agegender.tracking.people import Person, Sightings
from agegender.tracking.tracker import SURE_SCORE, Track
from agegender.types import Analysis, Face, Image
from agegender.video.container import Footage, Frame, Source
from agegender.video.reader import open_video
from agegender.video.writer import Mp4

SOUND_LOST = "The sound is stored in a way that cannot be read here, and was left out."


@dataclass(frozen=True, slots=True)
class Options:
    """How to analyse a video, and what to draw.

    At most `per_second` frames per second are analysed, or all if faces are hidden; in between, boxes keep
    moving at their last velocity.
    """

    per_second: float = 10.0
    view: ViewOptions = field(default_factory=ViewOptions)


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """Progress: frames and seconds of video done, the fraction of all (0 to 1), and so on.

    `elapsed_s` is the time taken, `picture` the newest frame as drawn (RGB). Only the last one has `people`;
    the file is then complete. `notes` are sentences for the user.
    """

    frames: int
    seconds: float
    part: float
    elapsed_s: float
    picture: Image
    people: tuple[Person, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def left_s(self) -> float | None:
        """Estimated seconds remaining; None while unknown."""
        if self.part < 0.01 or self.elapsed_s < 1:
            return None
        return self.elapsed_s * (1 / self.part - 1)


def annotate_video(
    source: Source, target: Path, analyzer: Analyzer, options: Options | None = None
) -> Generator[Progress, None, None]:
    """Write the video with boxes and labels to `target`, a new MP4 file, yielding progress.

    Sound, frame times and orientation are kept. To stop early, close the iterator: then, and after any error,
    there is no file `target`. Raises `VideoError` for anything but a video within the limits of
    `agegender.video.reader`, and if `target` exists or cannot be written.
    """
    refuse_existing(target)
    finished = False
    try:
        with open_video(source) as footage:
            yield from _annotate(footage, target, _Annotator(analyzer, options or Options()))
        finished = True
    finally:
        if not finished:
            target.unlink(missing_ok=True)


def refuse_existing(target: Path) -> None:
    """Raise `VideoError` if the file exists."""
    if target.exists():
        raise VideoError(f"There is a file “{target}” already. Choose another name.")


def _annotate(footage: Footage, target: Path, annotator: _Annotator) -> Iterator[Progress]:
    start_s = time.perf_counter()
    progress, frames = None, 0
    with Mp4(target, footage.sound, frugal=footage.is_large) as mp4:
        for part in footage.read():
            if not isinstance(part, Frame):
                mp4.write_sound(part, footage.start_s)
                continue
            progress = None  # nothing holds the frame before any more
            picture = annotator.draw(part)
            mp4.write(picture, part.time_s, part.duration_s)
            frames, end_s = frames + 1, part.time_s + part.duration_s
            done = min(1.0, end_s / footage.seconds) if footage.seconds else footage.part_read
            progress = Progress(frames, end_s, done, time.perf_counter() - start_s, picture)
            del part, picture
            yield progress
    assert progress is not None  # footage without frames raises
    is_lost = footage.has_lost_sound or (footage.sound is not None and not mp4.has_sound)
    notes = (SOUND_LOST,) if is_lost else ()
    annotator.sightings.end(progress.seconds)
    elapsed_s, people = time.perf_counter() - start_s, annotator.sightings.people()
    yield replace(progress, part=1.0, elapsed_s=elapsed_s, people=people, notes=notes)


class _Annotator:
    """Draws frame after frame and records who is in view."""

    def __init__(self, analyzer: Analyzer, options: Options) -> None:
        self.sightings = Sightings()
        self._options = options
        self._follower = Follower(analyzer)
        self._tracks: tuple[Track, ...] = ()
        self._analysed_s = self._due_s = -math.inf

    def draw(self, frame: Frame) -> Image:
        """Analyse the frame if due; return it with a box and a label per person."""
        image, options = frame.image, self._options
        is_due = options.view.blur or frame.time_s >= self._due_s - 0.0005  # half a millisecond is rounding
        if is_due:
            self._tracks = self._follower.follow(image, frame.time_s, options.view)
            self._analysed_s = frame.time_s
            # A grid in time: of 25 frames a second 10 are analysed, not every third.
            grid_s = self._due_s + 1 / options.per_second
            self._due_s = grid_s if grid_s > frame.time_s else frame.time_s + 1 / options.per_second
        if options.view.blur:
            faces = [Face(track.box_at(frame.time_s), 0.0) for track in self._tracks]
            image = blur_faces(image, faces)
        if is_due:
            self.sightings.add(self._tracks, image, frame.time_s)
        return self._label(image, frame.time_s)

    def _label(self, image: Image, time_s: float) -> Image:
        steady = [track for track in self._tracks if track.in_view(self._analysed_s)]
        numbered = [(track, self.sightings.number_of(track.number)) for track in steady]
        read = [
            (number, reading)
            for track, number in numbered
            if (number or track.face.score >= SURE_SCORE)
            and (reading := track.reading_at(time_s)) is not None
        ]
        height_px, width_px = image.shape[:2]
        analysis = Analysis(width_px, height_px, tuple(reading for _, reading in read), 0.0)
        names = [str(number or "") for number, _ in read]
        return annotate(image, analysis, labels=self._options.view.labels, names=names)
