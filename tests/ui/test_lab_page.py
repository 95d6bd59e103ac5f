"""The Lab without a browser: its estimates, its curves, and the link that restores a state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from agegender.analyzer import build_analyzer
from agegender.estimation.changes import Changes, changed, cut_out
from agegender.imaging.io import decode
from agegender.ui.lab import heat

ROOT = Path(__file__).parents[2]


def lab(**query: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    page.switch_page("pages/4_Lab.py")
    for name, value in query.items():
        page.query_params[name] = value
    return good(page.run())


def good(page: AppTest) -> AppTest:
    assert [exception.value for exception in page.exception] == []
    return page


def html(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def test_a_slider_changes_the_answer_to_the_librarys_own() -> None:
    page = lab()
    analyzer = build_analyzer()
    image = decode(ROOT / "samples" / "astronaut.png")
    cut = changed(cut_out(image, analyzer(image).readings[0].face), Changes(blur=60))
    ((age, gender),) = analyzer.estimator.estimate(cut[0], [cut[1]])
    ((plain, _),) = analyzer.estimator.estimate(image, [analyzer(image).readings[0].face])
    assert f"about {plain.years:.0f}</b>" in html(page)
    page.slider(key="blur").set_value(60).run()
    assert f"about {age.years:.0f}</b>" in html(good(page))
    assert f"{gender.label} {100 * gender.probability:.0f} %" in html(page)


def test_a_link_brings_back_sample_and_sliders() -> None:
    page = lab(face="John Glenn", size="40", cover="Sunglasses", over="Size")
    assert page.selectbox(key="face").value == "John Glenn"
    assert page.slider(key="size").value == 40
    values = [control.value for control in page.segmented_control]
    assert "Sunglasses" in values and "size" in values


def test_it_shows_curves_with_words_a_map_and_the_models() -> None:
    page = lab()
    charts = [*page.get("arrow_vega_lite_chart"), *page.get("vega_lite_chart")]
    assert len(charts) == 2
    assert any("the answer is of little use" in text.value for text in page.markdown)
    assert "Built-in model" in html(page)
    assert "Where covering a patch" not in html(page)
    page.toggle(key="map").set_value(True).run()
    assert html(good(page)).count("Where covering a patch") == 2


def test_a_face_of_many_can_be_chosen() -> None:
    page = lab(face="Solvay conference, 1927")
    page.number_input(key="number").set_value(9).run()
    assert len(page.number_input) == 1 and good(page)


def test_heat_is_orange_where_most_changes_and_grey_where_nothing_does() -> None:
    crop = np.full((70, 70, 3), 128, np.uint8)
    values = np.zeros((7, 7))
    values[3, 3] = -5.0
    drawn = heat(crop, values)
    assert drawn[35, 35, 0] > drawn[35, 35, 2] + 100
    assert drawn[5, 5] == pytest.approx([128] * 3)
