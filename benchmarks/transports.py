"""Live in a real browser over both transports: what is shown, and the load on line and server.

    python -m benchmarks.live --ways [--json]

The camera of a headless Chromium sees one face, 640×480, 30 frames a second. The server may use one core, the
browser the others. `ms to box` is from a picture's capture until its boxes are drawn; its first and second
half show whether it grows. The slow line passes 1 Mbit/s each way and adds 100 ms to a round trip.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from benchmarks.line import Line, line_to

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browsing import CAMERA, chromium  # noqa: E402
from clips import clip_of_one, write_mjpeg  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SECONDS, SLOW_SECONDS = 20.0, 120.0
"""How long each transport is observed, and over the slow line."""

# Keep the WebRTC connections, to query their byte counts.
KEEP = """window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...all) { super(...all); (window.top.connections ??= []).push(this); }
};"""
STATS = """async () => {
    let [up, down, frames] = [0, 0, 0];
    for (const connection of window.connections ?? [])
        (await connection.getStats()).forEach((one) => {
            if (one.type === 'transport') [up, down] = [up + one.bytesSent, down + one.bytesReceived];
            if (one.type === 'inbound-rtp') frames += one.framesDecoded ?? 0;
        });
    return {up, down, frames};
}"""
CAMERA_STATE = """() => {
    const {stage, video} = globalThis.agegenderCamera;
    return {answers: +stage.dataset.answers || 0, ms: +stage.dataset.ms || 0,
            frames: video.getVideoPlaybackQuality().totalVideoFrames};
}"""


@dataclass(frozen=True, slots=True)
class Row:
    """One transport over one line.

    Frames shown and answers per second, milliseconds from capture to box (0 if boxes are part of the
    picture), kilobytes per second each way, and the server's CPU milliseconds per second and per answer.
    """

    way: str
    line: str
    frames_per_s: float
    answers_per_s: float
    ms: float
    first_half_ms: float
    second_half_ms: float
    up_kb_per_s: float
    down_kb_per_s: float
    server_ms_per_s: float
    server_ms_per_answer: float


@contextmanager
def server(way: str) -> Iterator[tuple[int, int]]:
    """Serve the app on one core; yields its port and process ID."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.fileWatcherType", "none"]
    nowhere = subprocess.DEVNULL
    environment = os.environ | {"AGEGENDER_LIVE": way, "AGEGENDER_ICE": "none"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=nowhere, stderr=nowhere) as process:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        try:
            for _ in range(300):
                try:
                    urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.2)
            yield port, process.pid
        finally:
            process.terminate()


def processor_s(pid: int) -> float:
    """CPU seconds used by a process, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def analysed(page: Page) -> float:
    """Frames analysed per second, as the page states."""
    text = page.get_by_text("frames a second over").first.text_content() or ""
    return float(text.partition("· ")[2].split()[0])


def measure(browser: Browser, way: str, seconds: float, slow: bool = False) -> Row:
    """A row for one transport: started, warmed up for five seconds, and observed."""
    with (
        server(way) as (port, pid),
        line_to("127.0.0.1", port) as line,
        browser.new_context(viewport={"width": 1280, "height": 900}) as context,
    ):
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.add_init_script(KEEP)
        page.goto(f"{line.url}/Live")
        page.get_by_role("button", name="START").click()
        page.locator(".people tbody tr").first.wait_for()
        page.get_by_text("Details").click()
        if slow:
            line.bits_per_s, line.delay_s = 1e6, 0.05
        page.wait_for_timeout(10_000 if slow else 5_000)
        return watch(page, line, pid, way, seconds, slow)


def watch(page: Page, line: Line, pid: int, way: str, seconds: float, slow: bool) -> Row:
    """A row from observing for that long."""

    def state() -> dict[str, Any]:
        own: dict[str, Any] = page.evaluate(CAMERA_STATE)
        rtc = page.evaluate(STATS)
        bytes_ = {"up": line.up_bytes + rtc["up"], "down": line.down_bytes + rtc["down"]}
        return own | bytes_ | {"frames": own["frames"] or rtc["frames"], "cpu": processor_s(pid)}

    before, start_s, delays, told = state(), time.monotonic(), list[float](), list[float]()
    while time.monotonic() - start_s < seconds:
        page.wait_for_timeout(100)
        if way == "websocket":
            delays.append(page.evaluate(CAMERA_STATE)["ms"])
        elif len(told) < time.monotonic() - start_s:
            told.append(analysed(page))
    after, took_s = state(), time.monotonic() - start_s
    rate = {key: (after[key] - before[key]) / took_s for key in before}
    answers = rate["answers"] if way == "websocket" else statistics.mean(told)
    half = len(delays) // 2
    first, second = (statistics.median(part) if part else 0.0 for part in (delays[:half], delays[half:]))
    return Row(
        way,
        "1 Mbit/s, +100 ms" if slow else "loopback",
        rate["frames"],
        answers,
        statistics.median(delays) if delays else 0.0,
        first,
        second,
        rate["up"] / 1000,
        rate["down"] / 1000,
        1000 * rate["cpu"],
        1000 * rate["cpu"] / max(answers, 0.1),
    )


def main(as_json: bool) -> int:
    """Print a table, or JSON."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "face.mjpeg"
        write_mjpeg(film, clip_of_one())
        with chromium(*CAMERA, f"--use-file-for-fake-video-capture={film}") as browser:
            rows = [
                measure(browser, "webrtc", SECONDS),
                measure(browser, "websocket", SECONDS),
                measure(browser, "websocket", SLOW_SECONDS, slow=True),
            ]
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return 0
    print(
        "| way | line | frames/s | answers/s | ms to box (halves) | kB/s up, down | server ms/s, ms/answer |"
    )
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.way} | {row.line} | {row.frames_per_s:.0f} | {row.answers_per_s:.1f} | "
            f"{row.ms:.0f} ({row.first_half_ms:.0f}, {row.second_half_ms:.0f}) | "
            f"{row.up_kb_per_s:.0f}, {row.down_kb_per_s:.0f} | "
            f"{row.server_ms_per_s:.0f}, {row.server_ms_per_answer:.0f} |"
        )
    return 0
