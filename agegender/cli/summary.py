"""agegender summary: the results of a batch."""

from __future__ import annotations

import argparse
from pathlib import Path

from agegender.batch import summary
from agegender.cli import console


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    one.description = "Summarise the results of a batch: people by age and gender, warnings, errors by kind."
    one.add_argument("results", type=Path, metavar="FOLDER", help="the folder given to `batch --out`")
    one.add_argument(
        "--plot", type=Path, metavar="FILE", help="save a chart of people by age and gender (SVG or PNG)"
    )
    one.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print the summary, and save its chart if requested."""
    found = summary.summarize(options.results)
    for line in summary.lines(found):
        console.say(line)
    if options.plot:
        summary.plot(found, options.plot)
        console.complain(f"{options.plot}: drawn")
    return console.DONE
