"""Watch a network camera or server for as long as wanted: who is there, once a second.

Only for URLs given by whoever runs the program. Files must never make FFmpeg open URLs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import av

from agegender.analyzer import Analyzer
from agegender.errors import VideoError
from agegender.imaging.frames import to_image
from agegender.tracking.follower import Follower
from agegender.tracking.tracker import Track
from agegender.video.container import CODEC_OPTIONS, shown_size
from agegender.video.streams import video_stream

ADDRESS = re.compile(r"(rtsps?|https?)://[^/\s]+", re.IGNORECASE)
PROTOCOLS = "rtp,rtsp,srtp,udp,tcp,tls,http,https,crypto"
FORMATS = "rtsp,sdp,rtp,mpegts,flv,matroska,mov,hls,mpjpeg,mjpeg,h264,hevc"

NO_ADDRESS = "That is no address of a stream. It begins with rtsp:// or http://."
NOT_THERE = "Nothing can be read from “{}”. Is the address right, and can it be reached?"

OPEN_S, READ_S = 15.0, 10.0
"""Time-outs for opening a stream and for silence, after which the server is contacted again."""

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Wait before reconnecting, doubled after each attempt without a picture."""

LATE_S = 1.0
"""Lag behind the camera from which frames are decoded but not analysed, until caught up."""


@dataclass(frozen=True, slots=True)
class Second:
    """Who is in view in one second.

    `time_s` is in seconds since the first picture, `tracks` those with estimates, `size_px` the frame's width
    and height. `trouble` says that the stream broke off, if it did.
    """

    time_s: float
    tracks: tuple[Track, ...] = ()
    size_px: tuple[int, int] = (0, 0)
    trouble: str = ""


def watch_stream(
    address: str,
    analyzer: Analyzer,
    per_second: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Generator[Second, None, None]:
    """Yield who is in view, once a second, reconnecting whenever the stream breaks off.

    People keep their numbers while they are followed. Continues until closed. Raises `VideoError` if the
    address is not a URL, and if not even the first attempt brings a picture.
    """
    if not ADDRESS.match(address):
        raise VideoError(NO_ADDRESS)
    follower, first_s, wait_s = Follower(analyzer), None, FIRST_WAIT_S
    while True:
        told_s = -1.0
        for time_s, tracks, size_px in _looked_at(address, follower, per_second, clock):
            first_s, wait_s = time_s if first_s is None else first_s, FIRST_WAIT_S
            if time_s - told_s >= 1:
                told_s = time_s
                yield Second(time_s - first_s, tracks, size_px)
        if first_s is None:
            raise VideoError(NOT_THERE.format(address))
        yield Second(clock() - first_s, trouble=f"The stream broke off. Calling again in {wait_s:.0f} s.")
        sleep(wait_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def _looked_at(
    address: str, follower: Follower, per_second: float, clock: Callable[[], float]
) -> Iterator[tuple[float, tuple[Track, ...], tuple[int, int]]]:
    """Yield time and tracks of the frames analysed, until the stream breaks off."""
    due_s, ahead_s = 0.0, None
    for frame in _frames(address):
        now_s = clock()
        # By its own clock a stream may arrive in bursts; what counts is the delay relative to the first
        # frames.
        shift_s = now_s - (frame.time if frame.time is not None else now_s)
        ahead_s = shift_s if ahead_s is None else min(ahead_s, shift_s)
        if now_s < due_s or shift_s - ahead_s > LATE_S:
            continue
        due_s = max(due_s + 1 / per_second, now_s)
        image = to_image(frame, None, *shown_size(frame.width, frame.height, None))
        tracks = follower.follow(image, now_s)
        read = tuple(track for track in tracks if track.shown is not None and track.in_view(now_s))
        yield now_s, read, (image.shape[1], image.shape[0])


def _frames(address: str) -> Iterator[av.VideoFrame]:
    """Yield frames until the stream breaks off, for whatever reason."""
    options = {"protocol_whitelist": PROTOCOLS, "format_whitelist": FORMATS}
    options |= {"codec_whitelist": CODEC_OPTIONS["codec_whitelist"]}
    if address.lower().startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    try:
        with av.open(address, "r", container_options=options, timeout=(OPEN_S, READ_S)) as container:
            video = video_stream(container)
            for packet in container.demux(video):
                try:
                    yield from packet.decode()
                except (av.FFmpegError, ValueError):
                    continue  # a damaged frame
    except (av.FFmpegError, OSError, ValueError):
        return
