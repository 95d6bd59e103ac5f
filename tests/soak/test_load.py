"""Twenty sessions that upload and change settings while two live videos run: each gets its own answer.

For five minutes, or as many seconds as `AGEGENDER_SOAK_SECONDS` says.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from browsing import CAMERA, PATIENCE_MS, chromium, seconds_played, serve, start
from clips import clip_of_one, face_on, write_mjpeg
from measuring import Tell, latency, memory_mb, number_from, process_of, tell
from visiting import Visitor

from agegender.analyzer import build_analyzer
from agegender.ui.face_cards import FACE_PX

__all__ = ["tell"]  # a fixture
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's sockets

SECONDS = number_from("AGEGENDER_SOAK_SECONDS", 300)
SESSIONS = 20
FACE_WH = (220, 240)
PEAK_MB = 690
"""The least that Community Cloud gives."""

Took = defaultdict[str, list[float]]


class Guest:
    """A session with two pictures that nobody else has: their width tells whose they are."""

    def __init__(self, visitor: Visitor, number: int) -> None:
        self.visitor = visitor
        self.pictures = {
            f"{number}-{faces}.png": (faces, 900 + 8 * number + faces) for faces in (1 + number % 4, 0)
        }
        self.took: Took = defaultdict(list)

    def stay(self, until_s: float) -> Took:
        """Upload, change settings and look at every answer until then."""
        self.took["first visit"].append(self.visitor.run())
        while time.monotonic() < until_s:
            for name, (faces, width) in self.pictures.items():
                began_s = time.monotonic()
                self.visitor.choose_files([(name, picture(faces, width))])
                self.visitor.run()
                self.took["upload"].append(time.monotonic() - began_s)
                self.check(faces, width)
                for hidden in (True, False):
                    self.visitor.enter("checkbox", "Hide faces", bool_value=hidden)
                    self.took["a setting"].append(self.visitor.run())
                    self.check(faces, width)
        return self.took

    def check(self, faces: int, width: int) -> None:
        """Demand the right number of faces, as many crops, and the picture of the right width."""
        texts = " ".join(self.visitor.texts())
        count = f"**{faces or 'no'} face{'' if faces == 1 else 's'}** in 1 picture"
        assert count in texts, f"not {count}, but {texts[-300:]}"
        assert "exception" not in texts
        shown = [PIL.Image.open(BytesIO(data)) for data in self.visitor.pictures()]
        widths = [image.width for image in shown]
        assert widths == [width] + [FACE_PX] * faces, f"not {width} wide with {faces} faces: {widths}"


def picture(faces: int, width: int) -> bytes:
    """Return a picture of so many faces side by side."""
    image = np.full((300, width, 3), 128, np.uint8)
    for number in range(faces):
        left = number * FACE_WH[0]
        image[: FACE_WH[1], left : left + FACE_WH[0]] = face_on(*FACE_WH, 100)
    file = BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    log = tmp_path / "log.txt"
    with serve(log, AGEGENDER_ICE="none") as url:
        yield url, log


def test_everybody_gets_their_own_answer(served: tuple[str, Path], tmp_path: Path, tell: Tell) -> None:
    url, log = served
    analyze = build_analyzer()
    for faces in range(5):
        image = np.asarray(PIL.Image.open(BytesIO(picture(faces, 940))))
        assert len(analyze(image).readings) == faces, "the pictures are what they are meant to be"
    capture = tmp_path / "face.mjpeg"
    write_mjpeg(capture, clip_of_one())
    with (
        chromium(*CAMERA, f"--use-file-for-fake-video-capture={capture}") as browser,
        ExitStack() as stack,
        ThreadPoolExecutor(SESSIONS) as pool,
    ):
        live = [stack.enter_context(browser.new_context()).new_page() for _ in range(2)]
        for page in live:
            page.set_default_timeout(5 * PATIENCE_MS)
            page.goto(f"{url}/Live")
            start(page)
            page.get_by_text("Details").click()
        visitors = [stack.enter_context(Visitor(url, "Photos")) for _ in range(SESSIONS)]
        until_s = time.monotonic() + SECONDS
        staying: list[Future[Took]] = [
            pool.submit(Guest(visitor, number).stay, until_s) for number, visitor in enumerate(visitors)
        ]
        played = [seconds_played(page) for page in live]
        took: Took = defaultdict(list)
        for guest in staying:
            for kind, seconds in guest.result().items():
                took[kind] += seconds
        for page, before in zip(live, played, strict=True):
            assert seconds_played(page) > before, "the video still plays"
            assert page.locator(".people tbody tr").count() == 1, "and knows who is there"
            tell(f"live: {page.get_by_text('frames a second').inner_text()}")
    for kind, seconds in took.items():
        tell(f"{kind}: {latency(seconds)}")
    peak = memory_mb(process_of(url), "VmHWM")
    tell(f"peak of memory: {peak:.0f} MB (at most {PEAK_MB})")
    assert peak <= PEAK_MB
    text = log.read_text()
    assert "Traceback" not in text and "Error" not in text, text[-3000:]
