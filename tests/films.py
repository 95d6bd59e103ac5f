"""Video files with known content, made by PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from agegender.types import Image

TICKS = Fraction(1, 1000)
RATE = 48_000


def film(
    path: Path,
    pictures: Iterable[tuple[float, Image]],
    codec: str = "libx264",
    sound: str | None = None,
    *,
    pixels: str = "yuv420p",
    rotation: int = 0,
    mirrored: bool = False,
    container: dict[str, str] | None = None,
    rate: int = 15,
    time_base: Fraction = TICKS,
) -> Path:
    """Write (time in seconds, RGB image) pairs as a video, with a sine wave for sound, and return its path.

    `rotation` is how far players have to turn the pictures, anticlockwise; if `mirrored` is set, they then
    have to mirror them left to right.
    """
    with av.open(str(path), "w", container_options=container or {}) as file:
        video = file.add_stream(codec, rate=rate, options={"crf": "20"} if codec == "libx264" else {})
        audio = file.add_stream(sound, rate=RATE, layout="mono") if sound else None
        assert isinstance(video, VideoStream)
        assert audio is None or isinstance(audio, AudioStream)
        video.pix_fmt, video.codec_context.time_base = pixels, time_base
        if rotation or mirrored:
            video.set_display_rotation(rotation, hflip=mirrored)
        sent = 0
        for i, (time_s, image) in enumerate(pictures):
            if i == 0:
                video.height, video.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(time_s / time_base), time_base
            file.mux(video.encode(frame))
            while audio and sent < (time_s + 1 / rate) * RATE:
                file.mux(audio.encode(sine(sent)))
                sent += 960
        file.mux(video.encode(None))
        if audio:
            file.mux(audio.encode(None))
    return path


def sine(start: int) -> av.AudioFrame:
    """A fiftieth of a second of 440 Hz."""
    wave = 0.3 * np.sin(2 * np.pi * 440 / RATE * np.arange(start, start + 960))
    frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
    return frame


def loudest_hz(path: Path) -> float:
    """The loudest frequency in a file's sound, from the decoded samples alone."""
    with av.open(str(path)) as file:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
        rate = file.streams.audio[0].rate
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(samples.size, 1 / rate)[spectrum.argmax()])


def times_and_images(path: Path) -> list[tuple[float, Image]]:
    """A file's frames with their presentation times, not rotated."""
    with av.open(str(path)) as file:
        return [
            (frame.time, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            for frame in file.decode(video=0)
        ]
