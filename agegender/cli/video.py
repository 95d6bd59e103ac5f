"""agegender video: an annotated MP4, and a table of the people in it."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from agegender.cli import console
from agegender.cli.outputs import OutputError, beside, check_files, write_bytes
from agegender.cli.stream import watch
from agegender.imaging.formats import VIDEOS, names
from agegender.text import NO_FACE, percent

if TYPE_CHECKING:
    from agegender.analyzer import Analyzer
    from agegender.tracking.people import Person
    from agegender.video.annotate import Options, Progress

BAR = "{l_bar}{bar}| {remaining} left"


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    one.description = "Box and follow everybody in a video, and list who is seen and for how long."
    one.add_argument("source", metavar="IN", help=f"a file: {names(VIDEOS)}; or a URL with --stream")
    one.add_argument("--out", type=Path, metavar="MP4", help="the annotated video, a new file")
    one.add_argument("--csv", type=Path, metavar="FILE", help="save a table with one row per person there")
    one.add_argument("--json", type=Path, metavar="FILE", help="save the people as a JSON object there")
    one.add_argument(
        "--per-second",
        type=_rate,
        default=10.0,
        metavar="N",
        help="maximum number of frames analysed per second (default: 10)",
    )
    one.add_argument("--blur", action="store_true", help="make faces unrecognisable")
    one.add_argument(
        "--stream",
        action="store_true",
        help="watch a camera or server, IN being its rtsp:// or http:// URL, and print a line of JSON per "
        "person and second until interrupted",
    )
    console.add_model_names(one)
    one.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Annotate a file, or watch a stream."""
    console.require("video", "av")
    written = (options.out, options.csv, options.json)
    if options.stream:
        if any(written) or options.blur:
            raise OutputError(
                "--stream writes no files and shows no faces. Drop --out, --csv, --json and --blur."
            )
        return watch(options)
    if options.out is None:
        raise OutputError("Name the annotated video with --out.")
    return annotate(options)


def annotate(options: argparse.Namespace) -> int:
    """Write the annotated video and any other files requested, and print a line per person."""
    from agegender.drawing.view_options import ViewOptions
    from agegender.export.people import people_csv, people_json
    from agegender.video.annotate import Options, refuse_existing

    source = Path(options.source)
    refuse_existing(options.out)
    check_files({"IN": source}, {"--out": options.out, "--csv": options.csv, "--json": options.json})
    analyzer = console.build(options)
    how = Options(options.per_second, ViewOptions(blur=options.blur))
    last = _annotated(source, options.out, analyzer, how)
    people = last.people or ()
    counted = tuple(person for person in people if person.counted)
    for note in last.notes:
        console.complain(note)
    if options.csv:
        write_bytes(options.csv, people_csv(people).encode())
    if options.json:
        write_bytes(options.json, people_json(options.source, people).encode() + b"\n")
    for line in _lines(counted):
        console.say(line)
    return console.DONE


def _annotated(source: Path, target: Path, analyzer: Analyzer, how: Options) -> Progress:
    """Write the video with a progress bar, and return the final progress."""
    from agegender.video.apart import annotate_apart

    with beside(target, replace=False) as part:
        with (
            closing(annotate_apart(source, part, analyzer, how)) as steps,
            tqdm(total=100, unit="%", disable=None, leave=False, bar_format=BAR) as bar,
        ):
            for step in steps:
                bar.update(round(100 * step.part, 1) - bar.n)
        return step


def _lines(people: tuple[Person, ...]) -> list[str]:
    if not people:
        return [NO_FACE]
    head = "person  gender       age     years  80 % in  seconds"
    return [head, *map(_line, people)]


def _line(person: Person) -> str:
    age, gender = person.age, person.gender
    sure = f"{gender.label} {percent(gender.probability)}"
    interval = f"{age.low:.0f}–{age.high:.0f}"
    years = f"{age.range:<6}  {age.years:>5.0f}  {interval:<7}"
    return f"{person.number:>6}  {sure:<11}  {years}  {person.seconds:>7.1f}"


def _rate(text: str) -> float:
    if not 0 < (rate := float(text)) <= 1000:
        raise ValueError
    return rate
