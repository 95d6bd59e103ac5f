"""Checks on every page: no layout shifts, accessibility, no overflow on a phone."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from browsing import UPLOAD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.usefixtures("mirror")

SAMPLES = Path(__file__).parents[2] / "samples"
STILL = "[data-test-script-state=notRunning]"

# Shifts within half a second of a click or a key press are caused by the visitor and do not count:
# web.dev/cls.
WATCH = """new PerformanceObserver(list => {
    for (const shift of list.getEntries())
        if (!shift.hadRecentInput) (window.shifts ??= []).push({
            value: shift.value,
            what: shift.sources.map(({node}) => node?.className ?? node?.nodeName),
        });
}).observe({type: "layout-shift", buffered: true});"""


HEADINGS = """[...document.querySelectorAll("h1, h2, h3, h4")]
    .filter(heading => heading.checkVisibility()).map(heading => Number(heading.tagName[1]))"""


def come(page: Page) -> None:
    """Wait for a page to look as it does after a first visit."""
    page.locator(STILL).wait_for(state="attached")
    page.get_by_role("heading", level=1).wait_for()


def photos(page: Page) -> None:
    come(page)
    page.set_input_files(UPLOAD, [SAMPLES / "solvay_1927.jpg", SAMPLES / "patsy_mink.jpg"])
    page.get_by_text("30 faces in 2 photos").wait_for()


def home(page: Page) -> None:
    come(page)
    page.set_input_files(UPLOAD, SAMPLES / "john_glenn.jpg")
    page.get_by_role("link", name="john_glenn.jpg in Photos").wait_for()


def video(page: Page) -> None:
    come(page)
    page.get_by_text("Sample", exact=True).click()
    page.get_by_role("button", name="Find faces").click()
    page.locator(".timeline tbody tr").first.wait_for(timeout=120_000)


def lab(page: Page) -> None:
    come(page)
    page.get_by_text("Cover the face patch by patch").click()
    page.get_by_role("img", name="Where covering a patch changes the age").wait_for()


USED: dict[str, Callable[[Page], None]] = {
    "": home,
    "Photos": photos,
    "Live": come,
    "Video": video,
    "Lab": lab,
    "About": come,
}


VIOLATIONS = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .filter(each => ["serious", "critical"].includes(each.impact))
    .map(each => [each.impact, each.id, each.nodes.slice(0, 3).map(node => node.html.slice(0, 120))]))"""

STICKING_OUT = """root =>
    [...root.querySelectorAll('img, p, h1, h2, h3, button, table, canvas, [data-testid]')]
    .filter(e => e.getClientRects().length && e.checkVisibility({checkOpacity: true}))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
    .map(e => e.tagName + ' ' + (e.dataset.testid || e.textContent))"""


@pytest.mark.parametrize("path", USED)
@pytest.mark.parametrize(("width_px", "scheme"), [(1280, "light"), (360, "dark")])
def test_nothing_jumps_or_sticks_out_and_axe_finds_no_serious_violation(
    browser: Browser, app_url: str, path: str, width_px: int, scheme: Literal["light", "dark"]
) -> None:
    with browser.new_context(color_scheme=scheme, viewport={"width": width_px, "height": 900}) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(f"{app_url}/{path}")
        USED[path](page)
        page.locator(STILL).wait_for(state="attached")
        shifts = page.evaluate("window.shifts ?? []")
        assert sum(shift["value"] for shift in shifts) < 0.05, shifts
        assert page.get_by_test_id("stMain").evaluate(STICKING_OUT) == []
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
        assert page.evaluate(VIOLATIONS) == []
        levels = page.evaluate(HEADINGS)
        assert levels[0] == 1 and all(below - above <= 1 for above, below in pairwise(levels)), levels


def test_the_page_describes_itself(page: Page, app_url: str) -> None:
    page.goto(app_url)
    come(page)
    description = page.locator('meta[name="description"]').get_attribute("content")
    assert description and "apparent age and gender" in description
