"""The model card: it states the measured figures and no others, for the bundled models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agegender.evaluation import card as measured
from agegender.evaluation.card import Card, Measured
from agegender.evaluation.tables import SETS, shown
from agegender.models.manifest import load_manifest
from training.card import CARDS, rewritten
from training.tables import TABLES, worst

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def card() -> Card:
    return measured.read()


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_tables_are_those_of_the_figures(path: Path, card: Card) -> None:
    text = path.read_text(encoding="utf-8")
    assert rewritten(text, card) == text
    assert "| --- |" in text


def test_every_table_is_in_the_card() -> None:
    names = re.findall("<!-- table: (.+?) -->", CARDS[0].read_text(encoding="utf-8"))
    assert sorted(names) == sorted(TABLES)


def test_the_figures_are_of_the_models_that_the_manifest_names(card: Card) -> None:
    manifest = load_manifest()
    files = [file for name in ("yunet", "apparent") for file in manifest[name].files]
    assert card.made["sha256"] == {file.name: file.sha256 for file in files}


def test_pictures_that_the_card_shows_are_there() -> None:
    names = re.findall(r"\((plots/.+?)\)", CARDS[0].read_text(encoding="utf-8"))
    assert len(names) == 5
    for name in names:
        assert (ROOT / "models" / name).read_text(encoding="utf-8").startswith("<svg ")


def test_charts_of_the_card_are_those_of_the_figures(card: Card) -> None:
    for kind, title in SETS.items():
        report = card.reports[kind]
        for bins, what in ((report.gender_calibration.bins, "gender"), (report.age_calibration, "intervals")):
            if bins:
                chart = (ROOT / "models" / "plots" / f"{kind}-{what}.svg").read_text(encoding="utf-8")
                assert title in chart
                for one in bins:
                    assert f"{100 * one.stated:.10g}"[:7] in chart, "run python -m training.card"


def test_the_card_tells_each_headline_figure_of_the_file(card: Card) -> None:
    text = CARDS[0].read_text(encoding="utf-8")
    for report in card.reports.values():
        for key, value in report.values.items():
            sign = "+" if key == "age_bias_years" else ""
            told = f"{value:{sign}.1f} years" if key.endswith("_years") else f"{100 * value:.1f} %"
            assert told in text, key


@pytest.mark.parametrize(
    ("key", "figure", "text"),
    [
        ("gender_accuracy", Measured(0.9123, 300, (0.85, 0.951)), "91.2 % (85.0–95.1)"),
        ("age_mae_years", Measured(5.678, 300, (5.1, 6.2)), "5.7 years (5.1–6.2)"),
        ("gender_accuracy", Measured(0.5, 19, (0.3, 0.7)), "–"),
        ("gender_accuracy", Measured(None, 0, None), "–"),
    ],
)
def test_a_figure_is_told_with_its_interval_unless_there_are_too_few(
    key: str, figure: Measured, text: str
) -> None:
    assert shown(key, figure) == text


def test_worst_are_the_groups_whose_whole_interval_is_worse(card: Card) -> None:
    report = card.reports["utkface"]
    line = next(line for line in worst(card).splitlines() if line.startswith("- UTKFace, mean error of age"))
    of_all = report.values["age_mae_years"]
    for groups in report.groups.values():
        for name, figures in groups.items():
            figure = figures["age_mae_years"]
            is_worse = figure.count >= 20 and figure.interval is not None and figure.interval[0] > of_all
            assert (f" {name} " in line) == is_worse, name


def test_a_figure_in_a_sentence_is_that_of_the_file(card: Card) -> None:
    value = card.reports["utkface"].values["age_mae_years"]
    text = "Ages are off by <!-- figure: utkface age_mae_years -->99.9 years<!-- end --> on average."
    assert f"-->{value:.1f} years<!--" in rewritten(text, card)


def test_the_estimators_card_has_no_figure_that_nobody_makes() -> None:
    text = CARDS[0].read_text(encoding="utf-8").split("# Model card: `faces.onnx`")[0]
    text = re.sub(r"<!-- (?:table|figure): .+? -->.*?<!-- end -->", "", text, flags=re.S)
    assert re.findall(r"\d+\.\d+ (?:%|years|points)", text) == []
