"""Shared by the long tests: a process's memory, latencies, and a way to report them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
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


def forget_peak(process: int) -> None:
    """Reset VmHWM."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


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
