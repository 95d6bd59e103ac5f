"""Profile of each path (a photograph, a live frame, a second of video) against the hardware's limits."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from agegender import analyzer
from agegender.analyzer import Analyzer, analyze_file
from agegender.detection import yunet
from agegender.estimation import alignment
from agegender.imaging import geometry
from agegender.imaging import io as images
from agegender.live import processor as streaming
from agegender.live.processor import Settings, VideoProcessor
from agegender.live.webrtc import WebRTC
from agegender.tracking import follower
from agegender.video import annotate, reader, writer
from benchmarks import scenes
from benchmarks.live import FPS, cost_ms, moving
from benchmarks.photographs import watched_nets
from benchmarks.timing import Clock

Rows = list[dict[str, Any]]

DETECTOR_MACS_A_PIXEL = 1324.2
"""Multiply-adds of YuNet-n's convolutions, 542.4 million at 640×640, from its graph and ONNX's shapes."""

ESTIMATOR_MACS_A_FACE = 204e6
"""Multiply-adds of the bundled net, counted the same way; see training/README.md."""


def profiles(now: Analyzer, peak: dict[str, float], rounds: int) -> Rows:
    """A row for each step of each path: CPU milliseconds, fraction of the path, fraction at the limit.

    The limit of a net is its multiply-adds at the core's peak, that of scaling down is reading the picture
    once at memory speed. Time in a nested step counts only towards the inner one.
    """
    name, data = next((name, data) for name, (faces, data) in scenes.photographs().items() if faces == 6)
    rows = path_rows(
        f"photograph ({name})",
        now,
        peak,
        lambda: analyze_file(data, now, lambda *look: images.decode_at_least(*look)),
        rounds,
    )
    frames = moving(scenes.tiled(640, 480, 1), FPS * (1 + rounds))
    now_s = [0.0]
    way = WebRTC(VideoProcessor(Settings(now), clock=lambda: now_s[0]))

    def live_frame() -> None:
        now_s[0] += 1 / FPS
        cost_ms(way.recv, frames[round(now_s[0] * FPS) % len(frames)])

    rows += path_rows("live frame (640×480, one face)", now, peak, live_frame, FPS * rounds)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "second.mp4"
        write_video(source, frames[:FPS])
        target = Path(folder) / "framed.mp4"
        rows += path_rows(
            "second of video (640×480, one face)", now, peak, lambda: video_once(source, target, now), rounds
        )
    return rows


def path_rows(
    path: str, now: Analyzer, peak: dict[str, float], once: Callable[[], object], rounds: int
) -> Rows:
    """Rows for one path, which `once` runs."""
    clock = Clock(SIZES)
    with watched_nets(now, clock), clock.on(*STEPS):
        once()
        clock.restart()
        start_s = time.process_time()
        for _ in range(rounds):
            once()
        whole = 1000 * (time.process_time() - start_s)
    steps = {**clock.ms, "the rest": whole - sum(clock.ms.values())}
    return [
        {
            "path": path,
            "step": step,
            "ms": ms / rounds,
            "part, %": 100 * ms / whole,
            "floor ms": clock.size[step] / peak[PEAKS[step]] / 1e6 / rounds if step in PEAKS else None,
        }
        for step, ms in sorted(steps.items(), key=lambda item: -item[1])
    ]


STEPS: tuple[tuple[str, Any, str], ...] = (
    ("decoding", images, "decode_at_least"),
    ("making smaller, for the detector", geometry, "at_most"),
    ("making smaller, for the detector", geometry, "at_most"),
    ("into the detector's numbers", yunet, "letterbox"),
    ("reading the detector's grids", yunet, "decode_grid"),
    ("cutting faces out", alignment, "align"),
    ("warnings", analyzer, "warnings_of"),
    ("warnings", follower, "warnings_of"),
    ("drawing", streaming, "annotate"),
    ("drawing", annotate, "annotate"),
    ("decoding the film", reader, "_decode"),
    ("writing the film", writer.Mp4, "write"),
)
"""Steps other than nets, each with the module and name to time. None is called within another."""

SIZES: dict[str, Callable[..., float]] = {
    "detector": lambda _, feed: DETECTOR_MACS_A_PIXEL * next(iter(feed.values()))[0, 0].size,
    "estimator": lambda _, feed: ESTIMATOR_MACS_A_FACE * len(next(iter(feed.values()))),
    "making smaller, for the detector": lambda image, _: image.nbytes,
}
"""Multiply-adds of nets, and bytes read when scaling down."""

PEAKS = {
    "detector": "billions of multiply-adds a second",
    "estimator": "billions of multiply-adds a second",
    "making smaller, for the detector": "GB copied a second",
}


def write_video(path: Path, frames: list[av.VideoFrame]) -> None:
    """Write the frames as a video at 30 frames per second."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for number, frame in enumerate(frames):
            frame.pts = number
            film.mux(stream.encode(frame))
        film.mux(stream.encode())


def video_once(source: Path, target: Path, now: Analyzer) -> None:
    """Annotate a video, and discard the result."""
    for _ in annotate.annotate_video(source, target, now):
        pass
    target.unlink()
