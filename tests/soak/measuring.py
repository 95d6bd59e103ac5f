"""Shared by the long tests: a process's memory, latencies, and a way to report them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

Tell = Callable[[str], None]


def number_from(variable: str, default: float) -> float:
    """Read a number, such as a duration or a count, from an environment variable."""
    return float(os.environ.get(variable) or default)


def process_of(url: str) -> int:
    """ID of the process that serves the app at this URL."""
    port = url.rpartition(":")[2]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"--server.port\0{port}" in (process / "cmdline").read_text():
                return int(process.name)
        except OSError:
            continue
    pytest.skip("there is no /proc to read the memory of processes in")


def memory_mb(process: int, what: str = "VmRSS") -> float:
    """Memory of a process in MB of 2**20 bytes, now (VmRSS) or at its peak (VmHWM)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(what)


def all_mb(process: int) -> float:
    """Return the proportional set size, in MB, of a process and all that it started: shared counts once."""
    total = 0.0
    with suppress(OSError):  # they come and go
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        total = sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
        for task in Path(f"/proc/{process}/task").iterdir():
            total += sum(all_mb(int(child)) for child in (task / "children").read_text().split())
    return total


def computed_s(process: int) -> float:
    """Return the seconds of computing of a process and all that it started, those that have ended too."""
    total = 0.0
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        for task in Path(f"/proc/{process}/task").iterdir():
            total += sum(computed_s(int(child)) for child in (task / "children").read_text().split())
    return total


@contextmanager
def peak_mb(process: int) -> Iterator[list[float]]:
    """Give, for `with`, a list of one: the most MB that a process and all that it started had so far."""
    peak, over = [all_mb(process)], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], all_mb(process))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def latency(seconds: Sequence[float]) -> str:
    """Median, 95th percentile and maximum, in words."""
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(part * len(ordered)))] for part in (0.5, 0.95)]
    return (
        f"{len(ordered)} times, median {at[0]:.2f} s, 95 % within {at[1]:.2f} s, at most {ordered[-1]:.2f} s"
    )


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Print a figure during the test, even though pytest captures output."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", flush=True)

    return say
