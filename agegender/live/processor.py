"""The live camera: frames come in, annotated frames go out, and the page reads what is known meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import av
import cv2
import numpy as np
from aiortc.contrib.media import MediaRelay

from agegender.analyzer import Analyzer
from agegender.drawing.annotate import annotate
from agegender.drawing.blur import blur_faces
from agegender.drawing.view_options import ViewOptions
from agegender.errors import AgeGenderError
from agegender.imaging.frames import to_image as upright
from agegender.live.stats import Figures, Meter
from agegender.live.worker import PATIENCE_S, Scene, Watcher
from agegender.tracking.tracker import Track
from agegender.types import Analysis, Face, Image

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to look at the frames and what to draw; replaced whole, effective from the next frame on.

    `mirror` shows the picture as a mirror does.
    """

    analyzer: Analyzer
    view: ViewOptions = field(default_factory=ViewOptions)
    mirror: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """What is known at the newest frame: RGB pixels as they came (upright, mirrored if so set) and as they
    went back, the people in view, the figures, and what went wrong in words for a person, or None."""

    image: Image
    picture: Image
    analysis: Analysis
    tracks: tuple[Track, ...]
    figures: Figures
    error: str | None


class VideoProcessor:
    """Annotates the frames of one visitor's camera; what streamlit-webrtc's callbacks call.

    Each frame is analysed in a thread that lives no longer than that, one at a time. A frame waits for its
    own analysis while that is quick; where it is slow, frames go back at once with the boxes of the last
    one, moved on to where the faces should be by now. So one call never takes long, nothing queues up, and
    there is no thread to forget when a visitor just goes.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.settings = settings
        self.latest: Latest | None = None
        self._clock = clock
        self._patience_s = patience_s
        self._stream = _Stream(patience_s)

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the frame, annotated, upright, in RGB, of the same time. Never raises.

        After an error the frame comes back as it is, or black where faces were to be hidden; `latest` says
        what went wrong, and the log has the details once.
        """
        return self._recv(frame, frames=1)

    async def recv_queued(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """Return the newest of the frames that came since the last call, as `recv` does; count the others."""
        return [self._recv(frames[-1], len(frames))]

    def on_ended(self) -> None:
        """Forget the video: called when it stops, at once or half a minute after a tab was closed."""
        self._stream = _Stream(self._patience_s)
        self.latest = None

    def _recv(self, frame: av.VideoFrame, frames: int) -> av.VideoFrame:
        stream, settings, time_s = self._stream, self.settings, self._clock()
        stream.meter.came(frames, time_s)
        try:
            returned = self._annotated(frame, stream, settings, time_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, the picture must not freeze
            returned = self._after(error, frame, stream, settings, time_s)
        returned.pts = frame.pts
        if frame.time_base is not None:
            returned.time_base = frame.time_base
        return returned

    def _annotated(
        self, frame: av.VideoFrame, stream: _Stream, settings: Settings, time_s: float
    ) -> av.VideoFrame:
        image = to_image(frame, settings.mirror)
        scene = stream.look(image, time_s, settings)
        start_s = time.perf_counter()
        tracks, analysis = people(scene, image, time_s)
        if not settings.view.blur:
            picture = draw(image, analysis, tracks, settings)
        elif scene is not None and scene.image is image:
            faces = [Face(track.box_at(time_s), 0.0) for track in scene.tracks]
            picture = draw(blur_faces(image, faces), analysis, tracks, settings)
        else:  # somebody may just have come in: what was not looked through is not shown
            last = stream.blurred
            picture = last if last is not None and last.shape == image.shape else np.zeros_like(image)
        stream.blurred = picture if settings.view.blur else None
        stream.meter.drew(time.perf_counter() - start_s)
        figures = stream.meter.figures(time_s)
        self._tell(stream, Latest(image, picture, analysis, tracks, figures, stream.error))
        return av.VideoFrame.from_ndarray(picture, format="rgb24")

    def _after(
        self, error: Exception, frame: av.VideoFrame, stream: _Stream, settings: Settings, time_s: float
    ) -> av.VideoFrame:
        text = str(error) if isinstance(error, AgeGenderError) else f"{type(error).__name__} in a frame"
        if text != stream.error:
            LOG.error("A frame of the live video could not be analysed", exc_info=error)
        stream.error = text
        black = np.zeros((frame.height, frame.width, 3), np.uint8)
        nobody = Analysis(frame.width, frame.height, (), 0.0)
        self._tell(stream, Latest(black, black, nobody, (), stream.meter.figures(time_s), text))
        return av.VideoFrame.from_ndarray(black, format="rgb24") if settings.view.blur else frame

    def _tell(self, stream: _Stream, latest: Latest) -> None:
        if stream is self._stream:  # and not one that has just ended
            self.latest = latest


class _Stream:
    """What is remembered of one video, from START to STOP."""

    def __init__(self, patience_s: float) -> None:
        self.meter = Meter()
        self.watcher = Watcher(self.meter, patience_s)
        self.blurred: Image | None = None
        self.error: str | None = None

    def look(self, image: Image, time_s: float, settings: Settings) -> Scene | None:
        """Return the newest scene by now. Raises what its analysis raised; all is well from the next on."""
        scene = self.watcher.look(image, time_s, settings.analyzer, settings.mirror, settings.view)
        if scene is not None:
            self.error = None
        return scene


def let_nothing_queue_up(relay: MediaRelay) -> None:
    """Have whoever is slower than the camera get the newest frame next, not the one after the last.

    streamlit-webrtc has every frame wait for the encoder of the video that goes back. On a server that
    encodes fewer than come, the video is later and later, and each second takes some megabytes more.
    """
    relay.subscribe = partial(type(relay).subscribe, relay, buffered=False)  # type: ignore[method-assign]


def to_image(frame: av.VideoFrame, mirror: bool) -> Image:
    """Return the frame as upright RGB pixels, (height, width, 3), whatever its format; mirrored if asked."""
    image = upright(frame)
    return cv2.flip(image, 1) if mirror else image  # type: ignore[return-value]


def people(scene: Scene | None, image: Image, time_s: float) -> tuple[tuple[Track, ...], Analysis]:
    """Return who is in view and what is shown of them at a time, both from left to right."""
    height_px, width_px = image.shape[:2]
    if scene is None or scene.image.shape != image.shape:
        return (), Analysis(width_px, height_px, (), 0.0)
    seen = [track for track in scene.tracks if track.in_view(scene.time_s)]
    pairs = [(track, track.reading_at(time_s)) for track in seen]
    read = [(track, reading) for track, reading in pairs if reading is not None]
    read.sort(key=lambda pair: (pair[1].face.box.left, pair[1].face.box.top))
    readings = tuple(reading for _, reading in read)
    return tuple(track for track, _ in read), Analysis(width_px, height_px, readings, scene.seconds)


def draw(image: Image, analysis: Analysis, tracks: Sequence[Track], settings: Settings) -> Image:
    """Return a copy of the image with a box and a label a person, numbered where there are several."""
    names = [str(track.number) for track in tracks] if len(tracks) > 1 else None
    return annotate(image, analysis, labels=settings.view.labels, names=names)
