"""agegender batch: pictures by the million into a folder of results, resumable."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from agegender import __version__
from agegender.batch.parts import Results
from agegender.batch.pools import DaskPool, Pool, ProcessPool
from agegender.batch.run import Counts, Run, figures, unfinished
from agegender.batch.sources import find
from agegender.batch.work import Models
from agegender.cli import console
from agegender.errors import BatchError, ModelError
from agegender.models.manifest import load_manifest
from agegender.models.store import fetch
from agegender.text import plural

EVERY_S = 60.0
"""Seconds between progress lines without a terminal."""


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    one.description = (
        "Analyse pictures by the million into a folder of Parquet files. If it is killed, run the same "
        "command again to resume."
    )
    one.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a picture, folder, glob, tar or zip archive, a list (.txt) of these, or a URL (s3://…, https://…)",
    )
    one.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the results")
    one.add_argument(
        "--workers",
        type=_count,
        default=_cores(),
        metavar="N",
        help="number of processes (default: one per core)",
    )
    one.add_argument(
        "--part-size", type=_count, default=500, metavar="N", help="pictures per file (default: 500)"
    )
    one.add_argument(
        "--scheduler", metavar="ADDRESS", help="a Dask scheduler (tcp://…), or “local” to start one"
    )
    one.add_argument("--retry-errors", action="store_true", help="retry pictures that could not be read")
    one.add_argument(
        "--mix",
        action="store_true",
        help="continue even if other models or another version made the existing results",
    )
    one.add_argument("--quiet", action="store_true", help="do not print progress")
    console.add_model_names(one)
    one.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Analyse what is not finished yet, and print a summary."""
    failed: list[str] = []

    def fail(source: str, message: str) -> None:
        failed.append(source)
        console.complain(f"{source}: {message}")

    start_s = time.monotonic()
    models = _resolved(options.detector, options.estimator)
    results = Results(options.out)
    made_by = _made_by(models)
    before = results.manifest()
    if not options.mix and before and before["made_by"] != made_by:
        raise BatchError(
            f"“{options.out}” was made with {_described(before['made_by'])}, not {_described(made_by)}. "
            "Choose another folder, the same models, or --mix."
        )
    results.save_manifest({**before, "made_by": made_by, "sources": options.sources, "finished": False})
    items, total = unfinished(find(options.sources, fail), results, retry_errors=options.retry_errors)
    if not total:
        console.complain("There are no pictures in these places.")
    if total > len(items) and not options.quiet:
        console.complain(f"{total - len(items):,} of {total:,} pictures are finished already.")
    counts, stopped = Counts(), False
    if items:
        with _pool(options, models, len(items)) as pool, _progress(len(items), options.quiet) as tell:
            batch = Run(results, pool, models, options.part_size, tell)
            with _interrupted_by(batch.stop) as interrupted:
                counts = batch(items)
            stopped = bool(interrupted)
    done = {**figures(counts, start_s), "workers": options.workers, "scheduler": options.scheduler}
    runs = [*before.get("runs", []), done]
    results.save_manifest(
        {"made_by": made_by, "sources": options.sources, "finished": not stopped, "runs": runs}
    )
    if stopped:
        console.complain(
            f"Stopped: {counts.pictures:,} of {len(items):,} pictures are finished. "
            "Run the same command to resume."
        )
        return 128 + signal.SIGINT
    number = {"picture": counts.pictures, "face": counts.faces, "error": counts.errors}
    found = ", ".join(plural(count, noun) for noun, count in number.items())
    rate = f"{done['pictures_per_s']:.0f} a second"
    console.say(f"{found} in {done['seconds']:.1f} s ({rate}): {options.out}")
    return console.FAILED if failed or counts.errors else console.DONE


def _pool(options: argparse.Namespace, models: Models, pictures: int) -> Pool:
    if options.scheduler:
        return DaskPool(options.scheduler, options.workers, models)
    return ProcessPool(min(options.workers, pictures), models)


def _resolved(detector: str, estimator: str) -> Models:
    """The models by their own names, fetched once before many processes need them."""
    manifest = load_manifest()
    for name in (detector, estimator):
        if name != "auto" and name not in manifest:
            raise ModelError(f"There is no model called {name!r}. There are: {', '.join(manifest)}.")
    with console.download_bars() as progress:
        if detector == "auto":
            try:
                fetch(manifest["yunet"], progress)
                detector = "yunet"
            except ModelError as error:
                console.complain(f"Using the built-in face detector, which misses a few more faces: {error}")
                detector = "bundled"
        for name in (detector, estimator):
            fetch(manifest[name], progress)
    return Models(detector, estimator)


def _made_by(models: Models) -> dict[str, object]:
    manifest = load_manifest()
    sums = {file.name: file.sha256 for name in models for file in manifest[name].files}
    return {"version": __version__, **models._asdict(), "sha256": sums}


def _described(made_by: dict[str, object]) -> str:
    return f"{made_by.get('detector')} and {made_by.get('estimator')} of version {made_by.get('version')}"


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[Counts], object]]:
    """Progress display for the counts: a bar on a terminal, otherwise a line a minute, or nothing."""
    is_terminal = sys.stderr.isatty()
    start_s = last_s = time.monotonic()
    with tqdm(total=total, unit=" pictures", disable=quiet or not is_terminal, smoothing=0.05) as bar:

        def tell(counts: Counts) -> None:
            nonlocal last_s
            bar.set_postfix(faces=counts.faces, errors=counts.errors, refresh=False)
            bar.update(counts.pictures - bar.n)
            now_s = time.monotonic()
            if quiet or is_terminal or now_s - last_s < EVERY_S:
                return
            last_s = now_s
            rate = counts.pictures / (now_s - start_s)
            left_min = (total - counts.pictures) / rate / 60
            console.complain(
                f"{counts.pictures:,} of {total:,} pictures, {rate:.0f} a second, {counts.faces:,} faces, "
                f"{plural(counts.errors, 'error')}, {left_min:.0f} minutes left"
            )

        yield tell


@contextmanager
def _interrupted_by(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Call `stop` once at Ctrl-C or SIGTERM; a second one ends the command at once."""
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, _: object) -> None:
        caught.append(number)
        signal.signal(number, before[signal.Signals(number)])
        console.complain("Finishing what has begun …")
        stop()

    for each in before:
        signal.signal(each, handle)
    try:
        yield caught
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number
