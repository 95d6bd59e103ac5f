"""Read videos: frames and sound in playing order, within limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import IO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream

from agegender.errors import VideoError
from agegender.imaging.frames import Matrix, display_matrix, to_image, tone_mapper_for
from agegender.imaging.hdr import ToneMapper
from agegender.video.container import (
    INCOMPLETE,
    MAX_FRAMES,
    MAX_SECONDS,
    TOO_LONG,
    TOO_MANY_FRAMES,
    Footage,
    Frame,
    Source,
    open_container,
    open_file,
    shown_size,
)
from agegender.video.length import GUESSED, Ending
from agegender.video.stills import Pictures, is_webp, webp_pixels
from agegender.video.streams import Continuity, audio_stream, is_audible, video_stream

MAX_LEAD_S = 60.0
"""How much earlier than the picture sound may begin."""

LARGE_PX = 2560 * 1440
"""Of a frame; the decoder of H.264 may hold more than ten."""

LEADING_S = 0.1
"""Sound that only primes the decoder and is not played."""

UNREADABLE_PACKETS = 250
"""Give up after this many packets without a picture."""

DAMAGED = "The video is damaged: no picture in it can be read. Copy or download it again."


class _Film:
    """Footage read by FFmpeg."""

    def __init__(self, container: InputContainer, file: IO[bytes], audible: bool) -> None:
        self._container = container
        self._file = file
        self._video = video_stream(container)
        self.sound = audio_stream(container) if audible else None
        self.has_lost_sound = bool(container.streams.audio) and self.sound is None
        self.is_large = self._video.width * self._video.height > LARGE_PX
        self._ending = Ending(container, self._video, file)
        self.seconds = self._ending.seconds
        self.start_s = _start_s(self._video, self.sound)
        if (self.seconds or 0.0) > MAX_SECONDS:
            raise VideoError(TOO_LONG)
        self._view: tuple[Matrix, int, int] | None = None
        self._tone_mapper: ToneMapper | None = None

    @property
    def part_read(self) -> float:
        return min(1.0, self._file.tell() / max(1, self._container.size))

    def read(self) -> Iterator[Frame | av.Packet[AudioStream]]:
        ending, frames, last_s = self._ending, 0, -1.0
        for packet in self._packets():
            ending.see(packet)
            if packet.stream.index != self._video.index:
                if self._is_heard(packet):
                    yield packet  # type: ignore[misc]  # belongs to `sound`
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
                del shot  # a large picture, which is not to be held while the next one is made
            if frames == 0 and ending.packets > UNREADABLE_PACKETS:
                break
        if frames == 0:
            raise VideoError(DAMAGED)
        if ending.is_early():
            raise VideoError(INCOMPLETE)

    def _packets(self) -> Iterator[av.Packet[Stream]]:
        wanted = [self._video, *([self.sound] if self.sound else [])]
        packets = _translated(self._container.demux(*wanted))
        return Continuity().follow(packets) if self._container.format.name in GUESSED else packets

    def _is_heard(self, packet: av.Packet[Stream]) -> bool:
        """Return whether sound is played: not cut by edits, nor past the maximum length of a video."""
        if packet.pts is None or packet.dts is None or not packet.time_base:
            return False
        time_s = float(packet.pts * packet.time_base) - self.start_s
        return -LEADING_S <= time_s <= MAX_SECONDS

    def _shot(self, frame: av.VideoFrame, last_s: float) -> Frame:
        rate = self._video.average_rate or Fraction(25)
        time_base = frame.time_base or self._video.time_base or Fraction(1, 25)
        duration_s = float(frame.duration * time_base) if frame.duration else float(1 / rate)
        duration_s = min(max(0.0, duration_s), float(MAX_SECONDS))
        time_s = last_s + duration_s if frame.pts is None else float(frame.pts * time_base) - self.start_s
        if self._view is None:
            aspect = self._video.sample_aspect_ratio
            self._view = display_matrix(frame), *shown_size(frame.width, frame.height, aspect)
            self._tone_mapper = tone_mapper_for(frame)
        try:
            image = to_image(frame, *self._view, self._tone_mapper)
            return Frame(image, max(0.0, time_s) if last_s < 0 else time_s, duration_s)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise VideoError(DAMAGED) from error


@contextmanager
def open_video(source: Source) -> Iterator[Footage]:
    """Context manager for an open video. Raises `VideoError` for anything but a video within the limits."""
    with open_file(source) as file:
        if is_webp(file):
            yield Pictures(file)
            return
        audible = is_audible(file)
        with open_container(file) as container:
            yield _Film(container, file, audible)


def pixels_of(source: Source) -> int:
    """Number of pixels in a video's frames. Raises `VideoError` as `open_video` does."""
    with open_file(source) as file:
        if is_webp(file):
            return webp_pixels(file)
        with open_container(file) as container:
            video = video_stream(container)
            return video.width * video.height


def _start_s(video: Stream, sound: Stream | None) -> float:
    """Start of the picture, or of the sound if that is slightly earlier."""
    starts_s = [
        float((stream.start_time or 0) * (stream.time_base or 0)) for stream in (video, sound) if stream
    ]
    return max(min(starts_s), starts_s[0] - MAX_LEAD_S)


def _translated(packets: Iterator[av.Packet[Stream]]) -> Iterator[av.Packet[Stream]]:
    try:
        yield from packets
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise VideoError(INCOMPLETE) from error


def _decode(packet: av.Packet[Stream]) -> list[av.VideoFrame]:
    """Frames completed by a packet; none if it is damaged."""
    try:
        return packet.decode()  # type: ignore[return-value]  # it is of a video stream
    except (av.FFmpegError, ValueError):
        return []
