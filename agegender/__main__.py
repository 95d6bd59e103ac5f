"""The command line: python -m agegender analyze | models | evaluate | video."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from agegender import commands, evaluate_command, video_command
from agegender.analyzer import DETECTORS, ESTIMATORS
from agegender.errors import AgeGenderError

INTERRUPTED, PIPE_CLOSED = 128 + 2, 128 + 13  # as shells have it of programs that these signals have ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments, or else the command line, say, and return the exit status.

    0 when all went well, 1 when something could not be read or had, of which stderr tells; `SystemExit`
    with 2 for wrong usage. stdout gets nothing but results, in UTF-8.
    """
    options = parser().parse_args(arguments)
    if (
        not sys.warnoptions
    ):  # Pillow warns of odd metadata, which is nothing to the person that has such a file
        warnings.filterwarnings("ignore", module=r"PIL\.")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status: int = options.command(options)
        sys.stdout.flush()
        return status
    except AgeGenderError as error:
        commands.complain(str(error))
        return commands.FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # nobody reads any more
        _drop_stdout()
        return PIPE_CLOSED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_stdout()
        commands.complain("The disk is full: the results could not be written.")
        return commands.FAILED


def parser() -> argparse.ArgumentParser:
    """Return what parses the command line; `command` is the function to call with what it found."""
    whole = argparse.ArgumentParser(
        prog="python -m agegender",
        description="Find faces in pictures and estimate their apparent age and gender.",
        epilog="Exit status: 0 all went well, 1 something could not be read or had, 2 wrong usage.",
    )
    each = whole.add_subparsers(required=True, metavar="COMMAND")
    _add_analyze(each.add_parser("analyze", help="say what is seen in pictures"))
    _add_models(each.add_parser("models", help="list the models, or fetch some"))
    evaluation = each.add_parser("evaluate", help="measure accuracy on a labelled data set")
    evaluate_command.add_arguments(evaluation)
    _add_model_names(evaluation)
    video = each.add_parser("video", help="annotate a video, and say who is in it")
    video_command.add_arguments(video)
    _add_model_names(video)
    return whole


def _drop_stdout() -> None:
    """Keep Python from complaining when it flushes, at its end, what cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _add_analyze(one: argparse.ArgumentParser) -> None:
    one.description = "Say what is seen in pictures, one after the other."
    one.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a picture, or a folder with pictures in it"
    )
    formats = one.add_mutually_exclusive_group()
    formats.add_argument(
        "--table",
        dest="format",
        action="store_const",
        const="table",
        default="table",
        help="a line a face, for people (this is what you get if you do not choose)",
    )
    formats.add_argument(
        "--json", dest="format", action="store_const", const="json", help="an object a picture, on a line"
    )
    formats.add_argument(
        "--csv",
        dest="format",
        action="store_const",
        const="csv",
        help="a row a face; a picture without faces has none",
    )
    one.add_argument(
        "--annotate",
        type=Path,
        metavar="FOLDER",
        help="put pictures with boxes and labels there, as NAME-annotated.jpg; no file is overwritten",
    )
    _add_model_names(one)
    one.set_defaults(command=commands.analyze)


def _add_models(one: argparse.ArgumentParser) -> None:
    one.description = "List the models and whether they are here, or fetch some."
    one.set_defaults(command=commands.list_models)
    actions = one.add_subparsers(metavar="list|fetch")
    listing = actions.add_parser("list", help="list all (this is what you get if you do not choose)")
    listing.set_defaults(command=commands.list_models)
    fetching = actions.add_parser("fetch", help="fetch some into the cache, for when there is no network")
    fetching.add_argument("names", nargs="+", metavar="NAME", help="as in the list")
    fetching.set_defaults(command=commands.fetch_models)


def _add_model_names(one: argparse.ArgumentParser) -> None:
    for role, names in (("detector", DETECTORS), ("estimator", ESTIMATORS)):
        one.add_argument(
            f"--{role}", default=names[0], metavar="NAME", help=f"{', '.join(names)} (default: {names[0]})"
        )


if __name__ == "__main__":
    sys.exit(main())
