"""Ten pictures of 12 megapixels, a video of 4096×2304 and a live stream at once share one budget.

Served with `MALLOC_ARENA_MAX=2`, as `agegender app` and the container do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from browsing import CAMERA, PATIENCE_MS, chromium, seconds_played, serve, start
from clips import clip_of_one, face_on, write_mjpeg
from measuring import Tell, latency, peak_mb, process_of, tell
from test_memory import file_of
from visiting import Visitor

from agegender.types import Image

__all__ = ["tell"]  # a fixture
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's sockets

PEAK_MB, ABOUT_S = 690, 3.0
SIZE_WH = (4096, 2304)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "log.txt", AGEGENDER_ICE="none", MALLOC_ARENA_MAX="2") as url:
        yield url


def large_video(path: Path) -> bytes:
    """Return two seconds of a face that moves a little, with noise."""
    face = np.asarray(cv2.resize(face_on(1024, 576, 300), SIZE_WH), np.uint8)
    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "ultrafast"})
        stream.width, stream.height = SIZE_WH
        for number in range(60):
            image: Image = np.roll(face, 4 * number, axis=1)
            image[::8, ::8] += rng.integers(0, 32, image[::8, ::8].shape, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_pictures_a_video_and_a_live_stream(served: str, tmp_path: Path, tell: Tell) -> None:
    video, capture = large_video(tmp_path / "large.mp4"), tmp_path / "face.mjpeg"
    write_mjpeg(capture, clip_of_one())
    files = [file_of("JPEG", 4000, 3000, number) for number in range(10)]
    with (
        chromium(*CAMERA, f"--use-file-for-fake-video-capture={capture}") as browser,
        ExitStack() as stack,
        ThreadPoolExecutor(11) as pool,
    ):
        live = stack.enter_context(browser.new_context()).new_page()
        live.set_default_timeout(5 * PATIENCE_MS)
        live.goto(f"{served}/Live")
        start(live)
        visitors = [stack.enter_context(Visitor(served, "Photos")) for _ in files]
        for visitor, file in zip(visitors, files, strict=True):
            visitor.run()
            visitor.choose_files([("a.jpg", file)])
        filmer = stack.enter_context(Visitor(served, "Video"))
        filmer.run()
        filmer.choose_files([("large.mp4", video)])
        filmer.run()
        about_s = []
        with peak_mb(process_of(served)) as peak:
            made = pool.submit(filmer.press, "Find faces")
            seen = [pool.submit(visitor.run) for visitor in visitors]
            while not all(future.done() for future in (made, *seen)):
                with Visitor(served, "About") as reader:
                    about_s.append(reader.run())
                time.sleep(0.5)
        played = seconds_played(live)
        time.sleep(1)
        assert seconds_played(live) > played, "the live video still plays"
    assert all(any("1 face" in text for text in visitor.texts()) for visitor in visitors)
    tell(f"pictures: {latency([future.result() for future in seen])}; the video {made.result():.0f} s")
    tell(f"the page About meanwhile: {latency(about_s)} (at most {ABOUT_S} s on two quiet cores)")
    tell(f"peak over all processes: {peak[0]:.0f} MB (at most {PEAK_MB})")
    assert peak[0] <= PEAK_MB
