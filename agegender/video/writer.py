"""Write MP4 files that browsers play: H.264 pictures, AAC sound."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from agegender.errors import VideoError
from agegender.types import Image
from agegender.video.sound import Sound, sound_writer

TICKS_PER_S = 90_000
"""Fine enough for any frame rate, and exact for milliseconds and 24, 25, 30 or 30000/1001 frames a second."""

X264 = {"crf": "23", "preset": "veryfast", "threads": "2", "rc-lookahead": "5"}
"""Threads and look-ahead frames cost memory: these save 40 MB in full HD compared with four and ten."""

FRUGAL = {"x264-params": "bframes=0:rc-lookahead=0:sync-lookahead=0:sliced-threads=1"}
"""Buffers no pictures to compare with later ones: 80 MB less in full HD, and a larger file."""

MAX_WAITING = 20_000_000
"""Bytes of sound buffered until the first picture; the rest is dropped."""

FULL = "The disk is full: the video could not be written."
ODD = "The video cannot be written: its times or sizes make no sense. Save it anew and try again."


class Mp4:
    """A video file being written, frame by frame; a context manager, which closes it.

    `sound` is the audio stream of the packets for `write_sound`: AAC is copied, everything else becomes AAC.
    `has_sound` says whether that works. `frugal` takes less memory, for a larger file. Raises `VideoError` if
    the file cannot be written.
    """

    def __init__(self, target: Path, sound: AudioStream | None, frugal: bool = False) -> None:
        self._container = av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"})
        self._video = self._container.add_stream("libx264", options=X264 | FRUGAL if frugal else X264)
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.time_base = Fraction(1, TICKS_PER_S)
        # Stated explicitly, because players guess differently.
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._durations: dict[int, int] = {}  # of the frames in the encoder
        self._sound: Sound | None = sound_writer(self._container, sound)
        self.has_sound = self._sound is not None
        # The file cannot begin before the first picture defines its size; earlier sound waits.
        self._begun = False
        self._early: list[tuple[av.Packet[AudioStream], float]] = []
        self._waiting = 0
        self._last_pts = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            with suppress(av.FFmpegError, ValueError):
                self._container.close()
            return
        with _translated():
            try:
                self._mux(self._video.encode(None))
                if self._sound:
                    self._sound.finish()
            finally:
                self._container.close()

    def write(self, image: Image, time_s: float, duration_s: float) -> None:
        """Add a frame, later than the last one, shown for `duration_s` unless another one follows.

        RGB; the first frame's width and height, both even, are the video's, and others are scaled to them.
        """
        if not self._begun:
            self._video.height, self._video.width = image.shape[:2]
            self._begun = True
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="rgb24").reformat(
            self._video.width,
            self._video.height,
            "yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts = max(round(time_s * TICKS_PER_S), self._last_pts + 1)
        frame.time_base, self._last_pts = Fraction(1, TICKS_PER_S), frame.pts
        self._durations[frame.pts] = max(1, round(duration_s * TICKS_PER_S))
        with _translated():
            self._mux(self._video.encode(frame))
        while self._early:
            self.write_sound(*self._early.pop(0))

    def write_sound(self, packet: av.Packet[AudioStream], start_s: float) -> None:
        """Add a packet of the sound, with times relative to `start_s`; damaged ones are left out."""
        if self._sound and not self._begun:
            self._waiting += packet.size
            if self._waiting <= MAX_WAITING:
                self._early.append((packet, start_s))
        elif self._sound:
            with _translated():
                self._sound.write(packet, start_s)

    def _mux(self, packets: list[av.Packet[VideoStream]]) -> None:
        for packet in packets:
            # The encoder does not pass durations on, and the last frame's would be lost.
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, ValueError, OverflowError) as error:
        code = getattr(error, "errno", None)
        if code == errno.ENOSPC:
            raise VideoError(FULL) from error
        if isinstance(code, int) and code in errno.errorcode and code != errno.EINVAL:
            raise VideoError(f"The video could not be written ({os.strerror(code)}).") from error
        raise VideoError(ODD) from error
