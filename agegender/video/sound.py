"""The sound of an MP4 file: copied where it is AAC, coded anew where it is not, gaps and all."""

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
"""Samples that AAC codes at once."""

GAP_S = 0.06
"""A gap this long is filled with silence, so that sound and picture stay together; shorter ones, as times
are rounded, are not heard."""

LONGEST_S = 1.0
"""No packet of sound is longer, whatever it says."""


class Sound(Protocol):
    """Puts sound into a file."""

    def write(self, packet: av.Packet[AudioStream], start_s: float) -> None:
        """Add a packet, whose times are counted from `start_s` on; damaged ones are left out."""
        ...

    def finish(self) -> None:
        """Add what is still held back."""
        ...


def sound_writer(container: OutputContainer, source: AudioStream | None) -> Sound | None:
    """Return what puts the sound of an open stream into the file; None where there is none to put."""
    if source is None or source.codec_context is None or not source.rate or not source.channels:
        return None
    if source.codec_context.name == "aac" and source.codec_context.extradata and source.rate in RATES:
        return _Copy(container, source)
    return _Encode(container, source)


class _Copy:
    """Puts AAC into the file as it is."""

    def __init__(self, container: OutputContainer, source: AudioStream) -> None:
        self._container = container
        self._stream = container.add_stream_from_template(source)
        self._time_base = Fraction(1, source.rate)  # as the file counts: finer times would fall together
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
    """Decodes sound and codes it anew."""

    def __init__(self, container: OutputContainer, source: AudioStream) -> None:
        self._container = container
        self._rate = source.rate if source.rate in RATES else 48_000
        layout = "mono" if source.channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=self._rate, layout=layout, bit_rate=BITS_PER_S)
        self._layout = layout
        self._resampler = self._new_resampler()
        self._next: int | None = None  # the number of the sample that comes next

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
        except ValueError:  # from here on the sound has another rate or other channels
            self._resampler = self._new_resampler()
            return self._resampler.resample(frame)

    def _place(self, at: int, frames: list[av.AudioFrame]) -> None:
        """Code frames that begin at the sample `at`, after silence where there is a gap before them."""
        if self._next is None:
            self._next = max(0, at)
        if at - self._next > GAP_S * self._rate:
            while self._next + BLOCK <= at:
                self._encode([self._silence()])
        elif self._next - at > LONGEST_S * self._rate:
            return  # it was played already
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
