"""The sound of an MP4 file: AAC is copied, anything else is re-encoded, gaps included."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
BITS_PER_S = 128_000

BLOCK = 1024
"""Samples per AAC frame."""

GAP_S = 0.06
"""Minimum length of a gap to be filled with silence, which keeps sound and picture in sync.

Shorter ones come from rounded times, and are inaudible.
"""

LONGEST_S = 1.0
"""Maximum length of a packet of sound, whatever it claims."""


class Sound(Protocol):
    """Writes sound to a file."""

    def write(self, packet: av.Packet[AudioStream], start_s: float) -> None:
        """Add a packet, with times relative to `start_s`; damaged ones are left out."""
        ...

    def finish(self) -> None:
        """Add what is still buffered."""
        ...


def sound_writer(container: OutputContainer, source: AudioStream | None) -> Sound | None:
    """A writer for the sound of an open stream; None if there is none to write."""
    if source is None or source.codec_context is None or not source.rate or not source.channels:
        return None
    if source.codec_context.name == "aac" and source.codec_context.extradata and source.rate in RATES:
        return _Copy(container, source)
    return _Encode(container, source)


class _Copy:
    """Copies AAC as it is."""

    def __init__(self, container: OutputContainer, source: AudioStream) -> None:
        self._container = container
        self._stream = container.add_stream_from_template(source)
        self._time_base = Fraction(1, source.rate)  # the file's own clock: finer times would collide
        self._last = -(1 << 62)

    def write(self, packet: av.Packet[AudioStream], start_s: float) -> None:
        if packet.pts is None or packet.dts is None or not packet.time_base:
            return
        scale, shift = packet.time_base / self._time_base, round(start_s / self._time_base)
        dts, pts = round(packet.dts * scale) - shift, round(packet.pts * scale) - shift
        if dts <= self._last or pts < dts:
            return
        longest = round(LONGEST_S / self._time_base)
        duration = min(round((packet.duration or 0) * scale), longest)
        packet.time_base, packet.dts, packet.pts, packet.duration = self._time_base, dts, pts, duration
        self._last = dts
        packet.stream = self._stream
        self._container.mux(packet)

    def finish(self) -> None:
        pass


class _Encode:
    """Decodes and re-encodes sound."""

    def __init__(self, container: OutputContainer, source: AudioStream) -> None:
        self._container = container
        self._rate = source.rate if source.rate in RATES else 48_000
        layout = "mono" if source.channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=self._rate, layout=layout, bit_rate=BITS_PER_S)
        self._layout = layout
        self._resampler = self._new_resampler()
        self._next: int | None = None  # the number of the next sample

    def write(self, packet: av.Packet[AudioStream], start_s: float) -> None:
        try:
            for frame in packet.decode():
                if frame.pts is None or not frame.time_base:
                    continue
                time_s = float(frame.pts * frame.time_base) - start_s
                frame.pts = None
                self._place(round(time_s * self._rate), self._resampled(frame))
        except (av.FFmpegError, ValueError):
            return  # a moment without sound

    def finish(self) -> None:
        if self._next is not None:
            self._encode(self._resampler.resample(None))
        for packet in self._stream.encode(None):
            self._container.mux(packet)

    def _new_resampler(self) -> av.AudioResampler:
        return av.AudioResampler("fltp", self._layout, self._rate)

    def _resampled(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        try:
            return self._resampler.resample(frame)
        except ValueError:  # from here on, the sound has another rate or other channels
            self._resampler = self._new_resampler()
            return self._resampler.resample(frame)

    def _place(self, at: int, frames: list[av.AudioFrame]) -> None:
        """Encode frames that begin at the sample `at`, after silence if there is a gap before them."""
        if self._next is None:
            self._next = max(0, at)
        if at - self._next > GAP_S * self._rate:
            while self._next + BLOCK <= at:
                self._encode([self._silence()])
        elif self._next - at > LONGEST_S * self._rate:
            return  # already played
        self._encode(frames)

    def _silence(self) -> av.AudioFrame:
        channels = 1 if self._layout == "mono" else 2
        frame = av.AudioFrame.from_ndarray(np.zeros((channels, BLOCK), np.float32), "fltp", self._layout)
        frame.sample_rate = self._rate
        return frame

    def _encode(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            assert self._next is not None
            frame.pts, frame.time_base = self._next, Fraction(1, self._rate)
            self._next += frame.samples
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
