"""The About page without a browser: its steps on the sample, its figures, its notes on models."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from agegender.analyzer import Analyzer, build_analyzer
from agegender.errors import DatasetError
from agegender.evaluation import card
from agegender.evaluation.charts import described
from agegender.imaging.io import decode
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.models.session import onnx_session
from agegender.text import escape
from agegender.types import Age, Box, Estimate, Face, Gender, Image, Reading
from agegender.ui import loader
from agegender.ui.about import CROP_PX, SOBEL, filtered, picture_steps, verdict, with_landmarks

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "astronaut.png"


class Nobody:
    """Detects no face."""

    name = "nobody"

    def detect(self, _image: Image) -> tuple[Face, ...]:
        return ()

    def estimate(self, _image: Image, _faces: object) -> tuple[Estimate, ...]:
        return ()


class Somebody(Nobody):
    """Detects one face without landmarks, always the same."""

    name = "somebody"

    def detect(self, _image: Image) -> tuple[Face, ...]:
        return (Face(Box(180, 60, 270, 180), 0.9),)

    def estimate(self, _image: Image, _faces: object) -> tuple[Estimate, ...]:
        return ((Age((0, 0, 0, 0.2, 0.7, 0.1, 0, 0), 28.6, 21.7, 37.2), Gender(0.97)),)


def opened() -> AppTest:
    # From home, because pages link to each other by paths within the app.
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    page = page.switch_page("pages/5_About.py").run()
    assert [exception.value for exception in page.exception] == []
    return page


def use(monkeypatch: pytest.MonkeyPatch, stub: Nobody) -> None:
    monkeypatch.setattr(loader, "analyzer", lambda *_: Analyzer(stub, stub))


def texts(page: AppTest) -> str:
    return "\n".join(e.value for e in [*page.markdown, *page.caption, *page.info, *page.header])


def test_the_sample_goes_through_the_real_pipeline_step_by_step() -> None:
    page = opened()
    reading = build_analyzer()(decode(SAMPLE)).readings[0]
    age = reading.age
    told = f"about {age.years:.0f} (likely {age.low:.0f}–{age.high:.0f}), {reading.gender.label} "
    assert f"4 · Estimated: {told}" in texts(page)
    assert html(page).count("class='square'") == 3  # seen, found, aligned
    assert html(page).count("class='bars'") == 1
    charts = [*page.get("arrow_vega_lite_chart"), *page.get("vega_lite_chart")]
    # The ranges; each data set; their groups and warnings; gender twice and age; confused ages.
    assert len(charts) >= 1 + 2 + 4 + 3 + 1


def test_the_contents_lead_to_every_section() -> None:
    page = opened()
    contents = page.markdown[0].value
    for header in page.header:
        assert f"[{header.value}](#{header.value.lower().replace(' ', '-')})" in contents
    assert [box.label for box in page.expander if box.proto.expanded] == ["Accuracy by group"]


@pytest.mark.parametrize(
    ("p_female", "low", "told"),
    [
        (0.9, 70.0, ""),
        (0.1, 70.0, "gender wrong"),
        (0.9, 20.0, "age wrong"),
        (0.1, 20.0, "gender wrong and age wrong"),
    ],
)
def test_what_is_wrong_about_a_hard_sample_is_said(p_female: float, low: float, told: str) -> None:
    age = Age((0.0,) * 7 + (1.0,), low + 5, low, low + 10)
    words = verdict(Reading(Face(Box(0, 0, 9, 9), 0.9), age, Gender(p_female)), "Female", (70, 79))
    assert words.partition("): ")[2] == told
    assert words.startswith(f"read as {'Female' if p_female > 0.5 else 'Male'} 90 %, about {low + 5:.0f} ")


def html(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def test_figures_are_those_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Somebody())
    page, reports = opened(), card.read().reports
    assert f"Off by **{reports['utkface'].values['age_mae_years']:.1f} years**" in texts(page)
    assert f"**FairFace** · {reports['fairface'].pictures:,} photos" in texts(page)
    assert "gender right: " in described(reports["fairface"].values)


REPORT: dict[str, object] = {"pictures": 1, "figures": {}, "groups": {}, "warnings": {}}


@pytest.mark.parametrize(
    "content",
    [
        None,
        "{",
        "[]",
        '{"made": {}, "harder": {}}',
        json.dumps({"made": {}, "harder": {}, "reports": {"a": REPORT}}),
    ],
)
def test_without_figures_the_page_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "figures.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match="cannot be read"):
        card.read(path)
    use(monkeypatch, Somebody())
    read = card.read
    monkeypatch.setattr(card, "read", lambda: read(path))
    page = opened()
    assert "cannot be read" in page.info[0].value
    assert "Licences" in texts(page)


def test_every_model_is_there_with_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Somebody())
    shown = texts(opened())
    for spec in load_manifest().values():
        assert escape(spec.title) in shown and escape(spec.licence) in shown


@pytest.mark.parametrize(("stub", "told"), [(Somebody(), "no landmarks"), (Nobody(), "finds no face")])
def test_what_a_detector_does_not_give_is_said(
    monkeypatch: pytest.MonkeyPatch, stub: Nobody, told: str
) -> None:
    use(monkeypatch, stub)
    shown = texts(opened())
    assert told in shown and "Licences" in shown


def test_the_crop_is_what_the_bundled_net_takes() -> None:
    path = store.fetch(load_manifest()["apparent"])["apparent.onnx"]
    assert onnx_session(path).get_inputs()[0].shape[1:3] == [CROP_PX, CROP_PX]
    steps = picture_steps(decode(SAMPLE), Face(Box(180, 60, 270, 180), 0.9))
    assert decode(steps.aligned).shape == (CROP_PX, CROP_PX, 3)


def test_landmarks_are_drawn_where_they_are_and_on_a_copy() -> None:
    image = np.full((100, 100, 3), 200, dtype=np.uint8)
    marks = ((30.0, 40.0), (60.0, 40.0), (45.0, 55.0), (35.0, 70.0), (55.0, 70.0))
    drawn = with_landmarks(image, Face(Box(20, 20, 70, 80), 0.9, marks))
    assert (image == 200).all()
    assert all((drawn[int(y), int(x)] != 200).any() for x, y in marks)
    assert (drawn[50, 25] == 200).all()


def test_a_filter_answers_to_its_own_edges_alone() -> None:
    crop = np.zeros((20, 20, 3), dtype=np.uint8)
    cv2.rectangle(crop, (10, 0), (19, 19), (255, 255, 255), cv2.FILLED)
    down, across = filtered(crop, SOBEL), filtered(crop, SOBEL.T.copy())
    assert down[:, 9:11].min() == 255 and down[:, :8].max() == 0
    assert across.max() == 0
