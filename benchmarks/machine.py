"""What the machine itself takes: to start, with two threads, and at its peak."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from agegender.analyzer import Analyzer
from agegender.imaging.io import decode
from benchmarks import scenes
from benchmarks.timing import side_by_side

Rows = list[dict[str, Any]]

FIRST_AND_LATER = """
import json, sys, time
from pathlib import Path

from agegender.analyzer import analyze_file, build_analyzer
data = Path(sys.argv[1]).read_bytes()
times = []
for _ in range(6):
    start = time.perf_counter()
    analyze = build_analyzer() if not times else analyze
    analyze_file(data, analyze)
    times.append(time.perf_counter() - start)
print(json.dumps([times[0], sorted(times[1:])[2]]))
"""


def start(rounds: int) -> Rows:
    """Return how long a command takes from its start to its answer, and a first and a later analysis.

    In seconds that pass, as whoever waits counts them, and of the core. The models are cached, and so are
    the files of all imports, by a run that does not count.
    """
    sample = str(scenes.ROOT / "samples" / "grace_hopper.jpg")
    command = [sys.executable, "-m", "agegender", "analyze", sample]
    passed_s, core_s = zip(*(run_s(command) for _ in range(rounds + 1)), strict=True)
    app = [sys.executable, "-c", FIRST_AND_LATER, sample]
    pairs = [json.loads(output(app)) for _ in range(rounds)]
    first, later = (statistics.median(times) for times in zip(*pairs, strict=True))
    return [
        {
            "what": "python -m agegender analyze one.jpg",
            "s": statistics.median(passed_s[1:]),
            "s of the core": statistics.median(core_s[1:]),
        },
        {"what": "the first analysis after the imports", "s": first, "s of the core": None},
        {"what": "a later one", "s": later, "s of the core": None},
    ]


def run_s(command: list[str]) -> tuple[float, float]:
    """Return the seconds that a command takes, and those of them that a core works for it."""
    before, start_s = os.times(), time.perf_counter()  # Windows tells nothing of what a child took
    output(command)
    passed_s, after = time.perf_counter() - start_s, os.times()
    worked = (after.children_user - before.children_user, after.children_system - before.children_system)
    return passed_s, sum(worked)


def output(command: list[str]) -> bytes:
    """Return what a command prints, run where the repository is."""
    return subprocess.run(command, cwd=scenes.ROOT, check=True, capture_output=True).stdout


def cores(now: Analyzer, pictures: int, all_cores: set[int]) -> Rows:
    """Return how many pictures a second 1 and 2 threads analyse, each picture in one thread."""
    image = decode(next(data for faces, data in scenes.photographs().values() if faces == 6))
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    rows = []
    try:
        if ours:
            os.sched_setaffinity(0, all_cores)
        for threads in (1, 2):
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(now, [image] * threads))
                start_s = time.perf_counter()
                list(pool.map(now, [image] * pictures))
                a_second = pictures / (time.perf_counter() - start_s)
            rows.append({"threads": threads, "pictures a second": a_second})
    finally:
        if ours:
            os.sched_setaffinity(0, ours)
    rows[1]["times"] = rows[1]["pictures a second"] / rows[0]["pictures a second"]
    rows[0]["times"] = 1.0
    return rows


def peaks() -> dict[str, float]:
    """Return what this core does at best: a plain matrix product, a copy of memory that no cache holds."""
    a, b = np.random.default_rng(1).random((2, 1024, 1024), np.float32)
    block = np.zeros(64 * 2**20, np.uint8)
    ms = side_by_side(7, product=lambda: a @ b, copy=block.copy)
    return {
        "billions of multiply-adds a second": 1024**3 / ms["product"] / 1e6,
        "GB copied a second": block.size / ms["copy"] / 1e6,
    }
