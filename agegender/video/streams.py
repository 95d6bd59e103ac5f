"""Choose the streams of a file to play: its picture, and the sound that goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from agegender.errors import VideoError
from agegender.video.container import CODEC_OPTIONS, DECODERS, MAX_HEIGHT_PX, MAX_WIDTH_PX, open_container

T = TypeVar("T", bound=Stream)

THREADS, LARGE_THREADS = 2, 1  # each decoder thread holds a frame
LARGE_PX = 3840 * 2160

TRIED_PACKETS = 50
"""Packets within which decodable sound yields some."""

NO_PICTURE = "There is no video in this file, only sound or other data. Choose another one."
UNKNOWN_CODEC = "The video is stored in a way that cannot be read here. Save it as MP4 (H.264) and try again."
TOO_LARGE = (
    f"The video's pictures are larger than {MAX_WIDTH_PX}×{MAX_HEIGHT_PX} pixels. "
    "Save it with smaller ones and try again."
)


def video_stream(container: InputContainer) -> VideoStream:
    """The picture stream that players show, ready to decode.

    Raises `VideoError` if there is none, if it cannot be decoded or if it is too large.
    """
    shown = [
        stream for stream in container.streams.video if Disposition.attached_pic not in stream.disposition
    ]
    if not shown:
        raise VideoError(NO_PICTURE)
    video = _first(shown)
    if not can_be_decoded(video):
        raise VideoError(UNKNOWN_CODEC)
    check_size(video.width, video.height)
    video.codec_context.options = CODEC_OPTIONS
    large = video.width * video.height > LARGE_PX
    video.codec_context.thread_count = LARGE_THREADS if large else THREADS
    video.codec_context.thread_type = "AUTO"
    return video


def check_size(width: int, height: int) -> None:
    """Raise `VideoError` if pictures of this size are too large."""
    if max(width, height) > MAX_WIDTH_PX or min(width, height) > MAX_HEIGHT_PX:
        raise VideoError(TOO_LARGE)


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The sound stream that players play, ready to decode; None if there is none that can be decoded."""
    known = [stream for stream in container.streams.audio if can_be_decoded(stream)]
    if not known:
        return None
    sound = _first(known)
    sound.codec_context.options = CODEC_OPTIONS
    return sound


def can_be_decoded(stream: Stream) -> bool:
    """Return whether the stream's codec is enabled for uploads."""
    return stream.codec_context is not None and stream.codec_context.codec.name in DECODERS


def is_audible(file: IO[bytes]) -> bool:
    """Return whether a file has sound of which at least the beginning can be decoded."""
    with open_container(file) as container:
        sound = audio_stream(container)
        if sound is None:
            return False
        try:
            for tried, packet in enumerate(container.demux(sound)):
                if packet.size and _holds_sound(packet):
                    return True
                if tried > TRIED_PACKETS:
                    break
        except (av.FFmpegError, ValueError, OverflowError):
            return False
    return False


def _holds_sound(packet: av.Packet[AudioStream]) -> bool:
    try:
        return any(frame.samples for frame in packet.decode())
    except (av.FFmpegError, ValueError):
        return False


def _first(streams: Sequence[T]) -> T:
    """The stream that players choose: the first one marked as default, otherwise the first."""
    return next((stream for stream in streams if Disposition.default in stream.disposition), streams[0])


JUMP_S, BACK_S = 10.0, 1.0
"""Deviation from the expected time, ahead or back, from which a packet starts another recording.

FFmpeg's own thresholds.
"""


CLOSE_S = 1.0


class Continuity:
    """Makes times of transport and program streams continuous across jumps, keeping sound in sync."""

    def __init__(self) -> None:
        self._shift_s = 0.0  # the latest of any stream
        self._shifts_s: dict[int, float] = {}
        self._expected_s: dict[int, float] = {}

    def follow(self, packets: Iterator[av.Packet[Stream]]) -> Iterator[av.Packet[Stream]]:
        """Yield the packets, with their times shifted if necessary."""
        for packet in packets:
            if packet.dts is not None and packet.time_base:
                self._shift(packet, float(packet.dts * packet.time_base))
            yield packet

    def _shift(self, packet: av.Packet[Stream], dts_s: float) -> None:
        index = packet.stream.index
        shift_s = self._shifts_s.get(index, self._shift_s)
        expected_s = self._expected_s.get(index)
        if expected_s is not None and not -BACK_S <= dts_s + shift_s - expected_s <= JUMP_S:
            close = abs(dts_s + self._shift_s - expected_s) <= CLOSE_S
            shift_s = self._shift_s if close else expected_s - dts_s
            self._shift_s = shift_s
        self._shifts_s[index] = shift_s
        duration_s = float((packet.duration or 0) * packet.time_base)
        self._expected_s[index] = dts_s + shift_s + duration_s
        ticks = round(shift_s / packet.time_base)
        packet.dts = (packet.dts or 0) + ticks
        if packet.pts is not None:
            packet.pts += ticks
