"""The interface of video readers: frames and sound, within limits."""

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
"""Longer and shorter side to which frames are scaled down: larger ones show no more faces, only slower."""

LIMITS = f"up to {MAX_SECONDS // 60} minutes and {MAX_BYTES // 1_000_000} MB"

TOO_LONG = f"The video is longer than {MAX_SECONDS // 60} minutes. Cut out a part of it and try again."
TOO_MANY_FRAMES = f"The video has more than {MAX_FRAMES:,} frames. Cut out a part of it and try again."


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame: RGB, upright, square pixels, even width and height; and when it is shown."""

    image: Image
    time_s: float
    duration_s: float


class Footage(Protocol):
    """An open video.

    `seconds` is its stated length, or None; `start_s` the time at which it begins by its own clock; `sound`
    its audio stream, or None; `has_lost_sound` says that there is one that cannot be decoded; `is_large` that
    its reader needs so much memory that the writer should be frugal.
    """

    seconds: float | None
    start_s: float
    sound: AudioStream | None
    has_lost_sound: bool
    is_large: bool

    @property
    def part_read(self) -> float:
        """Fraction of the file that has been read, 0 to 1."""
        ...

    def read(self) -> Iterator[Frame | av.Packet[AudioStream]]:
        """Yield frames, with times ascending from about 0, interleaved with the packets of the sound.

        Damaged frames are left out. Raises `VideoError` if none can be read, if the file ends before the
        video does, and if it turns out to be larger than allowed.
        """
        ...


def shown_size(width_px: int, height_px: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height to scale frames to: square pixels, even numbers, within `LARGEST_PX`."""
    width, height = float(width_px), float(height_px)
    if aspect and Fraction(1, 4) < aspect < 4:
        width *= float(aspect)
    shrink = min(1.0, LARGEST_PX[0] / max(width, height), LARGEST_PX[1] / min(width, height))
    return max(2, 2 * round(width * shrink / 2)), max(2, 2 * round(height * shrink / 2))
