"""The command line: agegender analyze | models | evaluate | video | app."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agegender.cli import analyze, app, batch, console, evaluate, models, summary, video
from agegender.errors import AgeGenderError

COMMANDS = {
    "analyze": (analyze, "estimate age and gender of the faces in pictures"),
    "models": (models, "list or download the models"),
    "evaluate": (evaluate, "measure accuracy on a labelled data set"),
    "batch": (batch, "analyse pictures by the million, resumable"),
    "summary": (summary, "summarise the results of a batch"),
    "video": (video, "annotate a video and list the people in it"),
    "app": (app, "serve the web app"),
}

INTERRUPTED, PIPE_CLOSED = 128 + 2, 128 + 13  # as shells report programs ended by SIGINT and SIGPIPE


class Ended(KeyboardInterrupt):
    """A request to terminate, or a closed terminal: handled like Ctrl+C, leaving nothing half-written."""

    def __init__(self, number: int) -> None:
        self.signal = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status.

    0 for success, 1 if something could not be read or fetched, with details on stderr; `SystemExit` with 2
    for wrong usage. stdout gets nothing but results, in UTF-8.
    """
    options = parser().parse_args(arguments)
    if not sys.warnoptions:  # Pillow warns about odd metadata, which helps nobody here
        warnings.filterwarnings("ignore", module=r"PIL\.")
    console.silence_libraries()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        with _signals():
            status: int = options.command(options)
        sys.stdout.flush()
        return status
    except AgeGenderError as error:
        console.complain(str(error))
        return console.FAILED
    except Ended as end:
        return 128 + end.signal
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader is gone
        _drop_stdout()
        return PIPE_CLOSED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_stdout()
        console.complain("The disk is full: the results could not be written.")
        return console.FAILED


def parser() -> argparse.ArgumentParser:
    """Build the argument parser; the parsed `command` is the function to call."""
    whole = argparse.ArgumentParser(
        prog="python -m agegender" if Path(sys.argv[0]).name == "__main__.py" else "agegender",
        description="Find faces in pictures and estimate their apparent age and gender.",
        epilog="Exit status: 0 success, 1 something could not be read or downloaded, 2 wrong usage.",
    )
    each = whole.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, does) in COMMANDS.items():
        command.add_arguments(each.add_parser(name, help=does))
    return whole


@contextmanager
def _signals() -> Iterator[None]:
    """Turn termination signals into `Ended`, as a context manager."""

    def end(number: int, _: object) -> None:
        raise Ended(number)

    asking = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {each: signal.signal(each, end) for each in asking if signal.getsignal(each) == signal.SIG_DFL}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _drop_stdout() -> None:
    """Keep Python from complaining at exit about output that it cannot flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
