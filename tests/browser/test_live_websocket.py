"""Live over the page's own connection in a real Chromium, and the fallback to it when WebRTC fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import (
    CAMERA,
    PATIENCE_MS,
    another,
    chromium,
    eventually,
    press,
    resident_mb,
    serve,
    start,
    stop,
    switch,
    tasks,
)
from clips import clip_of_one, write_mjpeg

from agegender.types import Box

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [
    pytest.mark.browser,
    # playwright and asyncio leave sockets to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# Allow video only through a relay, of which there is none: like a firewall that blocks everything else.
FIREWALL = """window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration) { super({...configuration, iceTransportPolicy: 'relay'}); }
};"""

# Remember every camera that is opened, to check that it gets closed.
TRACKS = """window.tracks = [];
const opens = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (asked) => {
    const stream = await opens(asked);
    window.tracks.push(...stream.getTracks());
    return stream;
};"""
OPEN_CAMERAS = "() => window.tracks.filter((track) => track.readyState === 'live').length"

HIDE = """(hidden) => {
    Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""
GROWTH_MB = 30
"""The allocator keeps some; thirty videos of which a frame and its picture stayed would be 54."""

REFUSE = """navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{}'); }};"""

# Difference between neighbouring pixels of the canvas in the face's area, and the number of pixels with a
# colour.
ROUGHNESS = """() => {
    const {canvas} = globalThis.agegenderCamera, [w, h] = [canvas.width, canvas.height];
    if (!w) return -1;
    const [x, y, wide, high] = [0.42 * w, 0.36 * h, 0.16 * w, 0.26 * h].map(Math.round);
    const {data} = canvas.getContext('2d').getImageData(x, y, wide, high);
    let sum = 0;
    for (let i = 4; i < data.length; i += 4) sum += Math.abs(data[i] - data[i - 4]);
    return data[3] ? sum / (wide * high) : -1;
}"""
COLOURED = """([r, g, b]) => {
    const {canvas} = globalThis.agegenderCamera;
    if (!canvas.width) return 0;
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
        count += Math.max(Math.abs(data[i] - r), Math.abs(data[i + 1] - g), Math.abs(data[i + 2] - b)) < 20;
    return count;
}"""
# Press a button, and the switch beside it while the server takes note.
PRESS_AMID_OTHERS = """(name) => {
    const find = (kind, text) =>
        [...document.querySelectorAll(kind)].find((one) => one.innerText.includes(text));
    const mirror = find('label', 'Mirror').querySelector('input');
    find('button', name).click();
    for (const ms of [1, 6, 12, 25, 40, 80]) setTimeout(() => mirror.click(), ms);
}"""
VISIBILITY = "() => getComputedStyle(globalThis.agegenderCamera.video).visibility"


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
    log = tmp_path_factory.mktemp("live") / "log.txt"
    with serve(log, AGEGENDER_ICE="none", AGEGENDER_LIVE="websocket", AGEGENDER_LIVE_MAX="2") as address:
        yield address
    assert "Traceback" not in log.read_text()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as opened:
        opened.set_default_timeout(PATIENCE_MS)
        opened.add_init_script(TRACKS)
        yield opened


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}/Live")
    start(page)
    return page


def answers(page: Page) -> int:
    return int(page.locator(".stage").get_attribute("data-answers") or 0)


def box(page: Page) -> Box:
    """The only face in the server's latest answer, in pixels of 640×480."""
    answer = page.evaluate("() => globalThis.agegenderCamera.answer")
    (person,) = answer["people"]
    scale = 640 / answer["size"][0]
    return Box(*person["box"]).moved(scale, scale)


def in_the_middle(found: Box) -> bool:
    """Return whether this is the face of `clip_of_one`: 110 pixels wide, within 10 of the middle."""
    x, y = found.center
    return abs(x - 320) < 30 and abs(y - 240) < 40 and 80 < found.width < 140


def test_where_webrtc_cannot_connect_it_goes_on_by_itself_and_back_on_demand(
    tmp_path: Path, browser: Browser, context: BrowserContext
) -> None:
    assert browser.is_connected()
    with serve(tmp_path / "log.txt", AGEGENDER_ICE="none") as url:
        page = context.new_page()
        page.add_init_script(FIREWALL)
        page.goto(f"{url}/Live")
        press(page, "START")
        page.get_by_text("cannot reach each other by WebRTC").wait_for()
        page.wait_for_function("() => globalThis.agegenderCamera.answer?.people.length", timeout=3000)
        assert eventually(page, lambda: in_the_middle(box(page)))
        page.locator(".people tbody tr").first.wait_for()
        assert page.evaluate(COLOURED, [230, 159, 0]) > 500, "no box in its colour was drawn"
        press(page, "Try WebRTC again")
        page.get_by_text("cannot reach each other by WebRTC").wait_for(state="detached")
        page.get_by_text("cannot reach each other by WebRTC").wait_for()
        assert eventually(page, lambda: page.evaluate(OPEN_CAMERAS) == 1)
        stop(page)
        assert page.evaluate(OPEN_CAMERAS) == 0


def test_the_picture_runs_by_itself_and_the_table_and_the_picture_taken_are_there(
    context: BrowserContext, url: str
) -> None:
    page = opened(context, url)
    assert "Female" in page.locator(".people tbody tr").inner_text()
    before = answers(page)
    played = "() => globalThis.agegenderCamera.video.currentTime"
    seconds = page.evaluate(played)
    assert eventually(page, lambda: answers(page) > before + 5)
    assert page.evaluate(played) > seconds
    page.get_by_role("button", name="Take a picture").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"\xff\xd8")
    page.get_by_text("Details").click()
    page.get_by_text("frames a second over the page's own connection").wait_for()
    stop(page)


def test_settings_are_in_force_while_it_plays_and_no_hidden_face_is_ever_shown(
    context: BrowserContext, url: str
) -> None:
    page = opened(context, url)
    # From now on, check what is shown after each frame that is drawn.
    page.evaluate(
        f"""() => {{
            window.clear = 0;
            const look = () => {{
                const hide = globalThis.agegenderCamera?.data.hide;
                if (hide && ({VISIBILITY})() === 'visible') window.clear += 1;
                if (hide && ({ROUGHNESS})() > 12) window.clear += 1;
                requestAnimationFrame(() => setTimeout(look));
            }};
            look();
        }}"""
    )
    page.get_by_role("button", name="Gender", exact=True).click()
    assert eventually(page, lambda: page.evaluate(COLOURED, [240, 228, 66]) > 500), "it tells a gender still"
    page.get_by_text("Hide faces").click()
    assert eventually(page, lambda: page.evaluate(VISIBILITY) == "hidden")
    before = answers(page)
    assert eventually(page, lambda: answers(page) > before + 5), "it goes on"
    assert 0 <= page.evaluate(ROUGHNESS) < 12, "the face is hidden, and something is shown"
    page.get_by_text("Mirror").click()
    assert eventually(page, lambda: in_the_middle(box(page)))
    assert page.evaluate("() => window.clear") == 0
    page.get_by_text("Hide faces").click()
    assert eventually(page, lambda: page.evaluate(VISIBILITY) == "visible")
    stop(page)


def test_no_click_is_lost_where_others_come_at_the_same_moment(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    page.goto(f"{url}/Live")
    page.get_by_role("button", name="START").wait_for()
    for _ in range(5):
        for name, other in (("START", "STOP"), ("STOP", "START")):
            page.wait_for_timeout(1000)
            page.evaluate(PRESS_AMID_OTHERS, name)
            page.get_by_role("button", name=other, exact=True).wait_for()


def test_twenty_switches_of_the_camera_leave_one_open(browser: Browser, capture: Path, url: str) -> None:
    film = f"--use-file-for-fake-video-capture={capture}"
    two = CAMERA[0], "--use-fake-device-for-media-stream=device-count=2", film
    with another(browser, *two) as of_two, of_two.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(TRACKS)
        page = opened(context, url)
        for i in range(20):
            page.get_by_text("Front" if i % 2 else "Back", exact=True).click()
            page.wait_for_timeout(100 + 200 * (i % 3))
        before = answers(page)
        assert eventually(page, lambda: answers(page) > before + 3)
        assert page.evaluate(OPEN_CAMERAS) == 1
        stop(page)


def test_a_hidden_tab_pauses_and_a_page_that_is_left_closes_the_camera(
    context: BrowserContext, url: str
) -> None:
    page = opened(context, url)
    page.evaluate(HIDE, True)
    page.wait_for_timeout(3000)  # for what was under way
    before = answers(page)
    page.wait_for_timeout(1000)
    assert answers(page) == before
    page.evaluate(HIDE, False)
    assert eventually(page, lambda: answers(page) > before)
    page.get_by_role("link", name="Photos").click()
    page.get_by_role("heading", name="Photos").wait_for()
    assert eventually(page, lambda: page.evaluate(OPEN_CAMERAS) == 0)
    page.get_by_role("link", name="Live").click()
    start(page)
    assert page.evaluate(OPEN_CAMERAS) == 1
    stop(page)


def test_a_camera_that_is_pulled_out(context: BrowserContext, url: str) -> None:
    page = opened(context, url)
    page.evaluate("() => window.tracks.at(-1).dispatchEvent(new Event('ended'))")
    page.get_by_text("The camera was disconnected").wait_for()
    assert page.evaluate(OPEN_CAMERAS) == 0
    start(page)
    page.get_by_text("The camera was disconnected").wait_for(state="detached")
    stop(page)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("NotAllowedError", "The camera is blocked"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "The camera is busy"),
        ("AbortError", "The camera could not be opened"),
    ],
)
def test_a_camera_that_cannot_be_had_is_explained(
    context: BrowserContext, url: str, error: str, text: str
) -> None:
    page = context.new_page()
    page.add_init_script(REFUSE.format(error))
    page.goto(f"{url}/Live")
    press(page, "START")
    page.get_by_text(text).wait_for()
    page.get_by_role("button", name="START").wait_for()
    page.get_by_role("link", name="Use a photo instead").click()
    page.get_by_role("heading", name="Photos").wait_for()


def test_webrtc_too_explains_a_camera_that_is_refused(tmp_path: Path, browser: Browser) -> None:
    flags = "--use-fake-device-for-media-stream", "--deny-permission-prompts"
    with (
        serve(tmp_path / "log.txt", AGEGENDER_ICE="none") as url,
        another(browser, *flags) as refusing,
        refusing.new_context() as context,
    ):
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(f"{url}/Live")
        press(page, "START")
        page.get_by_text("The camera is blocked").wait_for()
        page.get_by_role("button", name="START").wait_for()


def test_two_sessions_at_once_and_a_third_stands_in_line(browser: Browser, url: str) -> None:
    with ExitStack() as closing:  # a tab left open would keep its seat
        contexts = [closing.enter_context(browser.new_context()) for _ in range(3)]
        line_up(contexts, url)


def line_up(contexts: list[BrowserContext], url: str) -> None:
    for each in contexts:
        each.set_default_timeout(PATIENCE_MS)
    pages = [opened(context, url) for context in contexts[:2]]
    third = contexts[2].new_page()
    third.goto(f"{url}/Live")
    press(third, "START")
    third.get_by_text("The server is busy: 1 visitor before you").wait_for()
    before = [answers(page) for page in pages]
    third.wait_for_timeout(2000)
    for page, count in zip(pages, before, strict=True):
        assert answers(page) > count
    stop(pages[0])
    third.locator(".people tbody tr").first.wait_for()


def test_thirty_openings_and_closings_leave_no_thread_no_memory_and_no_camera(
    context: BrowserContext, url: str
) -> None:
    page = opened(context, url)
    stop(page)
    for _ in range(5):  # until what is made once is made
        open_and_close(page)
    before, before_mb = tasks(url), resident_mb(url)
    for _ in range(30):
        open_and_close(page)
    assert eventually(page, lambda: tasks(url) <= before + 2), f"{before} threads became {tasks(url)}"
    assert resident_mb(url) < before_mb + GROWTH_MB


def open_and_close(page: Page) -> None:
    switch(page, on=True)
    assert eventually(page, lambda: page.evaluate(OPEN_CAMERAS) == 1)
    switch(page, on=False)
    assert eventually(page, lambda: page.evaluate(OPEN_CAMERAS) == 0)


def test_tabs_that_are_closed_hidden_or_left_leave_no_thread_and_no_memory(
    context: BrowserContext, url: str
) -> None:
    page = opened(context, url)
    stop(page)
    leave(context, url)
    before, before_mb = tasks(url), resident_mb(url)
    for _ in range(6):
        leave(context, url)
    open_and_close(page)
    assert eventually(page, lambda: tasks(url) <= before + 4), f"{before} threads became {tasks(url)}"
    assert resident_mb(url) < before_mb + 2 * GROWTH_MB  # Streamlit keeps such sessions for two minutes


def leave(context: BrowserContext, url: str) -> None:
    """Open a page, hide it, pull its camera out, go to another page and back, and close it as it plays."""
    page = opened(context, url)
    page.evaluate(HIDE, True)
    page.evaluate(HIDE, False)
    page.evaluate("() => window.tracks.at(-1).dispatchEvent(new Event('ended'))")
    page.get_by_text("The camera was disconnected").wait_for()
    page.get_by_role("link", name="Photos").click()
    page.get_by_role("heading", name="Photos").wait_for()
    page.get_by_role("link", name="Live").click()
    start(page)
    page.close()
    context.pages[0].wait_for_timeout(500)
