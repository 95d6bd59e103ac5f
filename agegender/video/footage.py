"""What is read of a video, whatever reads it: frames and sound, within limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
from av.audio.stream import AudioStream

from agegender.types import Image
from agegender.video.container import MAX_BYTES

MAX_SECONDS = 600
MAX_FRAMES = 120 * MAX_SECONDS

LARGEST_PX = (1920, 1080)
"""The longer and the shorter side that frames are scaled down to: more shows no more faces, only slower."""

LIMITS = f"up to {MAX_SECONDS // 60} minutes and {MAX_BYTES // 1_000_000} MB"

TOO_LONG = f"The video is longer than {MAX_SECONDS // 60} minutes. Cut out a part of it and try again."
TOO_MANY_FRAMES = f"The video has more than {MAX_FRAMES:,} frames. Cut out a part of it and try again."


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame: RGB pixels, upright, with square pixels, of even width and height; and when it is shown."""

    image: Image
    time_s: float
    duration_s: float


class Footage(Protocol):
    """An open video. `seconds` is how long it says it is, or None; `start_s` is the time at which it begins
    by its own count; `sound` is its audio stream, or None; `has_lost_sound` says whether there is one that
    cannot be decoded; `is_large` whether what reads it holds so much that its writer should be frugal."""

    seconds: float | None
    start_s: float
    sound: AudioStream | None
    has_lost_sound: bool
    is_large: bool

    @property
    def part_read(self) -> float:
        """How much of the file has been read, 0 to 1."""
        ...

    def read(self) -> Iterator[Frame | av.Packet[AudioStream]]:
        """Return frames, their times ascending from about 0, and between them the packets of the sound.

        Frames that are damaged are left out. Raises `VideoError` when none can be read, when the file
        ends before the video does, and when it turns out to be larger than it may.
        """
        ...


def shown_size(width_px: int, height_px: int, aspect: Fraction | None) -> tuple[int, int]:
    """Return width and height to scale frames to: square pixels, even numbers, within `LARGEST_PX`."""
    width, height = float(width_px), float(height_px)
    if aspect and Fraction(1, 4) < aspect < 4:
        width *= float(aspect)
    shrink = min(1.0, LARGEST_PX[0] / max(width, height), LARGEST_PX[1] / min(width, height))
    return max(2, 2 * round(width * shrink / 2)), max(2, 2 * round(height * shrink / 2))
