"""What it costs to decode in a process with limits, beside decoding in this one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import PIL.Image

from agegender.analyzer import Analyzer, analyze_file
from agegender.imaging import io, workers
from benchmarks import scenes

Rows = list[dict[str, Any]]

KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 1},
    "WEBP": {"method": 0},
    "TIFF": {"compression": "tiff_lzw"},
}


def compared(now: Analyzer, rounds: int, megapixels: tuple[float, ...]) -> Rows:
    """Return what files take from their bytes to the analysis, in milliseconds that pass, both ways."""
    rows = []
    workers.shared().start()
    name, data = next((name, data) for name, (faces, data) in scenes.photographs().items() if faces == 6)
    for size in megapixels:
        picture = io.decode(scenes.enlarged(data, size))
        for kind, options in KINDS.items():
            file = BytesIO()
            PIL.Image.fromarray(picture).save(file, kind, **options)
            ms = taking_turns(
                rounds,
                here=partial(analyze_file, file.getvalue(), now, io.decode_at_least),
                worker=partial(analyze_file, file.getvalue(), now),
            )
            rows.append(
                {
                    "picture": f"{name}, {kind}, {size:g} megapixels",
                    "in the process ms": ms["here"],
                    "by a worker ms": ms["worker"],
                    "more ms": ms["worker"] - ms["here"],
                    "ratio": ms["worker"] / ms["here"],
                }
            )
    return rows


def taking_turns(rounds: int, **ways: Callable[[], object]) -> dict[str, float]:
    """Return the median of each way's time on the clock, as a worker's is not this process's."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            start_s = time.perf_counter()
            way()
            if number:  # the first warms up
                times[name].append(1000 * (time.perf_counter() - start_s))
    return {name: statistics.median(taken) for name, taken in times.items()}
