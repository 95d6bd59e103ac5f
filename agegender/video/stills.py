"""Animated WebP, which FFmpeg does not read: frames by way of Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import av
import numpy as np
import PIL.Image
from av.audio.stream import AudioStream

from agegender.errors import VideoError
from agegender.imaging.frames import to_image
from agegender.types import Image
from agegender.video.container import (
    INCOMPLETE,
    MAX_SECONDS,
    NOT_A_VIDEO,
    PICTURE,
    TOO_LONG,
    Frame,
    shown_size,
)
from agegender.video.streams import check_size

LEAST_MS, USUAL_MS = 11, 100
"""Browsers show pictures with a duration of 10 ms or less for a tenth of a second."""


class Pictures:
    """Footage of pictures read by Pillow."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.part_read, self.start_s = 0.0, 0.0
        self.seconds: float | None = None
        self.sound: AudioStream | None = None
        self.has_lost_sound = self.is_large = False

    def read(self) -> Iterator[Frame | av.Packet[AudioStream]]:
        """Yield the frames; raises `VideoError` as `webp_frames` does, and beyond the maximum length."""
        for image, time_s, duration_s, part in webp_frames(self._file):
            self.part_read = part
            if time_s > MAX_SECONDS:
                raise VideoError(TOO_LONG)
            height_px, width_px = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            yield Frame(to_image(frame, None, *shown_size(width_px, height_px, None)), time_s, duration_s)


def is_webp(file: IO[bytes]) -> bool:
    """Return whether a file claims to be WebP; it is rewound."""
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    return head[:4] == b"RIFF" and head[8:] == b"WEBP"


def webp_pixels(file: IO[bytes]) -> int:
    """Number of pixels in a WebP file's pictures, each of which takes Pillow sixteen bytes."""
    with _opened(file) as picture:
        return picture.width * picture.height


def webp_frames(file: IO[bytes]) -> Iterator[tuple[Image, float, float, float]]:
    """Yield the frames of an animated WebP file.

    Each is RGB with transparency over white, its time and duration in seconds, and the fraction of the file
    done. Raises `VideoError` if it holds a single picture, or is too large, damaged or truncated.
    """
    with _opened(file) as picture:
        count = getattr(picture, "n_frames", 1)
        if count < 2:
            raise VideoError(PICTURE)
        time_ms = 0.0
        for number in range(count):
            picture.seek(number)
            rgba = np.asarray(picture.convert("RGBA"))
            ms = picture.info.get("duration", USUAL_MS)
            ms = ms if ms >= LEAST_MS else USUAL_MS
            yield _over_white(rgba), time_ms / 1000, ms / 1000, (number + 1) / count
            time_ms += ms


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[PIL.Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = PIL.Image.open(file, formats=("WEBP",))
        with picture:
            check_size(*picture.size)
            yield picture
    except (EOFError, OSError, SyntaxError) as error:
        raise VideoError(INCOMPLETE if is_cut(file) else NOT_A_VIDEO) from error
    except (ValueError, PIL.Image.DecompressionBombError) as error:
        raise VideoError(NOT_A_VIDEO) from error


def is_cut(file: IO[bytes]) -> bool:
    """Return whether a RIFF file is shorter than it claims."""
    file.seek(4)
    stated = int.from_bytes(file.read(4), "little") + 8
    return file.seek(0, 2) < stated


def _over_white(rgba: Image) -> Image:
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    if alpha.min() == 255:
        return np.ascontiguousarray(rgb)
    return (255 - (255 - rgb.astype(np.uint16)) * alpha // 255).astype(np.uint8)
