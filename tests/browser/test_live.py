"""The live page in a real Chromium, whose camera sees the face of a sample."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsing import (
    CAMERA,
    CUT_OFF,
    PATIENCE_MS,
    another,
    chromium,
    eventually,
    seconds_played,
    serve,
    start,
    stop,
    streamer,
    tasks,
)
from clips import clip_of_one, write_mjpeg

from agegender.drawing.palette import FEMALE, NEUTRAL
from agegender.imaging.io import decode
from agegender.types import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [
    pytest.mark.browser,
    # playwright and asyncio leave sockets to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# The picture in the component's video, as a base64 PNG.
GRAB = """video => {
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    return canvas.toDataURL('image/png').split(',')[1];
}"""


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    write_mjpeg(path, clip_of_one())
    return path


@pytest.fixture(scope="module")
def browser(capture: Path) -> Iterator[Browser]:
    with chromium(*CAMERA, f"--use-file-for-fake-video-capture={capture}") as opened:
        yield opened


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, mirror: Path, browser: Browser) -> Iterator[str]:
    assert mirror.is_dir() and browser.is_connected()  # start no server if the tests are skipped
    with serve(tmp_path_factory.mktemp("live") / "log.txt", AGEGENDER_ICE="none") as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as opened:
        opened.set_default_timeout(PATIENCE_MS)
        yield opened


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}/Live")
    start(page)
    return page


def grab(page: Page) -> Image:
    """The picture that the browser currently shows."""
    return decode(base64.b64decode(streamer(page).locator("video").evaluate(GRAB)))


def coloured(picture: Image, colour: tuple[int, int, int]) -> int:
    """Number of pixels of about this colour: video changes colours a little."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 40).sum())


def roughness(picture: Image) -> float:
    """Difference between neighbouring pixels in the face's area."""
    height, width = picture.shape[:2]
    face = picture[int(0.36 * height) : int(0.62 * height), int(0.42 * width) : int(0.58 * width)]
    return float(np.abs(np.diff(face.astype(int), axis=1)).mean())


def test_the_video_plays_with_a_box_and_the_table_knows_who_is_there(
    context: BrowserContext, url: str
) -> None:
    page = opened(context, url)
    rows = page.locator(".people tbody tr")
    assert rows.count() == 1
    assert "Female" in rows.inner_text()
    before = seconds_played(page)
    page.wait_for_timeout(1000)
    assert seconds_played(page) > before
    assert eventually(page, lambda: coloured(grab(page), FEMALE) > 500), "no box in its colour was drawn"
    page.get_by_text("Details").click()
    page.get_by_text(re.compile(r"[1-9]\d* frames a second over WebRTC · [1-9]\d* analysed")).wait_for()
    page.get_by_role("button", name="Take a picture").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"\xff\xd8")
    assert rows.count() == 1, "the video went on"
    stop(page)


def test_a_change_in_the_sidebar_takes_effect_while_it_plays(context: BrowserContext, url: str) -> None:
    page = opened(context, url)
    clear = grab(page)
    assert coloured(clear, FEMALE) > 500
    page.get_by_role("button", name="Gender", exact=True).click()
    assert eventually(page, lambda: coloured(grab(page), NEUTRAL) > 500), "the box tells a gender still"
    played = seconds_played(page)
    page.get_by_text("Hide faces").click()
    assert eventually(page, lambda: roughness(grab(page)) < 0.6 * roughness(clear)), "the face is not hidden"
    assert seconds_played(page) > played, "the video was started again"


def test_stop_start_again_leave_and_come_back(context: BrowserContext, url: str) -> None:
    page = opened(context, url)
    stop(page)
    start(page)
    page.get_by_role("link", name="Photos").click()
    page.get_by_role("heading", name="Photos").wait_for()
    page.get_by_role("link", name="Live").click()
    page.get_by_role("heading", name="Live").wait_for()
    start(page)
    assert eventually(page, lambda: coloured(grab(page), FEMALE) > 500)
    stop(page)


def test_two_visitors_at_once(browser: Browser, url: str) -> None:
    with browser.new_context() as one, browser.new_context() as other:
        for each in (one, other):
            each.set_default_timeout(PATIENCE_MS)
        pages = [opened(one, url), opened(other, url)]
        pages[1].get_by_text("Hide faces").click()
        assert eventually(pages[1], lambda: roughness(grab(pages[1])) < 0.6 * roughness(grab(pages[0])))
        for page in pages:
            assert page.locator(".people tbody tr").count() == 1
        stop(pages[1])
        before = seconds_played(pages[0])
        pages[0].wait_for_timeout(1000)
        assert seconds_played(pages[0]) > before
        stop(pages[0])


def test_opening_and_closing_leaves_no_threads(context: BrowserContext, url: str) -> None:
    page = opened(context, url)
    stop(page)
    page.wait_for_timeout(2000)
    before = tasks(url)
    for _ in range(6):
        start(page)
        stop(page)
    assert eventually(page, lambda: tasks(url) <= before + 2), f"{before} threads became {tasks(url)}"
    for _ in range(3):
        opened(context, url).close()  # without STOP
    assert eventually(page, lambda: tasks(url) <= before + 25)


def test_twenty_switches_of_the_camera_while_it_plays(browser: Browser, capture: Path, url: str) -> None:
    film = f"--use-file-for-fake-video-capture={capture}"
    two = CAMERA[0], "--use-fake-device-for-media-stream=device-count=2", film
    with another(browser, *two) as of_two, of_two.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        page = opened(context, url)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        for i in range(20):
            page.get_by_text("Front" if i % 2 else "Back", exact=True).click()
            page.wait_for_timeout(300 + 400 * (i % 3))
        assert eventually(page, lambda: page.locator(".people tbody tr").count() == 1)
        assert eventually(page, lambda: seconds_played(page) > 1)
        for camera in ("Front", "Back"):
            assert "Error" not in streamer(page, camera).locator("body").inner_text()
        assert not errors
        page.get_by_text("Back", exact=True).click()
        assert eventually(page, lambda: seconds_played(page, "Back") > 1)
        stop(page)


def test_without_a_network_the_bundled_detector_finds_people(tmp_path: Path, context: BrowserContext) -> None:
    apart = CUT_OFF | {"AGEGENDER_ICE": "none", "AGEGENDER_CACHE": str(tmp_path / "cache")}
    with serve(tmp_path / "log.txt", **apart) as url:
        page = opened(context, url)
        assert page.get_by_text("Using the built-in face detector", exact=True).is_visible()
        assert page.locator(".people tbody tr").count() == 1
        assert eventually(page, lambda: coloured(grab(page), FEMALE) > 500)
        stop(page)
