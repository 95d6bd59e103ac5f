"""How much memory the server takes: idle, with ten people at once, and after much work.

`AGEGENDER_SOAK_PICTURES` (1000) and `AGEGENDER_SOAK_MINUTES` (200, of live video) make it shorter.
"""

from __future__ import annotations

import gc
import itertools
import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from browsing import serve
from clips import clip, face_on
from measuring import Tell, all_mb, latency, memory_mb, number_from, peak_mb, process_of, tell
from visiting import Visitor

from agegender.analyzer import build_analyzer
from agegender.live.processor import Settings, VideoProcessor
from agegender.live.webrtc import WebRTC

__all__ = ["tell"]  # a fixture

PICTURES = int(number_from("AGEGENDER_SOAK_PICTURES", 1000))
MINUTES = number_from("AGEGENDER_SOAK_MINUTES", 200)
FPS = 30
IDLE_MB, PEAK_MB, GROWTH = 350, 690, 1.05


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "log.txt") as address:
        yield address


def file_of(kind: str, width: int, height: int, seed: int) -> bytes:
    """Return a picture with a face, as large a file as a camera's: with noise, each of its own."""
    noise = np.random.default_rng(seed).normal(0, 4, (height, width, 1))
    image = (face_on(width, height, height // 3) + noise).clip(0, 255).astype(np.uint8)
    file = BytesIO()
    PIL.Image.fromarray(image).save(file, kind, quality=90)
    return file.getvalue()


def test_idle(url: str, tell: Tell) -> None:
    with Visitor(url) as visitor:
        visitor.run()
        assert any("Female" in text for text in visitor.texts()), "the models are loaded and have worked"
    idle = all_mb(process_of(url))
    tell(f"idle, the models loaded, with its workers: {idle:.0f} MB (at most {IDLE_MB})")
    assert idle <= IDLE_MB


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_ten_people_at_once(url: str, kind: str, tell: Tell) -> None:
    """Each uploads 12 megapixels, all at the same moment. PNG is the harder kind: it is decoded whole."""
    process, start = process_of(url), threading.Barrier(10)
    files = [file_of(kind, 4000, 3000, number) for number in range(10)]
    with ExitStack() as stack, ThreadPoolExecutor(10) as pool:
        visitors = [stack.enter_context(Visitor(url, "Photos")) for _ in files]
        for visitor, file in zip(visitors, files, strict=True):
            visitor.run()
            visitor.choose_files([(f"1.{kind.lower()}", file)])
        before = all_mb(process)

        def see(visitor: Visitor) -> float:
            start.wait()
            seconds = visitor.run()
            visitor.fetch_pictures()
            return seconds

        with peak_mb(process) as most_mb:
            seconds = list(pool.map(see, visitors))
        peak, after = most_mb[0], all_mb(process)
    assert all(any("1 face" in text for text in visitor.texts()) for visitor in visitors)
    mb = sum(map(len, files)) / 2**20
    tell(f"ten people, 12-megapixel {kind}, {mb:.0f} MB of files together: {latency(seconds)}")
    tell(f"  before {before:.0f} MB, peak {peak:.0f} MB (at most {PEAK_MB}), after {after:.0f} MB")
    told = [places_told(visitor) for visitor in visitors]
    most = max(max(places, default=0) for places in told)
    tell(f"  told how many are before them: {sum(map(bool, told))} of 10, up to {most}")
    assert sum(map(bool, told)) >= 5
    assert all(places == sorted(places, reverse=True) for places in told), "nobody overtakes"
    assert peak <= PEAK_MB


def places_told(visitor: Visitor) -> list[int]:
    """Return how many were before a visitor, as the page said it one time after the other."""
    found = (re.match(r"(\d+) (person is|people are) before you", text) for text in visitor.seen)
    return [int(match[1]) for match in found if match]


def test_many_pictures(url: str, tell: Tell) -> None:
    """Ten visitors, each with ten pictures at a time, which they replace."""
    process, seeds = process_of(url), itertools.count()
    with ExitStack() as stack:
        visitors = [stack.enter_context(Visitor(url, "Photos")) for _ in range(10)]
        for visitor in visitors:
            visitor.run()
        done, first = 0, 0.0
        while done < PICTURES:
            for visitor in visitors:
                numbers = list(itertools.islice(seeds, 10))
                visitor.choose_files((f"{n}.jpg", file_of("JPEG", 800, 600, n)) for n in numbers)
                visitor.run()
                assert any("10 faces" in text for text in visitor.texts())
                visitor.fetch_pictures()
            done += 100
            now = all_mb(process)
            tell(f"{done} pictures: {now:.0f} MB")
            if done == min(200, PICTURES // 2):  # by then all has been used that is kept
                first = now
    tell(f"from {first:.0f} to {now:.0f} MB, {100 * (now / first - 1):+.1f} % (at most +5 %)")
    assert now <= GROWTH * first


def test_a_long_live_video(tell: Tell) -> None:
    """The frames of a camera, by their own clock, as fast as each is analysed; nothing is left out."""
    frames = [av.VideoFrame.from_ndarray(f.image, format="rgb24").reformat(format="yuv420p") for f in clip()]
    total, now_s = round(MINUTES * 60 * FPS), 0.0
    way = WebRTC(VideoProcessor(Settings(build_analyzer()), clock=lambda: now_s))
    process, sizes = os.getpid(), []
    for number in range(total):
        frame, now_s = frames[number % len(frames)], number / FPS
        frame.pts = number
        way.recv(frame)
        for thread in threading.enumerate():
            if thread.name == "live-analysis":
                thread.join()
        if (number + 1) % max(1, total // 20) == 0:
            gc.collect()
            sizes.append(memory_mb(process))
            tell(f"{(number + 1) / FPS / 60:.1f} minutes, {number + 1} frames: {sizes[-1]:.0f} MB")
    latest = way.processor.latest
    way.on_ended()
    assert latest is not None and latest.tracks and latest.error is None
    first = sizes[1]
    tell(f"from {first:.0f} to {sizes[-1]:.0f} MB, {100 * (sizes[-1] / first - 1):+.1f} % (at most +5 %)")
    assert sizes[-1] <= GROWTH * first
