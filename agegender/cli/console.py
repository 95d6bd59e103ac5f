"""Shared by the commands: exit statuses, progress bars, results on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TypeVar

from tqdm import tqdm

from agegender.analyzer import DETECTORS, ESTIMATORS, Analyzer, build_analyzer
from agegender.errors import MissingExtraError
from agegender.export.faces import printable
from agegender.models.download import Progress

T = TypeVar("T")


DONE, FAILED = 0, 1


def silence_libraries() -> None:
    """Keep native libraries from writing to the terminal, as libtiff does about broken files."""
    own = sys.__stderr__  # None without a console
    if own is None or sys.stderr is not own or own.fileno() != 2:
        return  # already redirected, as in tests
    own.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def require(extra: str, *modules: str) -> None:
    """Raise `MissingExtraError` if a module of an extra is not installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"This command needs {' and '.join(missing)}, which the extra “{extra}” installs: "
            f"pip install 'agegender[{extra}]'"
        )


def build(options: argparse.Namespace) -> Analyzer:
    """Build the requested analyzer and print its notes."""
    with download_bars() as progress:
        analyzer = build_analyzer(options.detector, options.estimator, progress)
    for note in analyzer.notes:
        complain(note)
    return analyzer


def bar(items: Iterable[T], total: int) -> Iterator[T]:
    """Iterate with a progress bar, if there is a terminal."""
    quiet = None if total > 1 else True  # None lets tqdm decide, which is silent without a terminal
    return iter(tqdm(items, total=total, unit="picture", disable=quiet, leave=False))


@contextmanager
def download_bars() -> Iterator[Progress]:
    """Show download progress on a terminal, as a context manager."""
    bars: dict[str, tqdm] = {}

    def show(name: str, done: int, total: int) -> None:
        if name not in bars:
            bars[name] = tqdm(desc=name, total=total, unit="B", unit_scale=True, disable=None, leave=False)
        bars[name].update(done - bars[name].n)

    try:
        yield show
    finally:
        for each in bars.values():
            each.close()


def say(line: str) -> None:
    """Print a result at once, above any progress bar."""
    with tqdm.external_write_mode(sys.stdout):
        print(line, flush=True)


def complain(line: str) -> None:
    """Print anything but a result, on one line of stderr."""
    with tqdm.external_write_mode(sys.stderr):
        print(printable(line), file=sys.stderr, flush=True)


def add_model_names(one: argparse.ArgumentParser) -> None:
    """Add --detector and --estimator."""
    for role, names in (("detector", DETECTORS), ("estimator", ESTIMATORS)):
        one.add_argument(
            f"--{role}", default=names[0], metavar="NAME", help=f"{', '.join(names)} (default: {names[0]})"
        )
