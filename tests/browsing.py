"""The app as a person meets it: served by Streamlit, opened in a real Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Page

ROOT = Path(__file__).parents[1]
START_S = 60
QUIET = (
    "--no-sandbox",  # Chromium's sandbox needs privileges that containers seldom grant
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

NOWHERE = "http://127.0.0.1:9"
CUT_OFF = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "AGEGENDER_MIRROR"), NOWHERE
)
"""Environment of an app without network access; with an empty cache it has only what is bundled."""


UPLOAD = '[data-testid="stFileUploader"] input'

CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
"""Gives Chromium a camera and permission; `--use-file-for-fake-video-capture=FILE` sets what it sees."""

PATIENCE_MS = 60_000
"""Maximum start-up time of a live video."""


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Context manager for Chromium with further arguments; skips the test without Chromium."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *arguments])
        with closing(browser):
            yield browser


@contextmanager
def another(browser: Browser, *arguments: str) -> Iterator[Browser]:
    """Context manager for a second Chromium, with other arguments."""
    opened = browser.browser_type.launch(executable_path=shutil.which("chromium"), args=[*QUIET, *arguments])
    with closing(opened):
        yield opened


@contextmanager
def serve(log: Path, **environment: str) -> Iterator[str]:
    """Context manager for the app's URL, served in the meantime; its output goes to `log`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    command += ["--server.fileWatcherType", "none"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            wait_until_healthy(process, f"http://127.0.0.1:{port}/_stcore/health", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_healthy(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    """Wait for the server to answer; fail with its output if it ends or takes too long."""
    for _ in range(START_S * 5):
        try:
            with urlopen(health, timeout=5):
                return
        except (URLError, OSError):
            pass
        try:
            process.wait(0.2)
            break
        except subprocess.TimeoutExpired:
            continue
    pytest.fail(f"the app did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the app: one server for all tests, with the tests' model cache."""
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium on this machine")
    with serve(tmp_path_factory.mktemp("app") / "log.txt") as url:
        yield url


# Module scope at most: while it is open, playwright keeps an event loop running in this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new private window."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(30_000)
        yield context.new_page()


def streamer(page: Page, camera: str = "Front") -> FrameLocator:
    """The streamlit-webrtc component for a camera."""
    return page.frame_locator(f".st-key-webrtc-{camera} iframe")


def press(page: Page, name: str) -> None:
    """Press a button on the page."""
    page.get_by_role("button", name=name, exact=True).click()


def switch(page: Page, on: bool) -> None:
    """Press START or STOP, again if a loaded server does not show its effect."""
    names = ("START", "STOP") if on else ("STOP", "START")
    button, other = (page.get_by_role("button", name=name) for name in names)
    button.click()
    from playwright.sync_api import Error

    for _ in range(3):
        try:
            other.wait_for(timeout=10_000)
            return
        except Error:
            button.click()
    other.wait_for()


def start(page: Page) -> None:
    """Press START, and wait until somebody is in the table."""
    switch(page, on=True)
    page.locator(".people tbody tr").first.wait_for()


def stop(page: Page) -> None:
    """Press STOP, and wait until nobody is in the table."""
    switch(page, on=False)
    page.locator(".people").wait_for(state="detached")


def seconds_played(page: Page, camera: str = "Front") -> float:
    """Playback position of the live video over WebRTC."""
    return float(streamer(page, camera).locator("video").evaluate("video => video.currentTime"))


def eventually(page: Page, holds: Callable[[], object]) -> bool:
    """Return whether a condition becomes true within ten seconds."""
    for _ in range(50):
        if holds():
            return True
        page.wait_for_timeout(200)
    return False


def tasks(url: str) -> int:
    """Return how many threads the process that serves the app has, or skip the test."""
    return len(list((server_process(url) / "task").iterdir()))


def resident_mb(url: str) -> float:
    """Return the resident memory of the process that serves the app, or skip the test."""
    status = (server_process(url) / "status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def server_process(url: str) -> Path:
    """Return what /proc tells of the process that serves the app, or skip the test."""
    port = url.rpartition(":")[2]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"--server.port\0{port}" in (process / "cmdline").read_text():
                return process
        except OSError:
            continue
    pytest.skip("there is no /proc to look into a process")
