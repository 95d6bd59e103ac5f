"""A video's stated length, and whether the file ends before it.

What counts is the picture track as shown, after its edits. The length of the whole file also covers second
sound tracks and subtitles, which nobody hears or sees.
"""

from __future__ import annotations

import os
import re
import struct
from typing import IO

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from agegender.errors import VideoError

ENCRYPTED = "The video is encrypted (copy-protected) and cannot be read. Choose another one."

GUESSED = ("mpegts", "mpeg")
"""Formats that state no length: FFmpeg uses the last times in the file, so nothing can be missing."""

ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""GUID of the File Properties Object (Advanced Systems Format, 3.2)."""

EBML_SEGMENT = b"\x18\x53\x80\x67"
HEADER_BYTES = 65_536


class Ending:
    """Tracks packets to tell whether a video ended early."""

    def __init__(self, container: InputContainer, video: VideoStream, file: IO[bytes]) -> None:
        self.packets = 0
        self.seconds = stated_seconds(container, video, file)
        self._whole_s = (container.duration or 0) / av.time_base
        self._format = container.format.name
        self._video = video
        self._starts_s: dict[int, float] = {}
        self._ends_s: dict[int, float] = {}
        self._is_cut = "matroska" in self._format and lacks_bytes(file)

    def see(self, packet: av.Packet[Stream]) -> None:
        """Record a packet; raises `VideoError` if it is encrypted."""
        if packet.has_sidedata("encryption_info"):
            raise VideoError(ENCRYPTED)
        index = packet.stream.index
        if index == self._video.index and packet.size:
            self.packets += 1
        if packet.pts is None or not packet.time_base or packet.is_discard:
            return
        start_s, end_s = (
            float(t * packet.time_base) for t in (packet.pts, packet.pts + (packet.duration or 0))
        )
        self._starts_s[index] = min(self._starts_s.get(index, start_s), start_s)
        self._ends_s[index] = max(self._ends_s.get(index, end_s), end_s)

    def is_early(self) -> bool:
        """Return whether more is missing than the usual inaccuracy of headers."""
        if self._is_cut:
            return True
        if "avi" in self._format and self.packets < 0.9 * self._video.frames - 2:
            return True
        index = self._video.index
        start_s, end_s = self._starts_s.get(index, 0.0), self._ends_s.get(index, 0.0)
        if self.seconds is not None:
            return self.seconds - (end_s - start_s) > _tolerated_s(self.seconds)
        if "flv" in self._format:  # one picture and one sound stream: either may be the longer one
            return self._whole_s - max(self._ends_s.values(), default=0.0) > _tolerated_s(self._whole_s)
        return False


def stated_seconds(container: InputContainer, video: VideoStream, file: IO[bytes]) -> float | None:
    """How long the picture track says it is shown; None if that is not known in advance."""
    kind = container.format.name
    if kind in GUESSED:
        return None
    if kind == "asf":
        return asf_seconds(_header(file))
    if video.duration and video.time_base:
        return float(video.duration * video.time_base)
    start_s = float((video.start_time or 0) * (video.time_base or 0))
    for name, text in video.metadata.items():
        clock = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip())
        if clock and name.upper().startswith("DURATION"):  # also DURATION-eng
            end_s = 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3])
            return (
                end_s - start_s if end_s > start_s else end_s
            )  # FFmpeg counts from 0, others from the start
    return None


def asf_seconds(header: bytes) -> float | None:
    """Length in the header of a WMV file; None if it was streamed while being recorded."""
    at = header.find(ASF_PROPERTIES)
    if at < 0 or len(header) < at + 92:
        return None
    play, _, preroll_ms, flags = struct.unpack_from("<QQQI", header, at + 64)
    seconds = play / 1e7 - preroll_ms / 1e3
    return seconds if not flags & 1 and 0 < seconds < 1e6 else None


def lacks_bytes(file: IO[bytes]) -> bool:
    """Return whether a Matroska file is shorter than its segment claims by more than a fiftieth."""
    header = _header(file)
    at = header.find(EBML_SEGMENT)
    if at < 0 or len(header) < at + 12 or not header[at + 4]:
        return False
    width = 9 - header[at + 4].bit_length()
    value = int.from_bytes(header[at + 4 : at + 4 + width], "big") & ((1 << 7 * width) - 1)
    if value == (1 << 7 * width) - 1:  # unknown, as it was streamed while being recorded
        return False
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(place)
    return at + 4 + width + value - size > 0.02 * value


def _header(file: IO[bytes]) -> bytes:
    place = file.tell()
    file.seek(0)
    header = file.read(HEADER_BYTES)
    file.seek(place)
    return header


def _tolerated_s(seconds: float) -> float:
    return max(0.5, 0.02 * seconds)
