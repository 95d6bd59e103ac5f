"""Reading videos: what is accepted, and its frames and sound one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import IO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from agegender.errors import VideoError
from agegender.imaging.frames import Matrix, display_matrix, to_image
from agegender.types import Image
from agegender.video.container import (
    CODEC_OPTIONS,
    DECODERS,
    INCOMPLETE,
    MAX_BYTES,
    MAX_HEIGHT_PX,
    MAX_WIDTH_PX,
    Source,
    open_container,
)

MAX_SECONDS = 600
MAX_FRAMES = 120 * MAX_SECONDS

LARGEST_PX = (1920, 1080)
"""The longer and the shorter side that frames are scaled down to: more shows no more faces, only slower."""

LIMITS = f"up to {MAX_SECONDS // 60} minutes and {MAX_BYTES // 1_000_000} MB"

THREADS = 4  # each of the decoder's holds a frame
UNREADABLE_PACKETS = 250
"""So many packets in which there is no picture are enough to give up."""

NO_PICTURE = "There is no video in this file, only sound or other data. Choose another one."
UNKNOWN_CODEC = "The video is stored in a way that cannot be read here. Save it as MP4 (H.264) and try again."
ENCRYPTED = "The video is encrypted (copy-protected) and cannot be read. Choose another one."
DAMAGED = "The video is damaged: no picture in it can be read. Copy or download it again."
TOO_LONG = f"The video is longer than {MAX_SECONDS // 60} minutes. Cut out a part of it and try again."
TOO_MANY_FRAMES = f"The video has more than {MAX_FRAMES:,} frames. Cut out a part of it and try again."
TOO_LARGE = (
    f"The video's pictures are larger than {MAX_WIDTH_PX}×{MAX_HEIGHT_PX} pixels. "
    "Save it with smaller ones and try again."
)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame: RGB pixels, upright, with square pixels, of even width and height; and when it is shown."""

    image: Image
    time_s: float
    duration_s: float


class Footage:
    """An open video. `seconds` is how long it says it is, or None; `start_s` is the time at which it begins
    by its own count; `sound` is its audio stream, or None."""

    def __init__(self, container: InputContainer, file: IO[bytes]) -> None:
        self._container = container
        self._file = file
        self._video = _video_stream(container)
        self.sound = _audio_stream(container)
        self.start_s = (container.start_time or 0) / av.time_base
        duration = container.duration or 0
        self.seconds = duration / av.time_base if duration > 0 else None
        if duration > MAX_SECONDS * av.time_base:
            raise VideoError(TOO_LONG)
        self._view: tuple[Matrix, int, int] | None = None

    @property
    def part_read(self) -> float:
        """How much of the file has been read, 0 to 1."""
        return min(1.0, self._file.tell() / max(1, self._container.size))

    def read(self) -> Iterator[Frame | av.Packet[AudioStream]]:
        """Return frames, their times ascending from about 0, and between them the packets of the sound.

        Frames that are damaged are left out. Raises `VideoError` when none can be read, when the file
        ends before the video does, and when it turns out to be larger than it may.
        """
        ending = _Ending(self._container, self._video)
        frames, last_s = 0, -1.0
        wanted = [self._video, *([self.sound] if self.sound else [])]
        for packet in _translated(self._container.demux(*wanted)):
            ending.see(packet)
            if packet.stream.index != self._video.index:
                if packet.pts is not None and packet.dts is not None:
                    yield packet  # type: ignore[misc]  # it is of `sound`
                continue
            if ending.packets > MAX_FRAMES:
                raise VideoError(TOO_MANY_FRAMES)
            for frame in _decode(packet):
                shot = self._shot(frame, last_s)
                if shot.time_s > MAX_SECONDS:
                    raise VideoError(TOO_LONG)
                if shot.time_s > last_s:
                    frames, last_s = frames + 1, shot.time_s
                    yield shot
            if frames == 0 and ending.packets > UNREADABLE_PACKETS:
                break
        if frames == 0:
            raise VideoError(DAMAGED)
        if ending.is_early(self.start_s):
            raise VideoError(INCOMPLETE)

    def _shot(self, frame: av.VideoFrame, last_s: float) -> Frame:
        rate = self._video.average_rate or Fraction(25)
        time_base = frame.time_base or self._video.time_base or Fraction(1, 25)
        duration_s = float(frame.duration * time_base) if frame.duration else float(1 / rate)
        time_s = last_s + duration_s if frame.pts is None else float(frame.pts * time_base) - self.start_s
        if self._view is None:
            self._view = display_matrix(frame), *_shown_size(frame, self._video.sample_aspect_ratio)
        try:
            return Frame(to_image(frame, *self._view), max(0.0, time_s) if last_s < 0 else time_s, duration_s)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise VideoError(DAMAGED) from error


class _Ending:
    """Says whether a video ended before its time."""

    def __init__(self, container: InputContainer, video: VideoStream) -> None:
        self.packets = 0
        self._video = video
        self._seconds = (container.duration or 0) / av.time_base
        self._end_s = 0.0

    def see(self, packet: av.Packet[Stream]) -> None:
        """Take note of a packet; raises `VideoError` where it is encrypted."""
        if packet.has_sidedata("encryption_info"):
            raise VideoError(ENCRYPTED)
        if packet.stream.index == self._video.index and packet.size:
            self.packets += 1
        if packet.pts is not None and packet.time_base:
            self._end_s = max(self._end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))

    def is_early(self, start_s: float) -> bool:
        """Return whether more is missing than headers are usually wrong by."""
        missing_s = self._seconds - (self._end_s - start_s)
        return missing_s > max(0.5, 0.02 * self._seconds) or self.packets < 0.9 * self._video.frames - 2


@contextmanager
def open_video(source: Source) -> Iterator[Footage]:
    """Return, for `with`, an open video. Raises `VideoError` for all that is no video within the limits."""
    with open_container(source) as (container, file):
        yield Footage(container, file)


def _video_stream(container: InputContainer) -> VideoStream:
    video = container.streams.best("video")
    if not isinstance(video, VideoStream) or Disposition.attached_pic in video.disposition:
        raise VideoError(NO_PICTURE)
    if not _can_be_decoded(video):
        raise VideoError(UNKNOWN_CODEC)
    width, height = video.width, video.height
    if max(width, height) > MAX_WIDTH_PX or min(width, height) > MAX_HEIGHT_PX:
        raise VideoError(TOO_LARGE)
    video.codec_context.options = CODEC_OPTIONS
    video.codec_context.thread_count = THREADS
    video.codec_context.thread_type = "AUTO"
    return video


def _audio_stream(container: InputContainer) -> AudioStream | None:
    sound = container.streams.best("audio")
    if not isinstance(sound, AudioStream) or not _can_be_decoded(sound):
        return None
    sound.codec_context.options = CODEC_OPTIONS
    return sound


def _can_be_decoded(stream: Stream) -> bool:
    return stream.codec_context is not None and stream.codec_context.codec.name in DECODERS


def _shown_size(frame: av.VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Return width and height to scale frames to: square pixels, even numbers, within `LARGEST_PX`."""
    width, height = float(frame.width), float(frame.height)
    if aspect and Fraction(1, 4) < aspect < 4:
        width *= float(aspect)
    shrink = min(1.0, LARGEST_PX[0] / max(width, height), LARGEST_PX[1] / min(width, height))
    return max(2, 2 * round(width * shrink / 2)), max(2, 2 * round(height * shrink / 2))


def _translated(packets: Iterator[av.Packet[Stream]]) -> Iterator[av.Packet[Stream]]:
    try:
        yield from packets
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise VideoError(INCOMPLETE) from error


def _decode(packet: av.Packet[Stream]) -> list[av.VideoFrame]:
    """Return the frames that are complete by now; none where the packet is damaged."""
    try:
        return packet.decode()  # type: ignore[return-value]  # it is of a video stream
    except (av.FFmpegError, ValueError):
        return []
