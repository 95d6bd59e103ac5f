"""Take a screenshot of each page in Chromium: light, dark and on a phone (`make screenshots`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import PIL.Image

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browsing import chromium, serve, start  # noqa: E402
from clips import clip_of_one, write_mjpeg  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TARGET = ROOT / "docs" / "screenshots"
SAMPLES = [ROOT / "samples" / name for name in ("solvay_1927.jpg", "patsy_mink.jpg", "john_glenn.jpg")]
COLOURS = 128
"""Enough colours for a page with photographs, while keeping files below about 200 kB."""

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 780}, "color_scheme": "light", "has_touch": True},
}


def home(page: Page) -> None:
    """Wait for the sample."""
    page.get_by_role("img", name="cut out").wait_for()


def photos(page: Page) -> None:
    """Show a group and two portraits, all in the public domain."""
    page.locator('[data-testid="stFileUploader"] input').set_input_files(SAMPLES)
    page.get_by_text("in 3 photos").wait_for()


def live(page: Page) -> None:
    """Show the camera a face until its age has settled."""
    start(page)
    page.wait_for_timeout(4000)


def video(page: Page) -> None:
    """Annotate the sample clip."""
    page.get_by_text("Sample", exact=True).click()
    page.get_by_role("button", name="Find faces").click()
    page.locator(".timeline tbody tr").first.wait_for()


def lab(page: Page) -> None:
    """Wait for the curves."""
    page.get_by_text("the answer is of little use").wait_for()


def about(page: Page) -> None:
    """Wait for the steps."""
    page.get_by_text("4 · Estimated").wait_for()


PAGES: dict[str, Callable[[Page], None]] = {
    "": home,
    "Photos": photos,
    "Live": live,
    "Video": video,
    "Lab": lab,
    "About": about,
}


def take(browser: Browser, url: str, look: str, path: str) -> None:
    """Save a screenshot of a page."""
    with browser.new_context(permissions=["camera"], **LOOKS[look]) as context:
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.goto(f"{url}/{path}")
        PAGES[path](page)
        page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
        page.wait_for_timeout(2500)  # charts and pictures fade in
        shot = PIL.Image.open(BytesIO(page.screenshot())).convert("RGB")
    colours = shot.quantize(COLOURS, PIL.Image.Quantize.MEDIANCUT)
    small = shot.quantize(palette=colours, dither=PIL.Image.Dither.FLOYDSTEINBERG)
    name = f"{path.lower() or 'home'}-{look}.png"
    small.save(TARGET / name, optimize=True)
    print(f"{name}: {(TARGET / name).stat().st_size // 1000} kB")


def main() -> None:
    """Take all screenshots, or those named, such as `home-light`."""
    wanted = sys.argv[1:]
    TARGET.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        camera = Path(folder) / "camera.mjpeg"
        write_mjpeg(camera, clip_of_one())
        fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
        with (
            serve(Path(folder) / "log.txt", AGEGENDER_ICE="none") as url,
            chromium(*fake, f"--use-file-for-fake-video-capture={camera}") as browser,
        ):
            for path in PAGES:
                for look in LOOKS:
                    if not wanted or f"{path.lower() or 'home'}-{look}" in wanted:
                        take(browser, url, look, path)


if __name__ == "__main__":
    main()
