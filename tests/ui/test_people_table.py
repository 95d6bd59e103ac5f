"""The table of people in view, as a browser would read it."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agegender.imaging.io import decode
from agegender.live.processor import Latest
from agegender.live.stats import Figures
from agegender.text import percent
from agegender.tracking.fusion import Shown
from agegender.tracking.tracker import Track
from agegender.types import Age, Analysis, Box, Face, Gender
from agegender.ui import people_table
from agegender.ui.people_table import CROP_PX, table

if TYPE_CHECKING:
    from playwright.sync_api import Page

AGE = Age((0.0, 0.0, 0.0, 0.1, 0.6, 0.3, 0.0, 0.0), 29.4, 22.0, 41.0)


def person(number: int, left: float, p_female: float) -> Track:
    face = Face(Box(left, 20, left + 40, 70), 0.9)
    shown = Shown(AGE, Gender(p_female))
    return Track(number, face, face.box, (0, 0, 0, 0), 1.0, 13.4, shown=shown)


def latest_of(*tracks: Track) -> Latest:
    image = np.full((100, 200, 3), 200, np.uint8)
    image[:, 100:] = (0, 0, 200)
    readings = tuple(reading for track in tracks if (reading := track.reading_at(13.4)))
    analysis = Analysis(200, 100, readings, 0.0)
    return Latest(image, np.zeros_like(image), analysis, tracks, Figures(), None, 13.4, False, ())


def cells(html: str) -> tuple[list[list[str]], list[np.ndarray]]:
    """Text of each row's cells, and the pictures."""
    root = ET.fromstring(html[html.index("<table") :].replace("<br/>", " "))
    rows = [["".join(cell.itertext()) for cell in row.iter("td")] for row in root.iter("tr")]
    sources = [image.attrib["src"] for image in root.iter("img")]
    return rows[1:], [decode(base64.b64decode(source.split(",")[1])) for source in sources]


def test_a_row_a_person_with_a_crop_of_the_face() -> None:
    rows, crops = cells(table(latest_of(person(1, 10, 0.9), person(7, 140, 0.001)), blur=False))
    assert rows == [
        ["1", "about 29 · likely 22–41 group 25–32, 60 %", "Female 90 %", "12 s"],
        ["7", "about 29 · likely 22–41 group 25–32, 60 %", "Male 99 %", "12 s"],
    ]
    assert [crop.shape for crop in crops] == [(CROP_PX, CROP_PX, 3)] * 2
    assert crops[0].mean(axis=(0, 1)) == pytest.approx([200, 200, 200], abs=4)
    assert crops[1].mean(axis=(0, 1)) == pytest.approx([0, 0, 200], abs=4)


def test_hidden_faces_are_hidden_in_the_table() -> None:
    _, (crop,) = cells(table(latest_of(person(1, 10, 0.9)), blur=True))
    assert crop.max() < 10


def test_nothing_is_certain() -> None:
    assert [percent(p) for p in (0.5, 0.994, 0.999, 1.0)] == ["50 %", "99 %", "99 %", "99 %"]


@pytest.mark.browser
def test_on_a_phone_the_number_stays_beside_the_crop_and_nothing_sticks_out(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 400})
    style = (Path(people_table.__file__).parent / "style.css").read_text("utf-8")
    html = table(latest_of(person(1, 10, 0.9), person(17, 140, 0.001)), blur=False)
    page.set_content(f"<style>{style}</style>{html}")
    script = """cell => {
        const number = document.createRange();
        number.selectNodeContents(cell.lastChild);
        return number.getBoundingClientRect().left - cell.querySelector("img").getBoundingClientRect().right;
    }"""
    people = page.locator(".people td:first-child").all()
    assert [cell.evaluate(script) >= 0 for cell in people] == [True, True]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
