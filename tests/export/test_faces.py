"""Exports: what programs, spreadsheets and people get to read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.export.faces import COLUMNS, MARK, Named, csv_lines, json_lines, printable, rows, table_lines
from agegender.types import Age, Analysis, Box, Face, Gender, Reading

ADA = Reading(
    Face(Box(10.04, 20.06, 110.96, 150.0), 0.98765432),
    Age((0.0, 0.0, 0.00004, 0.1, 0.6, 0.2, 0.09996, 0.0), 31.256, 22.04, 44.96),
    Gender(0.987654),
)
BEN = Reading(
    Face(Box(-5.0, 0.0, 50.0, 60.0), 0.71),
    Age((0.9, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), 1.5, 0.0, 4.3),
    Gender(0.25),
    ("small", "blurred"),
)
BOTH = Analysis(640, 480, (ADA, BEN), 0.1)
NOBODY = Analysis(32, 16, (), 0.1)


def read_csv(lines: list[str]) -> list[list[str]]:
    return list(csv.reader(io.StringIO("\n".join(lines).removeprefix(MARK), newline=""), strict=True))


def test_json_is_an_object_a_picture() -> None:
    first, second = map(json.loads, json_lines([("a.jpg", BOTH), ("b.jpg", NOBODY)]))
    ada, ben = first.pop("faces")
    assert first == {"file": "a.jpg", "width_px": 640, "height_px": 480, "turned": 0, "notes": []}
    assert ada == {
        "box": {"left": 10.0, "top": 20.1, "right": 111.0, "bottom": 150.0},
        "score": 0.9877,
        "age": {
            "range": "25–32",
            "years": 31.3,
            "low": 22.0,
            "high": 45.0,
            "probabilities": {
                "0–2": 0.0,
                "4–6": 0.0,
                "8–12": 0.0,
                "15–20": 0.1,
                "25–32": 0.6,
                "38–43": 0.2,
                "48–53": 0.1,
                "60–100": 0.0,
            },
        },
        "gender": {"label": "Female", "probability": 0.9877},
        "warnings": [],
    }
    assert ben["gender"] == {"label": "Male", "probability": 0.75}
    assert ben["warnings"] == ["small", "blurred"]
    assert second == {"file": "b.jpg", "width_px": 32, "height_px": 16, "turned": 0, "faces": [], "notes": []}


def test_csv_is_a_row_a_face_below_a_header() -> None:
    header, *faces = read_csv(list(csv_lines([("a.jpg", BOTH), ("b.jpg", NOBODY)])))
    assert tuple(header) == COLUMNS
    ada, ben = (dict(zip(header, face, strict=True)) for face in faces)
    assert [ada[key] for key in ("file", "face", "left", "bottom", "score")] == [
        *("a.jpg", "1", "10.0", "150.0", "0.9877")
    ]
    assert [ada[key] for key in ("age_range", "age_years", "age_low", "p_age_25_32", "p_age_38_43")] == [
        *("25–32", "31.3", "22.0", "0.6", "0.2")
    ]
    assert [ben[key] for key in ("face", "gender", "gender_probability", "warnings")] == [
        *("2", "Male", "0.75", "small; blurred")
    ]


def test_spreadsheets_take_csv_for_utf_8_and_read_every_header() -> None:
    header = next(iter(csv_lines([("Zoë.jpg", BOTH)])))
    assert header.encode().startswith(b"\xef\xbb\xbffile,width_px,")
    assert "".join(COLUMNS).isascii()
    assert "p_age_0_2,p_age_4_6," in header and header.count("\ufeff") == 1


def test_csv_of_nothing_is_its_header() -> None:
    assert read_csv(list(csv_lines([]))) == [list(COLUMNS)]


@pytest.mark.parametrize(
    "name", ["=1+1.jpg", "+1.jpg", "-2+3.jpg", "@SUM(A1).jpg", " =1.jpg", "\t=1.jpg", "\r=1.jpg", "＝1.jpg"]
)
def test_spreadsheets_do_not_run_the_names_of_files(name: str) -> None:
    _, (cell, *_) = read_csv(list(csv_lines([(name, Analysis(640, 480, (ADA,), 0.1))])))
    assert cell == f"'{name}"
    assert rows(name, BOTH)[0][0] == name  # unchanged where nothing evaluates them


@given(st.text().filter(lambda name: name.lstrip()[:1] not in tuple("=+-@＝＋－＠")))
def test_any_name_comes_through(name: str) -> None:
    _, *cells = read_csv(list(csv_lines([(name, BOTH)])))
    assert [cell[0] for cell in cells] == [name, name]
    (line,) = json_lines([(name, BOTH)])
    assert json.loads(line)["file"] == name
    assert "\n" not in line
    assert all(line.isprintable() for line in table_lines([(name, BOTH), (name, NOBODY)]))


def test_table_says_what_there_is_to_say() -> None:
    header, ada, ben, nobody = table_lines([("a.jpg", BOTH), ("b.jpg", NOBODY)])
    assert ada.split("  ")[-1] == "a.jpg"
    for told in ("1", "Female 99 %", "25–32", " 31 ", "22–45", "0.99"):
        assert told in ada
    for told in ("2", "Male 75 %", "0–2", "a.jpg", "small, blurred"):
        assert told in ben
    assert "no face" in nobody
    assert header.index("years") < header.index("likely") < header.index("group")
    assert ada.index(" 31 ") < ada.index("22–45") < ada.index("25–32")
    assert header.index("file") == ada.index("a.jpg") == nobody.index("b.jpg")


def test_terminals_get_nothing_to_obey() -> None:
    assert printable("a\x1b[2J\n\x9b1mb\u202e.jpg") == "a?[2J??1mb?.jpg"
    assert printable("Zoë – 東京.jpg") == "Zoë – 東京.jpg"


@pytest.mark.parametrize(("write", "headers"), [(json_lines, 0), (csv_lines, 1), (table_lines, 1)])
def test_each_picture_is_told_before_the_next_is_asked_for(write: Any, headers: int) -> None:
    asked = []

    def analyses() -> Iterator[Named]:
        for name in ("a.jpg", "b.jpg"):
            asked.append(name)
            yield name, BOTH

    lines = write(analyses())
    for _ in range(headers):
        next(lines)
    assert asked == []
    assert "a.jpg" in next(lines)
    assert asked == ["a.jpg"]
