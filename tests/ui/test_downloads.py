from __future__ import annotations

import json
from io import BytesIO
from pathlib import PurePosixPath, PureWindowsPath
from zipfile import ZipFile

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as some

from agegender.drawing.view_options import ViewOptions
from agegender.export.faces import csv_lines, json_lines
from agegender.imaging.io import decode
from agegender.types import Age, Analysis, Box, Face, Gender, Reading
from agegender.ui.downloads import Picture, as_csv, as_json, saved_names, zipped

BOX = Box(60, 50, 180, 190)
READING = Reading(Face(BOX, 0.9), Age((0, 0, 0, 0.2, 0.7, 0.1, 0, 0), 29.0, 22.0, 37.0), Gender(0.9))


def picture_of(name: str, *readings: Reading) -> Picture:
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    file = BytesIO()
    PIL.Image.fromarray(noise).save(file, "PNG")
    return Picture(name, file.getvalue(), Analysis(320, 240, readings, 0.1))


def test_a_zip_holds_every_picture_in_its_size_even_where_names_are_the_same() -> None:
    pictures = [picture_of(name, READING) for name in ("a.png", "A.jpg", "../../b.png")]
    with ZipFile(BytesIO(zipped(pictures, ViewOptions()))) as archive:
        assert archive.namelist() == ["a-faces.jpg", "A-faces-2.jpg", "b-faces.jpg"]
        assert archive.testzip() is None
        for name in archive.namelist():
            assert decode(archive.read(name)).shape == (240, 320, 3)


def test_faces_hidden_in_a_zip_are_not_in_the_file() -> None:
    picture = picture_of("a.png", READING)
    original = decode(picture.data)[80:160, 80:160].astype(int)
    with ZipFile(BytesIO(zipped([picture], ViewOptions(labels=(), blur=True)))) as archive:
        hidden = decode(archive.read("a-faces.jpg"))[80:160, 80:160].astype(int)
    assert hidden.std() < 25 < original.std()
    assert abs(np.corrcoef(hidden.ravel(), original.ravel())[0, 1]) < 0.2


@given(some.lists(some.text(max_size=120), max_size=12))
def test_any_names_become_distinct_ones_that_lead_nowhere_else(names: list[str]) -> None:
    saved = list(saved_names(names))
    assert len({name.casefold() for name in saved}) == len(saved) == len(names)
    for name in saved:
        assert PurePosixPath(name).name == PureWindowsPath(name).name == name
        assert name.isprintable() and not name.startswith(".")


@pytest.mark.parametrize(
    ("look", "faces"), [(ViewOptions(), 1), (ViewOptions(score=0.95), 0), (ViewOptions(smallest_px=141), 0)]
)
def test_results_are_the_command_lines_own_without_what_is_left_out(look: ViewOptions, faces: int) -> None:
    pictures = [picture_of("a.png", READING), picture_of("ä,b.png")]
    left = [(p.name, Analysis(320, 240, p.analysis.readings[:faces], 0.1)) for p in pictures]
    assert as_csv(pictures, look).decode().split("\n") == [*csv_lines(left), ""]
    assert as_json(pictures, look).decode().split("\n") == [*json_lines(left), ""]
    objects = [json.loads(line) for line in as_json(pictures, look).splitlines()]
    assert [(found["file"], len(found["faces"])) for found in objects] == [("a.png", faces), ("ä,b.png", 0)]
