"""agegender video: an annotated MP4, and a table of the people in it."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from agegender.cli import console
from agegender.errors import VideoError

if TYPE_CHECKING:
    from agegender.tracking.people import Person

BAR = "{l_bar}{bar}| {remaining} left"


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    one.description = "Frame and follow everybody in a video, and say who is seen and for how long."
    one.add_argument("source", type=Path, metavar="IN", help="an MP4, MOV, WebM, MKV, AVI or GIF file")
    one.add_argument("--out", type=Path, required=True, metavar="MP4", help="the annotated video, a new file")
    one.add_argument("--csv", type=Path, metavar="FILE", help="put a row a person there")
    one.add_argument("--json", type=Path, metavar="FILE", help="put an object with the people there")
    one.add_argument(
        "--per-second",
        type=_rate,
        default=10.0,
        metavar="N",
        help="analyse at most so many frames a second (default: 10)",
    )
    one.add_argument("--blur", action="store_true", help="make faces unrecognisable")
    console.add_model_names(one)
    one.set_defaults(command=annotate)


def annotate(options: argparse.Namespace) -> int:
    """Write the annotated video and what else was asked for, and print a line a person."""
    console.require("video", "av")
    from agegender.drawing.view_options import ViewOptions
    from agegender.export.people import people_csv, people_json
    from agegender.video.annotate import Options, annotate_video

    analyzer = console.build(options)
    how = Options(options.per_second, ViewOptions(blur=options.blur))
    with (
        closing(annotate_video(options.source, options.out, analyzer, how)) as steps,
        tqdm(total=100, unit="%", disable=None, leave=False, bar_format=BAR) as bar,
    ):
        for step in steps:
            bar.update(round(100 * step.part, 1) - bar.n)
    people = step.people or ()
    for note in step.notes:
        console.complain(note)
    if options.csv:
        _write(options.csv, people_csv(people))
    if options.json:
        _write(options.json, people_json(str(options.source), people) + "\n")
    for line in _lines(people):
        console.say(line)
    return console.DONE


def _lines(people: tuple[Person, ...]) -> list[str]:
    if not people:
        return ["no face found"]
    head = "person  gender       age     years  80 % in  seconds"
    return [head, *map(_line, people)]


def _line(person: Person) -> str:
    age, gender = person.age, person.gender
    sure = f"{gender.label} {min(99, round(100 * gender.probability))} %"  # no estimate is certain
    interval = f"{age.low:.0f}–{age.high:.0f}"
    years = f"{age.range:<6}  {age.years:>5.0f}  {interval:<7}"
    return f"{person.number:>6}  {sure:<11}  {years}  {person.seconds:>7.1f}"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise VideoError(f"“{path}” cannot be written ({error.strerror}).") from error


def _rate(text: str) -> float:
    if not 0 < (rate := float(text)) <= 1000:
        raise ValueError
    return rate
