"""Speed, compared with the application that this one grew out of: all parts in one run.

    python -m benchmarks [PART …] [--json FILE] [--chart FILE] [--write PAGE] [--quick]

Prints a table for each part. `--json` saves the figures, `--chart` draws how time grows, `--write` updates
the tables in a page that has places for them, such as docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agegender.analyzer import Analyzer, build_analyzer
from agegender.errors import ModelError
from benchmarks import chart, isolation, machine, paths, photographs, tables
from benchmarks.seed import seed_analyzer
from benchmarks.timing import one_core

Rows = list[dict[str, Any]]
PARTS = (
    *("photographs", "overhead", "decoding", "isolation"),
    *("start", "growth", "cores", "peaks", "paths"),
)


def measure(parts: Sequence[str], quick: bool) -> dict[str, Any]:
    """Rows of each part by name, and the machine. Raises `ModelError`."""
    all_cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    one_core()
    now: Analyzer = build_analyzer("yunet")
    seed, weights = seed_analyzer()
    rounds = 1 if quick else 9
    faces, megapixels = (
        ((1, 4), (1.0, 2.0)) if quick else ((1, 2, 4, 8, 16, 29), (1.0, 2.0, 4.0, 8.0, 16.0, 24.0))
    )
    ways: dict[str, Callable[[], Rows]] = {
        "photographs": lambda: photographs.compared(now, seed, rounds),
        "overhead": lambda: photographs.overhead(now, rounds),
        "decoding": lambda: photographs.large_files(now, rounds, 3 if quick else 12),
        "start": lambda: machine.start(rounds),
        "growth": lambda: photographs.growth(now, rounds, faces, megapixels),
        "cores": lambda: machine.cores(now, 2 if quick else 60, all_cores),
        "peaks": lambda: [machine.peaks()],
        "isolation": lambda: isolation.compared(now, 3 * rounds, (0.5,) if quick else (0.5, 3.0, 12.0)),
        "paths": lambda: paths.profiles(now, machine.peaks(), rounds),
    }
    found: dict[str, Any] = {"machine": cpu(), "seed weights": weights}
    for part in parts:
        print(f"… {part}", file=sys.stderr, flush=True)
        found[part] = ways[part]()
    if "growth" in found:
        found["fits"] = photographs.fits(found["growth"])
    return found


def cpu() -> str:
    """Name of the processor, where Linux reports it, and the number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save what was asked for; return 1 if the models needed cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="an SVG file; takes the part growth")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a Markdown file with places for tables")
    parser.add_argument(
        "--quick", action="store_true", help="once and small: to see that it works, not how fast"
    )
    options = parser.parse_args(arguments)
    try:
        found = measure(options.parts or PARTS, options.quick)
    except ModelError as error:
        print(f"Nothing to measure: {error}", file=sys.stderr)
        return 1
    for name, table in tables.all_tables(found).items():
        print(f"\n{name}\n\n{table}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.chart and "fits" in found:
        options.chart.write_text(chart.growth_svg(found["growth"], found["fits"]), encoding="utf-8")
    if options.write:
        options.write.write_text(tables.filled(options.write.read_text("utf-8"), found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
