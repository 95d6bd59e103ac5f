"""Cost of a live video frame, compared with the application that this one grew out of.

    python -m benchmarks.live [--json] [--frames 100]
    python -m benchmarks.live --ways    # in a browser, WebRTC against the page's own connection

Everything a frame takes is counted: the decoder's YUV to RGB, faces, tracks, estimates, drawing, and back to
a frame. The old application runs the res10 SSD on every frame and then two Caffe nets on every face; if their
weights cannot be had, random ones stand in, which take as long. Frames of both take turns in one run, on one
core, so that any other load on the machine affects both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import av
import numpy as np

from agegender.analyzer import Analyzer, build_analyzer
from agegender.drawing.annotate import annotate
from agegender.errors import ModelError
from agegender.live.processor import Settings, VideoProcessor
from agegender.live.webrtc import WebRTC, to_image
from agegender.types import Image
from benchmarks import scenes
from benchmarks.seed import seed_analyzer
from benchmarks.timing import one_core

SIZES = ((640, 480), (1280, 720))
FACES = (1, 3, 10)
FPS = 30


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the frames of a video, in milliseconds of CPU time, and their ratio."""

    width_px: int
    height_px: int
    faces: int
    found: int
    seed_found: int
    live_ms: float
    live_p90_ms: float
    seed_ms: float
    ratio: float


def moving(picture: Image, frames: int) -> list[av.VideoFrame]:
    """Frames as a decoder produces them, in which the picture sways by a few pixels."""
    found = []
    for i in range(frames):
        shift = round(4 * np.sin(i / 5)), round(3 * np.cos(i / 7))
        rolled = np.roll(picture, shift, axis=(0, 1))
        found.append(av.VideoFrame.from_ndarray(rolled, format="rgb24").reformat(format="yuv420p"))
    return found


class Seed:
    """Processes a frame as the old application did: every net on every frame."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Annotate a frame."""
        image = to_image(frame, mirror=False)
        return av.VideoFrame.from_ndarray(annotate(image, self._analyzer(image)), format="rgb24")


def cost_ms(recv: Callable[[av.VideoFrame], av.VideoFrame], frame: av.VideoFrame) -> float:
    """CPU time for a frame, including analysis in the background."""
    start_s = time.process_time()
    recv(frame)
    for thread in threading.enumerate():
        if thread.name == "live-analysis":
            thread.join()
    return 1000 * (time.process_time() - start_s)


def measure(width_px: int, height_px: int, faces: int, live: Analyzer, seed: Analyzer, frames: int) -> Row:
    """Cost of frames of this size with this many faces, after one second of warm-up."""
    now_s = [0.0]
    processor = VideoProcessor(Settings(live), clock=lambda: now_s[0])
    old = Seed(seed)
    live_ms, seed_ms = [], []
    for i, frame in enumerate(moving(scenes.tiled(width_px, height_px, faces), FPS + frames)):
        now_s[0] = i / FPS
        live_ms.append(cost_ms(WebRTC(processor).recv, frame))
        if i % 5 == 0:  # it does the same work for each frame
            seed_ms.append(cost_ms(old.recv, frame))
    live_ms, seed_ms = live_ms[FPS:], seed_ms[1:]
    seen = len(processor.latest.tracks) if processor.latest else 0
    median, old_median = statistics.median(live_ms), statistics.median(seed_ms)
    ninetieth = statistics.quantiles(live_ms, n=10)[-1]
    found = len(seed(scenes.tiled(width_px, height_px, faces)).readings)
    return Row(width_px, height_px, faces, seen, found, median, ninetieth, old_median, old_median / median)


def main() -> int:
    """Print a table, or JSON; return 1 if the models needed cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--frames", type=int, default=150, help="frames to measure, 30 a second (150)")
    parser.add_argument("--ways", action="store_true", help="compare the ways that frames come, in Chromium")
    arguments = parser.parse_args()
    if arguments.ways:
        from benchmarks import transports  # lazy: needs the development requirements

        return transports.main(arguments.json)
    one_core()
    try:
        live = build_analyzer("yunet")
        seed, weights = seed_analyzer()
    except ModelError as error:
        print(f"Nothing to measure: {error}", file=sys.stderr)
        return 1
    rows = [measure(*size, faces, live, seed, arguments.frames) for size in SIZES for faces in FACES]
    if arguments.json:
        print(json.dumps({"seed_weights": weights, "rows": [asdict(row) for row in rows]}, indent=1))
        return 0
    print(f"Milliseconds of one core a frame; the old way's Caffe weights are {weights}.\n")
    print("| frame | faces (found: now, then) | now: median | 90 % | then: median | ratio |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.width_px}×{row.height_px} | {row.faces} ({row.found}, {row.seed_found}) | "
            f"{row.live_ms:.1f} | {row.live_p90_ms:.1f} | {row.seed_ms:.0f} | {row.ratio:.0f} |"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
