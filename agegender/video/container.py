"""Opening files that strangers say are videos: what is accepted, and nothing but the file itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import av
from av.container import InputContainer

from agegender.errors import VideoError

MAX_BYTES = 200_000_000
MAX_WIDTH_PX, MAX_HEIGHT_PX = 4096, 2304
"""As telephones film in 4K, upright or not."""

# Demuxers, in FFmpeg's names. All others stay shut to uploads: some open other files and addresses.
FORMATS = "mov,matroska,avi,gif"

DECODERS = (
    *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9", "mpeg4", "h263", "prores"),
    *("msmpeg4", "msmpeg4v1", "msmpeg4v2", "mpeg1video", "mpeg2video", "dvvideo", "mjpeg", "png", "gif"),
    *("aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "flac", "alac", "ac3", "eac3", "amrnb", "amrwb"),
    *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_mulaw", "pcm_alaw"),
)
"""What cameras, telephones and browsers write, in FFmpeg's names. The hundreds of others, in which most of
its vulnerabilities are found, stay shut to uploads."""

CODEC_OPTIONS = {
    "max_pixels": str(MAX_WIDTH_PX * MAX_HEIGHT_PX),
    "codec_whitelist": ",".join(DECODERS),
}
"""FFmpeg's own limits, as the pictures of a video can grow on the way."""

EMPTY = "The file is empty. Copy or download it again, or choose another one."
NOT_A_VIDEO = "This is not a video, or it is damaged. MP4, MOV, WebM, MKV, AVI and GIF files can be read."
INCOMPLETE = "The video is incomplete: it breaks off before its end. Copy or download it again."
TOO_MANY_BYTES = f"The file is larger than {MAX_BYTES // 1_000_000} MB. Shorten the video and try again."

Source = Path | IO[bytes]
"""A file, or one that is open for reading and can be wound back, such as `io.BytesIO`."""


@contextmanager
def open_container(source: Source) -> Iterator[tuple[InputContainer, IO[bytes]]]:
    """Return, for `with`, an open container and the file it reads; nothing of it is decoded yet.

    What is in the file alone says what it is, and no other file or address is ever opened, whatever it
    says. Raises `VideoError` for a file that is empty, too large, none of `FORMATS`, or cannot be opened.
    """
    if isinstance(source, Path):
        with _open_file(source) as file, open_container(file) as opened:
            yield opened
        return
    if (size := source.seek(0, os.SEEK_END)) == 0:
        raise VideoError(EMPTY)
    if size > MAX_BYTES:
        raise VideoError(TOO_MANY_BYTES)
    if _is_cut_gif(source, size):
        raise VideoError(INCOMPLETE)
    source.seek(0)
    try:
        container = av.open(
            source,
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
        yield container, source


def _open_file(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise VideoError(f"“{path}” cannot be opened ({error.strerror}).") from error


def _refuse(*_: object) -> IO[bytes]:
    raise PermissionError("videos may not open other files")


def _is_cut_gif(file: IO[bytes], size: int) -> bool:
    """Return whether a GIF lacks its last byte: FFmpeg sees no difference."""
    file.seek(0)
    if not file.read(6).startswith(b"GIF8"):
        return False
    file.seek(-min(size, 1024), os.SEEK_END)
    return not file.read().rstrip(b"\0\r\n ").endswith(b";")
