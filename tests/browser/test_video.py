"""The video page in a real Chromium: the result plays, and Stop stops."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest
from browsing import UPLOAD, serve
from clips import clip
from films import film

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URL of a separate app, and the folder of its temporary files."""
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium on this machine")
    folder = tmp_path_factory.mktemp("temporary")
    with serve(tmp_path_factory.mktemp("app") / "log.txt", TMPDIR=str(folder)) as url:
        yield url, folder


def videos_in(folder: Path) -> list[Path]:
    return [*folder.glob("agegender-*"), *folder.rglob("*.mp4")]


def upload(page: Page, url: str, path: Path) -> None:
    page.goto(f"{url}/Video")
    page.wait_for_selector(UPLOAD, state="attached")
    page.set_input_files(UPLOAD, path)
    page.get_by_role("button", name="Find faces").click()


@pytest.mark.slow
def test_a_video_in_and_a_playable_video_out(page: Page, served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    pictures = ((frame.time_s, frame.image) for frame in clip(4.0))
    upload(page, url, film(tmp_path / "in.webm", pictures, "libvpx", "libopus"))
    video = page.locator("video")
    video.wait_for(timeout=60_000)
    played = "async video => { video.muted = true; await video.play(); return true }"
    assert video.evaluate(played)
    page.wait_for_function("document.querySelector('video').currentTime > 0.5")
    assert video.evaluate("video => [video.readyState >= 3, video.videoWidth, video.videoHeight]") == [
        True,
        640,
        480,
    ]
    assert video.evaluate("video => video.duration") == pytest.approx(4, abs=0.1)
    video.evaluate("video => { video.pause(); video.currentTime = 3 }")
    bar = page.locator(".timeline .bar").first
    assert video.evaluate("video => video.currentTime") == 3
    bar.focus()
    page.keyboard.press("Enter")  # same as a click
    page.wait_for_function("document.querySelector('video').currentTime < 2")
    assert page.locator(".people tbody tr").count() == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Table (CSV)").click()
    assert download.value.suggested_filename == "in-people.csv"
    with download.value.path().open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Video (MP4)").click()
    with av.open(str(download.value.path())) as file:
        assert [stream.codec_context.name for stream in file.streams] == ["h264", "aac"]
    assert videos_in(folder) == []


@pytest.mark.slow
def test_stop_stops_and_leaves_no_file(page: Page, served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    frames = [frame.image for frame in clip(2.0)]
    pictures = ((i / 15, frames[i % len(frames)]) for i in range(900))
    upload(page, url, film(tmp_path / "long.mp4", pictures))
    page.get_by_role("progressbar").wait_for()
    page.get_by_role("img", name="The newest frame").wait_for()
    assert videos_in(folder) != []
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Find faces").and_(page.locator(":enabled")).wait_for()
    page.get_by_role("progressbar").wait_for(state="detached")
    assert page.locator("video").count() == 0
    for _ in range(100):  # the old run ends alongside the new one, at its next progress update
        if not videos_in(folder):
            break
        page.wait_for_timeout(100)
    assert videos_in(folder) == []
