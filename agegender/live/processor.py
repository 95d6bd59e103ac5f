"""Processing of one visitor's camera: frames are analysed, and the page reads the latest results.

A transport (`webrtc`, `websocket`) delivers the frames and returns the results.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from agegender.analyzer import Analyzer
from agegender.drawing.annotate import annotate, draw_plate, label_plate
from agegender.drawing.blur import blur_faces, veil
from agegender.drawing.view_options import ViewOptions
from agegender.errors import AgeGenderError
from agegender.live.stats import Figures, Meter
from agegender.live.worker import PATIENCE_S, Scene, Watcher
from agegender.tracking.tracker import Track
from agegender.types import Analysis, Face, Image

LOG = logging.getLogger(__name__)

HIDING = "Hiding faces …"
"""Text on a picture that hides everything, because it has not been analysed yet."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to analyse frames and what to draw; replaced as a whole, effective from the next frame.

    `mirror` flips the picture horizontally.
    """

    analyzer: Analyzer
    view: ViewOptions = field(default_factory=ViewOptions)
    mirror: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """What is known as of the newest frame.

    `image` has the RGB pixels as they arrived (upright, and mirrored if set), `picture` as they are shown;
    `tracks` are the people in view, `figures` the statistics, `error` what went wrong in words for a person,
    or None, and `time_s` when. `hides` says that faces are hidden in the picture; `hidden` are the boxes of
    everybody to be made unrecognisable, or None if the whole frame must be hidden because it has not been
    analysed.
    """

    image: Image
    picture: Image
    analysis: Analysis
    tracks: tuple[Track, ...]
    figures: Figures
    error: str | None
    time_s: float
    hides: bool
    hidden: tuple[Face, ...] | None


class Transport(Protocol):
    """Delivers a camera's frames to a processor, and returns the results."""

    processor: VideoProcessor


class VideoProcessor:
    """Analyses the frames of one visitor's camera, over any transport.

    Each frame is analysed in a thread of its own, one at a time. A frame waits up to `patience_s` for its
    analysis while that is fast enough; if not, the latest results are returned at once, with boxes moved to
    where the faces should be by now. So calls never take long, nothing queues up, and no thread is left
    behind when a visitor just leaves.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.latest: Latest | None = None
        self._clock = clock
        self._stream = _Stream()

    def process(
        self, read: Callable[[Settings], Image], frames: int = 1, patience_s: float = PATIENCE_S
    ) -> Latest:
        """Results as of the newest of `frames` frames, which `read` returns as RGB. Never raises.

        After an error, the picture is the frame as it arrived, or hidden if faces should be; `error` says
        what went wrong, and the log has the details once.
        """
        stream, settings, time_s = self._stream, self.settings, self._clock()
        stream.meter.came(frames, time_s)
        image = None
        try:
            image = read(settings)
            scene = stream.look(image, time_s, settings, patience_s)
            latest = _seen(stream, scene, image, settings, time_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, the picture must not freeze
            latest = _failed(stream, error, image, settings, time_s)
        if stream is self._stream:  # not if it has just ended
            self.latest = latest
        return latest

    def forget(self) -> None:
        """Forget the video: it has ended, or switches to another transport."""
        self._stream = _Stream()
        self.latest = None


class _Stream:
    """State of one video, from START to STOP."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.watcher = Watcher(self.meter)
        self.blurred: Image | None = None
        self.error: str | None = None

    def look(self, image: Image, time_s: float, settings: Settings, patience_s: float) -> Scene | None:
        """The newest scene available. Raises the exception of its analysis, once."""
        scene = self.watcher.look(
            image, time_s, settings.analyzer, settings.mirror, settings.view, patience_s
        )
        if scene is not None:
            self.error = None
        return scene

    def hide(self, image: Image) -> Image:
        """What to show instead of a frame that has not been analysed, as somebody may be in it."""
        last = self.blurred
        return last if last is not None and last.shape == image.shape else _veiled(image)


def _seen(stream: _Stream, scene: Scene | None, image: Image, settings: Settings, time_s: float) -> Latest:
    start_s = time.perf_counter()
    tracks, analysis = people(scene, image, time_s, settings.view)
    hidden: tuple[Face, ...] | None = ()
    if not settings.view.blur:
        picture = draw(image, analysis, tracks, settings)
        stream.blurred = None
    elif scene is not None and scene.image is image:
        hidden = tuple(Face(track.box_at(time_s), 0.0) for track in scene.tracks)
        picture = stream.blurred = draw(blur_faces(image, hidden), analysis, tracks, settings)
    else:
        hidden, picture = None, stream.hide(image)
    stream.meter.drew(time.perf_counter() - start_s)
    figures = stream.meter.figures(time_s)
    return Latest(image, picture, analysis, tracks, figures, stream.error, time_s, settings.view.blur, hidden)


def _failed(
    stream: _Stream, error: Exception, image: Image | None, settings: Settings, time_s: float
) -> Latest:
    text = str(error) if isinstance(error, AgeGenderError) else f"{type(error).__name__} in a frame"
    if text != stream.error:
        LOG.error("A frame of the live video could not be analysed", exc_info=error)
    stream.error = text
    if image is None:
        image = np.zeros((48, 64, 3), np.uint8)
    hide = settings.view.blur
    picture = stream.hide(image) if hide else image
    nobody = Analysis(image.shape[1], image.shape[0], (), 0.0)
    figures = stream.meter.figures(time_s)
    return Latest(image, picture, nobody, (), figures, text, time_s, hide, None if hide else ())


def _veiled(image: Image) -> Image:
    """A picture of the same size that is reduced to its colours, with a message on it."""
    hidden = veil(image)
    word = draw_plate(label_plate(HIDING, max(12.0, math.sqrt(image.shape[0] * image.shape[1]) / 34)))
    height, width = (min(sides) for sides in zip(word.shape[:2], hidden.shape[:2], strict=True))
    hidden[:height, :width] = word[:height, :width]
    return hidden


def people(
    scene: Scene | None, image: Image, time_s: float, view: ViewOptions
) -> tuple[tuple[Track, ...], Analysis]:
    """Tracks and readings to show at a time, both from left to right."""
    height_px, width_px = image.shape[:2]
    if scene is None or scene.image.shape != image.shape:
        return (), Analysis(width_px, height_px, (), 0.0)
    # With `blur`, tracks include people who are not to be shown.
    shown = [track for track in scene.tracks if not view.blur or view.shows(track.face)]
    seen = [track for track in shown if track.in_view(scene.time_s)]
    pairs = [(track, track.reading_at(time_s)) for track in seen]
    read = [(track, reading) for track, reading in pairs if reading is not None]
    read.sort(key=lambda pair: (pair[1].face.box.left, pair[1].face.box.top))
    readings = tuple(reading for _, reading in read)
    return tuple(track for track, _ in read), Analysis(width_px, height_px, readings, scene.seconds)


def names(tracks: Sequence[Track]) -> list[str]:
    """People's names on labels: numbers if there are several people."""
    return [str(track.number) if len(tracks) > 1 else "" for track in tracks]


def draw(image: Image, analysis: Analysis, tracks: Sequence[Track], settings: Settings) -> Image:
    """Draw a box and a label per person, numbered if there are several, on a copy of the image."""
    return annotate(image, analysis, labels=settings.view.labels, names=names(tracks))
