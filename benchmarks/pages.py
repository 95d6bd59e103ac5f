"""Page load times in a browser: a first visit to each page, redrawing 20 photos, and the Lab.

    python -m benchmarks.pages [--rounds 3]

Serves the app and opens it in Chromium. A first visit is a new window on a warm server: from the URL to the
page's last element, charts included. A redraw is a click on *Age group* in the sidebar with 20 photos
analysed: until the page has run and the open photo has changed. In the Lab it is a key press on a slider
until the estimate changes, and a click until the occlusion map appears. Medians over the rounds; run it on a
quiet machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from browsing import UPLOAD, chromium, serve  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = ("", "Photos", "Live", "Video", "Lab", "About")
DONE = """() => document.querySelector("[data-test-script-state=notRunning]")
    && !document.querySelector("[data-testid=stSkeleton]")
    && [...document.querySelectorAll("[data-testid=stVegaLiteChart]")]
        .every(chart => chart.querySelector("canvas, svg"))
    && [...document.images].every(image => image.complete)"""


def first_visit_s(browser: Browser, url: str, path: str) -> float:
    """Seconds until a page is complete in a new window."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        start_s = time.perf_counter()
        page.goto(f"{url}/{path}")
        page.locator("h1").wait_for()
        page.wait_for_function(DONE, polling=20)
        return time.perf_counter() - start_s


def with_20_photos(page: Page, url: str) -> None:
    """Open Photos and have 20 of them analysed."""
    page.goto(f"{url}/Photos")
    data = (ROOT / "samples" / "solvay_1927.jpg").read_bytes()
    page.wait_for_selector(UPLOAD, state="attached")
    files = [{"name": f"{i}.jpg", "mimeType": "image/jpeg", "buffer": data} for i in range(20)]
    page.set_input_files(UPLOAD, files)  # type: ignore[arg-type]
    page.get_by_text("580 faces in 20 photos").wait_for(timeout=300_000)
    page.wait_for_function(DONE)


def redraw_s(page: Page) -> float:
    """Seconds until a changed label is drawn."""
    photo = page.locator(".photo > img").first
    before = photo.get_attribute("src")
    start_s = time.perf_counter()
    page.get_by_test_id("stSidebar").get_by_role("button", name="Age group").click()
    page.wait_for_function(
        "before => document.querySelector('.photo > img')?.src != before", arg=before, polling=20
    )
    page.wait_for_function(DONE, polling=20)
    return time.perf_counter() - start_s


def lab_s(page: Page, url: str) -> tuple[float, float]:
    """Seconds for the Lab to respond to a slider, and to draw its map."""
    page.goto(f"{url}/Lab?face=John+Glenn")
    page.wait_for_function(DONE)
    crop = page.locator(".lab img").first
    before = crop.get_attribute("src")
    page.locator(".st-key-light").get_by_role("slider").focus()
    start_s = time.perf_counter()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.lab img')?.src != before", arg=before, polling=10
    )
    answer_s = time.perf_counter() - start_s
    page.wait_for_function(DONE)
    start_s = time.perf_counter()
    page.get_by_text("Cover the face patch by patch").click()
    page.get_by_role("img", name="Where covering a patch changes the age").wait_for()
    return answer_s, time.perf_counter() - start_s


def main() -> None:
    """Measure and print."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with (
        TemporaryDirectory() as folder,
        serve(Path(folder) / "log.txt", AGEGENDER_ICE="none") as url,
        chromium() as browser,
    ):
        for path in PAGES:  # warms up the server
            first_visit_s(browser, url, path)
        for path in PAGES:
            seconds = [first_visit_s(browser, url, path) for _ in range(rounds)]
            print(f"first visit of {path or 'Home':<8} {statistics.median(seconds):5.2f} s", flush=True)
        with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
            page = context.new_page()
            with_20_photos(page, url)
            seconds = [redraw_s(page) for _ in range(rounds)]
            nodes = page.evaluate("document.querySelectorAll('*').length")
            print(f"20 photos drawn anew {statistics.median(seconds):.2f} s ({nodes} DOM nodes)", flush=True)
            times = [lab_s(page, url) for _ in range(rounds)]
            answer_s, map_s = (statistics.median(part) for part in zip(*times, strict=True))
            print(f"Lab: an answer {answer_s:.2f} s, a map {map_s:.2f} s", flush=True)


if __name__ == "__main__":
    main()
