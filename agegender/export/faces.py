"""Analyses of pictures as text: JSON for programs, CSV for spreadsheets, a plain table for people.

All three formats take pairs of file name and analysis, and yield each line as soon as it is known: many
pictures need no more memory than one.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator

from agegender.text import NO_FACE, percent
from agegender.types import RANGES, Analysis, Reading

Named = tuple[str, Analysis]
"""A file's name and the analysis of the picture in it."""

PROBABILITIES = tuple(f"p_age_{name.replace('–', '_')}" for name in RANGES)
"""ASCII column names for the probabilities of the eight ranges."""

MARK = "\ufeff"
"""Byte order mark before a table, so that spreadsheets read it as UTF-8."""

COLUMNS = (
    *("file", "width_px", "height_px", "face", "left", "top", "right", "bottom", "score"),
    *("age_range", "age_years", "age_low", "age_high", *PROBABILITIES),
    *("gender", "gender_probability", "warnings"),
)
"""CSV columns; each row is a face with its picture.

`face` numbers the faces of a picture from 1, from left to right; `PROBABILITIES` are those of the eight
ranges.
"""

# `json` leaves these unescaped, but a terminal may obey them or a program take them for line ends.
JSON_CONTROLS = re.compile(r"[\x7f-\x9f\u2028\u2029]")

# Spreadsheets evaluate text that begins with one of these, full-width forms and leading spaces included.
FORMULA_STARTS = "=+-@＝＋－＠"


def json_lines(analyses: Iterable[Named]) -> Iterator[str]:
    """One JSON object per picture, one per line (JSON Lines)."""
    for file, analysis in analyses:
        line = json.dumps(to_object(file, analysis), ensure_ascii=False)
        yield JSON_CONTROLS.sub(lambda sign: f"\\u{ord(sign[0]):04x}", line)


def csv_lines(analyses: Iterable[Named]) -> Iterator[str]:
    """Yield the header, after a byte order mark, and one row per face; a picture without faces has no row.

    File names that a spreadsheet would evaluate are prefixed with '. A name with line breaks makes a row span
    several lines.
    """
    yield MARK + _csv_row(COLUMNS)
    for file, analysis in analyses:
        yield from map(_csv_row, rows(file, analysis))


def table_lines(analyses: Iterable[Named]) -> Iterator[str]:
    """Yield a table with one line per face, and one for each picture without any."""
    yield "face  gender       years  likely   group   score  file"
    for file, analysis in analyses:
        for number, reading in enumerate(analysis.readings, 1):
            yield _table_row(number, reading, file)
        if not analysis.readings:
            yield f"   –  {NO_FACE:<42}  {printable(file)}"


def to_object(file: str, analysis: Analysis) -> dict[str, object]:
    """One picture's analysis as JSON-ready dictionaries, with rounded numbers."""
    return {
        "file": file,
        "width_px": analysis.width_px,
        "height_px": analysis.height_px,
        "turned": analysis.turned_degrees,
        "faces": [_face_object(reading) for reading in analysis.readings],
        "notes": list(analysis.notes),
    }


def rows(file: str, analysis: Analysis) -> list[tuple[str | int | float, ...]]:
    """One tuple per face, in the order of `COLUMNS`, with rounded numbers."""
    return [
        (
            file,
            analysis.width_px,
            analysis.height_px,
            number,
            *_box(reading).values(),
            round(reading.face.score, 4),
            reading.age.range,
            *_years(reading).values(),
            *_probabilities(reading).values(),
            reading.gender.label,
            round(reading.gender.probability, 4),
            "; ".join(reading.warnings),
        )
        for number, reading in enumerate(analysis.readings, 1)
    ]


def printable(text: str) -> str:
    """Replace line breaks and control characters, which a terminal would obey, by '?'."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _face_object(reading: Reading) -> dict[str, object]:
    age = {"range": reading.age.range, **_years(reading), "probabilities": _probabilities(reading)}
    gender = {"label": reading.gender.label, "probability": round(reading.gender.probability, 4)}
    return {
        "box": _box(reading),
        "score": round(reading.face.score, 4),
        "age": age,
        "gender": gender,
        "warnings": list(reading.warnings),
    }


def _box(reading: Reading) -> dict[str, float]:
    box = reading.face.box
    return {side: round(getattr(box, side), 1) for side in ("left", "top", "right", "bottom")}


def _years(reading: Reading) -> dict[str, float]:
    return {key: round(getattr(reading.age, key), 1) for key in ("years", "low", "high")}


def _probabilities(reading: Reading) -> dict[str, float]:
    return {name: round(p, 4) for name, p in zip(RANGES, reading.age.probabilities, strict=True)}


def _csv_row(values: Iterable[object]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # ends lines with \r\n, and therefore quotes names that contain either
    writer.writerow([_harmless(value) if isinstance(value, str) else value for value in values])
    return buffer.getvalue().removesuffix("\r\n")


def _harmless(text: str) -> str:
    starts_formula = text.lstrip()[:1] in tuple(FORMULA_STARTS)
    return f"'{text}" if starts_formula else text


def _table_row(number: int, reading: Reading, file: str) -> str:
    age, gender = reading.age, reading.gender
    sure = f"{gender.label} {percent(gender.probability)}"
    interval = f"{age.low:.0f}–{age.high:.0f}"
    warnings = f"  ({', '.join(reading.warnings)})" if reading.warnings else ""
    return (
        f"{number:>4}  {sure:<11}  {age.years:>5.0f}  {interval:<7}  {age.range:<6}"
        f"  {reading.face.score:>5.2f}  {printable(file)}{warnings}"
    )
