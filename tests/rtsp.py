"""A camera on the network, as small as it can be: RTSP, with H.264 in RTP over the same TCP connection."""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from socketserver import StreamRequestHandler, ThreadingTCPServer

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=camera
t=0 0
m=video 0 RTP/AVP 96
c=IN IP4 0.0.0.0
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=control:track
""".replace("\n", "\r\n")
TICKS = 9000
"""Of 90,000 a second, between two frames: ten a second."""


def encoded(frames: int = 20) -> list[bytes]:
    """Return so many bright frames of 160×120 as H.264, each with its own start codes."""
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = 160, 120, "yuv420p"
    codec.time_base, codec.options = Fraction(1, 10), {"tune": "zerolatency"}
    pictures = [np.full((120, 160, 3), 150 + i, np.uint8) for i in range(frames)]
    sent = [codec.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")) for picture in pictures]
    return [bytes(packet) for packets in (*sent, codec.encode(None)) for packet in packets]


@contextmanager
def camera(*calls: Sequence[bytes]) -> Iterator[str]:
    """Give the address of a camera that sends the frames of a call and hangs up; later calls get none."""
    left = list(calls)

    class Call(StreamRequestHandler):
        def handle(self) -> None:
            while request := self._request():
                method, number = request
                if method == "DESCRIBE" and not left:
                    return
                self.wfile.write(answer(method, number, f"rtsp://127.0.0.1:{port}/1/").encode())
                if method == "PLAY":
                    for i, frame in enumerate(left.pop(0)):
                        self.wfile.write(packets(frame, i * TICKS))
                    return

        def _request(self) -> tuple[str, str] | None:
            lines = list(iter(lambda: self.rfile.readline().decode("latin-1").strip(), ""))
            number = re.search(r"CSeq: (\d+)", "\n".join(lines))
            return (lines[0].split()[0], number[1]) if number else None

    with ThreadingTCPServer(("127.0.0.1", 0), Call) as server:
        server.daemon_threads = True
        port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"rtsp://127.0.0.1:{port}/1"
        finally:
            server.shutdown()


def answer(method: str, number: str, base: str) -> str:
    """Return what a camera answers to a request."""
    lines = ["RTSP/1.0 200 OK", f"CSeq: {number}", "Session: 1"]
    body = SDP if method == "DESCRIBE" else ""
    if method == "SETUP":
        lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    if body:
        lines += [f"Content-Base: {base}", "Content-Type: application/sdp"]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])


def packets(frame: bytes, ticks: int) -> bytes:
    """Return a frame as RTP packets, one a unit, each with the mark that RTSP puts before it."""
    units = [unit for unit in re.split(rb"\x00\x00\x00?\x01", frame) if unit]
    found = b""
    for i, unit in enumerate(units):
        last = 0x80 if i == len(units) - 1 else 0
        number = (ticks // TICKS * 8 + i) % 2**16
        rtp = struct.pack(">BBHII", 0x80, last | 96, number, ticks, 1) + unit
        found += struct.pack(">cBH", b"$", 0, len(rtp)) + rtp
    return found
