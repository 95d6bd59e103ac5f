"""Writing MP4 files that browsers play: H.264 pictures, AAC sound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.audio.stream import AudioStream
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from agegender.errors import VideoError
from agegender.types import Image

TICKS_PER_S = 90_000
"""Fine enough for any frame rate, and whole for milliseconds and 24, 25, 30 or 30000/1001 frames a second."""

X264 = {"crf": "23", "preset": "veryfast", "threads": "4"}
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
AAC_BITS_PER_S = 128_000


class Mp4:
    """A video file being written, frame after frame; for `with`, which closes it.

    `sound` is the audio stream that the packets for `write_sound` come from: AAC is copied, all else becomes
    AAC. `has_sound` says whether that works. Raises `VideoError` where the file cannot be written.
    """

    def __init__(self, target: Path, sound: AudioStream | None) -> None:
        self._container = av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"})
        self._video = self._container.add_stream("libx264", options=X264)
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.time_base = Fraction(1, TICKS_PER_S)
        # Said aloud, as players guess differently.
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._durations: dict[int, int] = {}  # of the frames that are in the encoder
        self._sound = _sound_writer(self._container, sound)
        self.has_sound = self._sound is not None
        # The file cannot begin before the first picture tells its size; sound that is earlier waits.
        self._begun = False
        self._early: list[tuple[av.Packet[AudioStream], float]] = []

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
        """Add a frame, later than the last one, that is shown for so long unless another one follows.

        RGB; the first one's width and height, both even, are the video's, and others are scaled to them.
        """
        if not self._begun:
            self._video.height, self._video.width = image.shape[:2]
            self._begun = True
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
            self._video.width,
            self._video.height,
            "yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts, frame.time_base = round(time_s * TICKS_PER_S), Fraction(1, TICKS_PER_S)
        self._durations[frame.pts] = max(1, round(duration_s * TICKS_PER_S))
        with _translated():
            self._mux(self._video.encode(frame))
        while self._early:
            self.write_sound(*self._early.pop(0))

    def write_sound(self, packet: av.Packet[AudioStream], start_s: float) -> None:
        """Add a packet of the sound, whose times are counted from `start_s` on; damaged ones are left out."""
        if self._sound and not self._begun:
            self._early.append((packet, start_s))
        elif self._sound:
            with _translated():
                self._sound.write(packet, start_s)

    def _mux(self, packets: list[av.Packet[VideoStream]]) -> None:
        for packet in packets:
            # The encoder does not hand durations on, and the last frame's would be lost.
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)


class _Copy:
    """Puts AAC into the file as it is."""

    def __init__(self, container: av.container.OutputContainer, source: AudioStream) -> None:
        self._container = container
        self._stream = container.add_stream_from_template(source)
        self._last_dts: int | None = None

    def write(self, packet: av.Packet[AudioStream], start_s: float) -> None:
        if packet.pts is None or packet.dts is None or not packet.time_base:
            return
        shift = round(start_s / packet.time_base)
        if self._last_dts is not None and packet.dts - shift <= self._last_dts:
            return
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        self._last_dts = packet.dts
        packet.stream = self._stream
        self._container.mux(packet)

    def finish(self) -> None:
        pass


class _Encode:
    """Decodes sound and codes it anew."""

    def __init__(self, container: av.container.OutputContainer, source: AudioStream) -> None:
        self._container = container
        rate = source.rate if source.rate in AAC_RATES else 48_000
        layout = "mono" if source.channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=rate, layout=layout, bit_rate=AAC_BITS_PER_S)
        # async fills gaps with silence, so that sound and picture stay together.
        self._resampler = av.AudioResampler("fltp", layout, rate, 1024, {"async": "1"})

    def write(self, packet: av.Packet[AudioStream], start_s: float) -> None:
        try:
            for frame in packet.decode():
                if frame.pts is None or not frame.time_base:
                    continue
                frame.pts -= round(start_s / frame.time_base)
                self._encode(self._resampler.resample(frame))
        except (av.FFmpegError, ValueError):
            return  # a moment without sound

    def finish(self) -> None:
        self._encode(self._resampler.resample(None))
        for packet in self._stream.encode(None):
            self._container.mux(packet)

    def _encode(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)


def _sound_writer(
    container: av.container.OutputContainer, source: AudioStream | None
) -> _Copy | _Encode | None:
    if source is None or source.codec_context is None or not source.rate or not source.channels:
        return None
    if source.codec_context.name == "aac" and source.codec_context.extradata:
        return _Copy(container, source)
    return _Encode(container, source)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except av.FFmpegError as error:
        raise VideoError(f"The video could not be written ({error.strerror}).") from error
