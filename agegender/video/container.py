"""Open untrusted video files: only accepted formats, and never any file other than the one given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from agegender.errors import VideoError
from agegender.imaging.formats import VIDEOS, names
from agegender.types import Image

MAX_BYTES = 200_000_000
MAX_WIDTH_PX, MAX_HEIGHT_PX = 4096, 3072
"""Maximum size: phones film in 4K and action cameras with their whole sensor, upright or not."""

# FFmpeg demuxers. All others stay disabled for uploads: some open other files and URLs.
FORMATS = "mov,matroska,avi,gif,mpegts,mpeg,asf,flv"

DECODERS = (
    *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9", "mpeg4", "h263", "prores"),
    *("msmpeg4", "msmpeg4v1", "msmpeg4v2", "mpeg1video", "mpeg2video", "dvvideo", "mjpeg", "png", "gif"),
    *("wmv1", "wmv2", "wmv3", "vc1", "flv"),
    *("aac", "aac_latm", "mp2", "mp2float", "mp3", "mp3float", "opus", "libopus", "vorbis", "flac", "alac"),
    *("ac3", "eac3", "dca", "amrnb", "amrwb", "wmav1", "wmav2", "wmapro", "adpcm_ima_wav", "adpcm_ms"),
    *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_mulaw", "pcm_alaw"),
    *("pcm_bluray", "pcm_dvd"),
)
"""FFmpeg names of the codecs that cameras, phones, browsers and Windows write.

The hundreds of others, in which most of its vulnerabilities are found, stay disabled for uploads.
"""

CODEC_OPTIONS = {
    "max_pixels": str(MAX_WIDTH_PX * MAX_HEIGHT_PX),
    "codec_whitelist": ",".join(DECODERS),
}
"""FFmpeg's own limits, because a video may change its size midway."""

MAX_SECONDS = 600
MAX_FRAMES = 120 * MAX_SECONDS

LARGEST_PX = (1920, 1080)
"""Longer and shorter side to which frames are scaled down: larger ones show no more faces, only slower."""

LIMITS = f"up to {MAX_SECONDS // 60} minutes and {MAX_BYTES // 1_000_000} MB"

TOO_LONG = f"The video is longer than {MAX_SECONDS // 60} minutes. Cut out a part of it and try again."
TOO_MANY_FRAMES = f"The video has more than {MAX_FRAMES:,} frames. Cut out a part of it and try again."

EMPTY = "The file is empty. Copy or download it again, or choose another one."
NOT_A_VIDEO = f"This is not a video, or it is damaged. {names(VIDEOS)} can be read."
PICTURE = "This is a picture and no video. Choose it on the page Photos, or with the command “analyze”."
INCOMPLETE = "The video is incomplete: it breaks off before its end. Copy or download it again."
TOO_MANY_BYTES = f"The file is larger than {MAX_BYTES // 1_000_000} MB. Shorten the video and try again."

PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"MM\0*")
PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"avif")

Source = Path | IO[bytes]
"""A file, or an open, seekable one, such as `io.BytesIO`."""


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


@contextmanager
def open_file(source: Source) -> Iterator[IO[bytes]]:
    """Context manager for the file to read.

    Raises `VideoError` if it cannot be opened, is empty, too large or a picture.
    """
    if isinstance(source, Path):
        try:
            file = source.open("rb")
        except OSError as error:
            raise VideoError(f"“{source}” cannot be opened ({error.strerror}).") from error
        with file, open_file(file) as checked:
            yield checked
        return
    if (size := source.seek(0, os.SEEK_END)) == 0:
        raise VideoError(EMPTY)
    if size > MAX_BYTES:
        raise VideoError(TOO_MANY_BYTES)
    if _is_cut_gif(source, size):
        raise VideoError(INCOMPLETE)
    if _is_picture(source):
        raise VideoError(PICTURE)
    yield source


@contextmanager
def open_container(file: IO[bytes]) -> Iterator[InputContainer]:
    """Context manager for the open container in a file, of which nothing is decoded yet.

    The format is recognised by content alone, and no other file or URL is ever opened, whatever the file
    says. Raises `VideoError` if it is not one of `FORMATS`, or cannot be opened.
    """
    file.seek(0)
    try:
        container = av.open(
            file,
            "r",
            options=CODEC_OPTIONS,
            container_options={
                "format_whitelist": FORMATS,
                "codec_whitelist": CODEC_OPTIONS["codec_whitelist"],
            },
            metadata_errors="replace",
            io_open=_refuse,
        )
    except (av.FFmpegError, OSError, ValueError, OverflowError) as error:
        raise VideoError(NOT_A_VIDEO) from error
    with container:
        yield container


def shown_size(width_px: int, height_px: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height to scale frames to: square pixels, even numbers, within `LARGEST_PX`."""
    width, height = float(width_px), float(height_px)
    if aspect and Fraction(1, 4) < aspect < 4:
        width *= float(aspect)
    shrink = min(1.0, LARGEST_PX[0] / max(width, height), LARGEST_PX[1] / min(width, height))
    return max(2, 2 * round(width * shrink / 2)), max(2, 2 * round(height * shrink / 2))


def _refuse(*_: object) -> IO[bytes]:
    raise PermissionError("videos may not open other files")


def _is_cut_gif(file: IO[bytes], size: int) -> bool:
    """Return whether a GIF lacks its last byte, which FFmpeg does not notice."""
    file.seek(0)
    if not file.read(6).startswith(b"GIF8"):
        return False
    file.seek(-min(size, 1024), os.SEEK_END)
    return not file.read().rstrip(b"\0\r\n ").endswith(b";")


def _is_picture(file: IO[bytes]) -> bool:
    file.seek(0)
    head = file.read(12)
    return head.startswith(PICTURE_STARTS) or (head[4:8] == b"ftyp" and head[8:] in PICTURE_BRANDS)
