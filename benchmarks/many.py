"""What a batch of very many pictures keeps in memory, and how soon it begins and finds that it is finished.

    python -m benchmarks.many PICTURES [--pictures 100000] [--workers 2]

PICTURES is a folder; its pictures are linked to as often as it takes. A line every tenth of the way has the
resident memory of the command and of its largest worker.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from agegender.batch.parts import parts_of
from benchmarks.batch import command, linked, timed


def main() -> None:
    """Measure, and print as it goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    how = ["--workers", str(options.workers)]
    with TemporaryDirectory() as place:
        few = linked(options.folder, Path(place) / "few", 20)
        first = min(first_s(few, Path(place) / f"first {number}", how) for number in range(3))
        print(f"start to the first finished picture: {first:.1f} s")
        many, out = linked(options.folder, Path(place) / "many", options.pictures), Path(place) / "out"
        watch(many, out, how, options.pictures)
        before_s = processor_s()
        took_s = timed(many, out, how)
        print(f"a repeated finished run: {took_s:.1f} s, {processor_s() - before_s:.1f} s of a processor")


def first_s(pictures: Path, out: Path, how: list[str]) -> float:
    """Seconds from the start of the command until a picture is finished, in a part of its own."""
    start_s = time.perf_counter()
    with subprocess.Popen(command(pictures, out, [*how, "--part-size", "1"])) as process:
        while not parts_of(out) and process.poll() is None:
            time.sleep(0.01)
        return time.perf_counter() - start_s


def processor_s() -> float:
    """Seconds that the commands which have ended had of a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def watch(many: Path, out: Path, how: list[str], count: int) -> None:
    """Run the command to its end, and print what it and its workers keep on the way."""
    start_s, told, peak_mb = time.perf_counter(), 0, 0.0
    with subprocess.Popen(command(many, out, how)) as process:
        while process.poll() is None:
            time.sleep(1)
            workers = [resident_mb(number) for number in workers_of(process.pid)]
            peak_mb = max(peak_mb, *workers, 0.0)
            done = 500 * len(parts_of(out))
            if done >= told and workers:
                told += max(count // 10, 500)
                print(
                    f"{done:>9,} pictures  {time.perf_counter() - start_s:6.0f} s  "
                    f"command {resident_mb(process.pid):4.0f} MB  worker {max(workers):4.0f} MB",
                    flush=True,
                )
    seconds = time.perf_counter() - start_s
    rate = f"{count / seconds:.0f} pictures a second"
    print(f"{rate}; most in a worker {peak_mb:.0f} MB; exit {process.returncode}")


def workers_of(command: int) -> Iterator[int]:
    """The processes that analyse for a command, by /proc."""
    for task in Path(f"/proc/{command}/task").glob("*/children"):
        for child in text_of(task).split():
            if "spawn_main" in text_of(Path(f"/proc/{child}/cmdline")):
                yield int(child)


def resident_mb(process: int) -> float:
    """The resident memory of a process; 0 where it has ended."""
    for line in text_of(Path(f"/proc/{process}/status")).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def text_of(path: Path) -> str:
    """What is in a file of /proc; nothing where its process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
