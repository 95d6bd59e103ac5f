"""HTML tables of people: those in view, redrawn twice a second, and those in a video."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agegender.estimation.quality import sentence
from agegender.imaging.geometry import margin_crop
from agegender.imaging.io import encode_jpeg
from agegender.live.processor import Latest
from agegender.text import clock, data_url, percent
from agegender.tracking.people import Person
from agegender.tracking.tracker import Track
from agegender.types import Age, Box, Gender, Image, Reading

CROP_PX = 88
"""Twice the displayed size, for high-resolution screens."""

CROP_MARGIN = 0.25

HEADER = (
    "<thead><tr><th scope='col'>Person</th><th scope='col'>Apparent age</th>"
    "<th scope='col'>Apparent gender</th><th scope='col'>In view</th></tr></thead>"
)


def table(latest: Latest, blur: bool) -> str:
    """HTML table with a row for each person in view, from left to right.

    With `blur`, crops are cut from the picture as sent, in which faces are hidden.
    """
    image = latest.picture if blur else latest.image
    pairs = zip(latest.tracks, latest.analysis.readings, strict=True)
    rows = "".join(row(track, reading, image) for track, reading in pairs)
    return f"<table class='people'>{HEADER}<tbody>{rows}</tbody></table>"


def row(track: Track, reading: Reading, image: Image) -> str:
    """HTML row for one person."""
    cells = (
        f"<img alt='' src='{crop(image, reading.face.box)}'/>{track.number}",
        *known(reading.age, reading.gender, reading.warnings),
        f"{track.seconds:.0f} s",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def known(age: Age, gender: Gender, warnings: Collection[str]) -> tuple[str, str]:
    """Two cells: age with any warnings, and gender."""
    caution = f"<br/>⚠ {sentence(warnings)}" if warnings else ""
    return (
        f"<b>about {age.years:.0f}</b> · likely {age.low:.0f}–{age.high:.0f}<br/>"
        f"<small>group {age.range}, {percent(age.range_probability)}{caution}</small>",
        f"<b>{gender.label}</b> {percent(gender.probability)}",
    )


def crop(image: Image, box: Box) -> str:
    """Crop of the face in the box, as the data URL of a JPEG."""
    return data_url(encode_jpeg(margin_crop(image, box, CROP_MARGIN, CROP_PX), quality=80))


def timeline(people: Sequence[Person], seconds: float) -> str:
    """HTML table with a row per person, by number: their estimates and when they are in view.

    Buttons carry a moment in seconds, to which script.js moves the page's video.
    """
    rows = "".join(_row(person, seconds) for person in people)
    return f"<table class='people timeline'>{HEADER}<tbody>{rows}</tbody></table>"


def _row(person: Person, seconds: float) -> str:
    first_s = person.spans[0][0]
    crop = f"<img alt='' src='{data_url(person.crop)}'>{person.number}"
    who = f"Person {person.number}: go to {clock(first_s)}"
    cells = (
        f"<button type='button' class='who' data-seek='{first_s:.2f}' aria-label='{who}'>{crop}</button>",
        *known(person.age, person.gender, person.warnings),
        f"<div class='track'>{''.join(_bar(person, span, seconds) for span in person.spans)}</div>"
        f"<small>{person.seconds:.1f} s</small>",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _bar(person: Person, span: tuple[float, float], seconds: float) -> str:
    start_s, end_s = span
    left, width = 100 * start_s / max(seconds, 0.01), 100 * (end_s - start_s) / max(seconds, 0.01)
    told = f"Person {person.number} in view from {clock(start_s)} to {clock(end_s)}"
    return (
        f"<button type='button' class='bar {person.gender.label.lower()}' data-seek='{start_s:.2f}' "
        f"style='left:{left:.2f}%;width:{width:.2f}%' aria-label='{told}' title='{told}'></button>"
    )
