"""Throughput of a batch: with one worker and two, in a process pool and with Dask.

    python -m benchmarks.batch PICTURES [--pictures 2000] [--rounds 1]

PICTURES is a folder; its pictures are linked to as often as needed. The same run measures the analyzer alone
in this process, and how long a finished batch takes to find that it is finished.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from agegender.analyzer import analyze_file, build_analyzer
from agegender.batch.sources import find, read
from agegender.imaging.io import decode_at_least


def main() -> None:
    """Measure, and print a line for each setup."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--without-dask", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        many = linked(options.folder, Path(place) / "many", options.pictures)
        ways = {"pool, 1 worker": ["--workers", "1"], "pool, 2 workers": ["--workers", "2"]}
        if not options.without_dask:
            ways |= {
                f"Dask, {name}": ["--scheduler", "local", *how]
                for name, how in (
                    ("1 worker", ways["pool, 1 worker"]),
                    ("2 workers", ways["pool, 2 workers"]),
                )
            }
        seconds: dict[str, list[float]] = {name: [] for name in ("analyzer alone", *ways, "finished already")}
        for number in range(options.rounds):
            seconds["analyzer alone"].append(alone(many))
            for name, how in ways.items():
                out = Path(place) / f"{name} {number}"
                seconds[name].append(timed(many, out, how))
            seconds["finished already"].append(timed(many, out, how))
    for name, each in seconds.items():
        print(line(name, min(each), options.pictures))
    one, two = min(seconds["pool, 1 worker"]), min(seconds["pool, 2 workers"])
    print(
        f"two workers {one / two:.2f} times one; one worker {one / min(seconds['analyzer alone']):.2f} times "
        "the analyzer alone, start included"
    )


def linked(folder: Path, many: Path, count: int) -> Path:
    """Fill a folder with links to the pictures of another."""
    many.mkdir()
    found = [Path(item.path) for item in find([str(folder)], print)]
    for number, path in enumerate(itertools.islice(itertools.cycle(found), count)):
        (many / f"{number:07}{path.suffix}").symlink_to(path)
    return many


def alone(many: Path) -> float:
    """Seconds for the analyzer alone, in this process."""
    analyze, items = build_analyzer(), list(find([str(many)], print))
    analyze_file(read(items[0]), analyze, decode_at_least)
    start_s = time.perf_counter()
    for item in items:
        analyze_file(read(item), analyze, decode_at_least)
    return time.perf_counter() - start_s


def timed(many: Path, out: Path, how: list[str]) -> float:
    """Seconds for the command as a whole."""
    start_s = time.perf_counter()
    subprocess.run(command(many, out, how), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start_s


def command(many: Path, out: Path, how: list[str]) -> list[str]:
    """The command that reads a folder."""
    return [sys.executable, "-m", "agegender", "batch", str(many), "--out", str(out), "--quiet", *how]


def line(name: str, seconds: float, pictures: int) -> str:
    """Format the line for a setup."""
    hours = 1e6 * seconds / pictures / 3600
    return f"{name:<18} {pictures / seconds:7.1f} pictures a second   a million in {hours:6.1f} hours"


if __name__ == "__main__":
    main()
