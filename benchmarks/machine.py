"""The machine itself: start-up time, throughput with two threads, and peak performance."""

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
    """Time a command from start to answer, and a first and a later analysis.

    Wall-clock seconds, as a user experiences them, and CPU seconds. An uncounted first run caches the models
    and the files of all imports.
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
    """Wall-clock and CPU seconds that a command takes."""
    before, start_s = os.times(), time.perf_counter()  # Windows does not report a child's CPU time
    output(command)
    passed_s, after = time.perf_counter() - start_s, os.times()
    worked = (after.children_user - before.children_user, after.children_system - before.children_system)
    return passed_s, sum(worked)


def output(command: list[str]) -> bytes:
    """Output of a command run in the repository's root."""
    return subprocess.run(command, cwd=scenes.ROOT, check=True, capture_output=True).stdout


def cores(now: Analyzer, pictures: int, all_cores: set[int]) -> Rows:
    """Pictures per second with 1 and 2 threads, each picture in one thread."""
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
    """Peak performance of this core: a plain matrix product, and a copy of memory that fits no cache."""
    a, b = np.random.default_rng(1).random((2, 1024, 1024), np.float32)
    block = np.zeros(64 * 2**20, np.uint8)
    ms = side_by_side(7, product=lambda: a @ b, copy=block.copy)
    return {
        "billions of multiply-adds a second": 1024**3 / ms["product"] / 1e6,
        "GB copied a second": block.size / ms["copy"] / 1e6,
    }
