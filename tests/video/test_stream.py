"""A server that breaks off, on this machine: it is called anew, and people keep their numbers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from rtsp import camera, encoded
from stubs import Stub

from agegender.analyzer import Analyzer
from agegender.cli import console
from agegender.cli.main import main
from agegender.errors import VideoError
from agegender.types import Box
from agegender.video.stream import Second, watch_stream


def recording(folder: Path, kind: str, codec: str) -> bytes:
    """Return two seconds of one bright picture."""
    path = folder / f"recording.{kind}"
    with av.open(str(path), "w", format=kind) as file:
        video = file.add_stream(codec, rate=10)
        assert isinstance(video, VideoStream)
        video.width, video.height = 160, 120
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for i in range(20):
            image = np.full((120, 160, 3), 150 + i, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 10)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path.read_bytes()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Return what serves answers, one a call and then 404s, and gives the address."""
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: bytes, kind: str = "video/mp2t") -> str:
        left = list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not left:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(left.pop(0))

            def log_message(self, *_: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/camera"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def watched(address: str, sleeps: list[float], until: int) -> list[Second]:
    """Watch until so many calls were broken off, at a tenth of a second a frame."""
    stub, ticks = Stub(Box(0.25, 0.25, 0.75, 0.75)), count()
    found: list[Second] = []
    watch = watch_stream(address, Analyzer(stub, stub), clock=lambda: next(ticks) / 10, sleep=sleeps.append)
    with closing(watch) as seconds:
        for second in seconds:
            found.append(second)
            if sum(bool(each.trouble) for each in found) == until:
                break
    return found


@pytest.mark.parametrize(
    ("kind", "codec", "served_as"),
    [("mpegts", "libx264", "video/mp2t"), ("mpjpeg", "mjpeg", "multipart/x-mixed-replace;boundary=ffmpeg")],
)
def test_it_is_called_anew_when_it_breaks_off(
    tmp_path: Path, serve: Callable[..., str], kind: str, codec: str, served_as: str
) -> None:
    data = recording(tmp_path, kind, codec)
    sleeps: list[float] = []
    found = watched(serve(data, data, kind=served_as), sleeps, until=4)
    seconds = [second for second in found if second.tracks]
    assert {track.number for second in seconds for track in second.tracks} == {1}
    assert len(seconds) >= 4
    assert seconds[0].size_px == (160, 120)
    times = [second.time_s for second in found]
    assert times == sorted(times)
    assert sleeps == [1.0, 1.0, 2.0]  # longer each time that brings no picture


def test_a_camera_of_rtsp_is_called_anew_when_it_hangs_up() -> None:
    frames, sleeps = encoded(), list[float]()
    with camera(frames, frames) as address:
        found = watched(address, sleeps, until=3)
    seconds = [second for second in found if second.tracks]
    assert {track.number for second in seconds for track in second.tracks} == {1}
    assert len(seconds) >= 2
    assert seconds[-1].size_px == (160, 120)
    assert sleeps[:2] == [1.0, 1.0]


def test_an_address_that_leads_nowhere_is_told(serve: Callable[..., str]) -> None:
    with pytest.raises(VideoError, match="Nothing can be read"):
        watched(serve(), [], until=1)


@pytest.mark.parametrize(
    "address", ["file:///etc/hostname", "/etc/hostname", "concat:a|b", "rtsp://", "x.mp4"]
)
def test_nothing_but_addresses_of_servers_is_opened(address: str) -> None:
    with pytest.raises(VideoError, match="no address"):
        watched(address, [], until=1)


def test_a_list_of_files_on_the_server_opens_no_file_here(tmp_path: Path, serve: Callable[..., str]) -> None:
    (tmp_path / "secret.ts").write_bytes(recording(tmp_path, "mpegts", "libx264"))
    listing = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{tmp_path}/secret.ts\n#EXT-X-ENDLIST\n"
    with pytest.raises(VideoError, match="Nothing can be read"):
        watched(serve(*[listing.encode()] * 3, kind="application/vnd.apple.mpegurl"), [], until=1)


def test_the_command_prints_a_line_a_person_and_second(
    tmp_path: Path,
    serve: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stub = Stub(Box(0.25, 0.25, 0.75, 0.75))
    monkeypatch.setattr(console, "build_analyzer", lambda *_: Analyzer(stub, stub))

    def end(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch_stream, "__defaults__", (10.0, _clock(), end))
    address = serve(recording(tmp_path, "mpegts", "libx264"))
    assert main(["video", address, "--stream"]) == 130
    printed = capsys.readouterr()
    first, *_ = [json.loads(line) for line in printed.out.splitlines()]
    assert (first["person"], first["gender"]) == (1, {"label": "Female", "probability": 0.97})
    assert first["box"] == [40.0, 30.0, 120.0, 90.0]
    assert "broke off" in printed.err


def _clock() -> Callable[[], float]:
    ticks = count()
    return lambda: next(ticks) / 10


def test_a_stream_writes_no_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["video", "http://127.0.0.1:9/x", "--stream", "--out", str(tmp_path / "o.mp4")]) == 1
    assert "--out" in capsys.readouterr().err
    assert main(["video", "http://127.0.0.1:9/x"]) == 1
    assert "--out" in capsys.readouterr().err
