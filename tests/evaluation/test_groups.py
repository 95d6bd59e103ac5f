"""Breakdown of an evaluation, against hand-made figures and an oracle for the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agegender.analyzer import Analyzer
from agegender.evaluation.archive import Files
from agegender.evaluation.calibration import age_calibration, gender_calibration
from agegender.evaluation.datasets import FAIRFACE_AGES, Dataset, Sample
from agegender.evaluation.groups import ANY, confusion, groups, warned
from agegender.evaluation.metrics import figures, wilson
from agegender.evaluation.report import report_lines
from agegender.evaluation.run import Result
from agegender.types import RANGES, Age, Box, Estimate, Face, Gender, Image, Reading


class Named:
    """Stands in for a detector or estimator that is not called."""

    name = "stub"

    def detect(self, _image: Image) -> tuple[Face, ...]:
        raise AssertionError

    def estimate(self, _image: Image, _faces: Sequence[Face]) -> tuple[Estimate, ...]:
        raise AssertionError


def result(
    sample: Sample, range_name: str, years: float, p_female: float, group: int | None = None
) -> Result:
    probabilities = tuple(0.93 if name == range_name else 0.01 for name in RANGES)
    age = Age(probabilities, years, years - 5, years + 5)
    return Result(sample, Reading(Face(Box(0, 0, 9, 9), 0.9), age, Gender(p_female)), group)


UTKFACE = [
    result(Sample("1", (30, 30), "Female", "white"), "25–32", 34, 0.9),
    result(Sample("2", (30, 30), "Male", "white"), "15–20", 21, 0.8),
    result(Sample("3", (5, 5), "Male", "east asian"), "4–6", 5, 0.1),
    result(Sample("4", (2, 2), "Male", "white"), "0–2", 2, 0.9),  # too young to tell
    Result(Sample("5", (80, 80), "Female", "white")),  # not detected
]


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),  # from R's prop.test(right, count, correct = FALSE)
    [(8, 10, 0.4902, 0.9433), (0, 20, 0.0, 0.1611), (263, 263, 0.9856, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilsons_interval(right: int, count: int, low: float, high: float) -> None:
    assert wilson(right, count) == pytest.approx((low, high), abs=1e-4)


def test_intervals_of_figures_by_hand() -> None:
    by_key = {figure.key: figure for figure in figures("utkface", UTKFACE)}
    assert by_key["gender_accuracy"].interval == wilson(2, 3)
    # off by 4, 9, 0 and 0 years: variance (0.75² + 5.75² + 2 · 3.25²) / 3 of a mean of 3.25
    half = 1.96 * ((0.75**2 + 5.75**2 + 2 * 3.25**2) / 3 / 4) ** 0.5
    assert by_key["age_mae_years"].interval == pytest.approx((max(0, 3.25 - half), 3.25 + half))
    assert {figure.key: figure for figure in figures("utkface", UTKFACE[:1])}[
        "age_mae_years"
    ].interval is None


def test_groups_by_hand() -> None:
    found = {(group.by, group.name): group.figures for group in groups("utkface", UTKFACE)}
    assert list(found) == [
        *(("gender", "Female"), ("gender", "Male"), ("race", "East asian"), ("race", "White")),
        *(("age", "0–2"), ("age", "3–9"), ("age", "30–39"), ("age", "70+")),
    ]
    shown = {key: {f.key: (f.value, f.count) for f in each} for key, each in found.items()}
    assert shown["race", "White"]["faces_found"] == (0.75, 4)
    assert shown["gender", "Male"]["gender_accuracy"] == (0.5, 2)
    assert shown["age", "30–39"]["age_mae_years"] == (6.5, 2)
    assert shown["age", "0–2"]["gender_accuracy"] == (None, 0)
    assert shown["age", "70+"]["age_in_interval"] == (None, 0)


def test_adience_is_grouped_by_its_own_ranges() -> None:
    results = [result(Sample("1", ages, None), "25–32", 30, 0.5) for ages in ((25, 32), (8, 12), (8, 23))]
    assert [(group.by, group.name) for group in groups("adience", results)] == [
        *(("age", "8–12"), ("age", "25–32")),
    ]


def test_confusion_by_hand() -> None:
    counts = {
        (RANGES[i], RANGES[j]): count
        for i, row in enumerate(confusion("utkface", UTKFACE).counts)
        for j, count in enumerate(row)
        if count
    }
    assert counts == {
        **{("0–2", "0–2"): 1, ("4–6", "4–6"): 1},
        **{("25–32", "25–32"): 1, ("25–32", "15–20"): 1},
    }


def test_confusion_of_fairface_is_over_its_own_groups() -> None:
    samples = [Sample(str(number), ages, None) for number, ages in enumerate(FAIRFACE_AGES)]
    table = confusion("fairface", [result(sample, "0–2", 1, 0.5, 3) for sample in samples])
    assert table.names[3:] == ("20–29", "30–39", "40–49", "50–59", "60–69", "70+")
    assert table.counts == ((0, 0, 0, 1, 0, 0, 0, 0, 0),) * 9


def test_calibration_error_by_hand() -> None:
    labels = [
        ("Female", 0.96),
        ("Male", 0.98),
        ("Female", 0.99),
        ("Male", 0.12),
        ("Female", 1.0),
        ("Male", 0.5),
    ]
    results = [result(Sample("1", (30, 30), gender), "25–32", 30, p) for gender, p in labels]
    calibration = gender_calibration("utkface", results)
    # in the last bin, three of four are right; the one at 0.88 is, the one at 0.5 is not
    assert [(b.count, round(b.stated, 4), b.right) for b in calibration.bins] == [
        *((1, 0.5, 0.0), (1, 0.88, 1.0), (4, 0.9825, 0.75)),
    ]
    assert calibration.error == pytest.approx((0.5 + 0.12 + 4 * 0.2325) / 6)
    assert gender_calibration("utkface", UTKFACE[3:]).error is None


def test_report_shows_groups_and_confusion_after_the_figures(tmp_path: Path) -> None:
    with Files(tmp_path) as files:
        dataset = Dataset("utkface", files, tuple(each.sample for each in UTKFACE))
        lines = list(report_lines(dataset, Analyzer(Named(), Named()).models, UTKFACE))
    assert lines[3].split() == ["faces", "found", "80.0", "%", "5"]
    of_white = next(line for line in lines if line.startswith("White"))
    assert of_white.split()[:4] == ["White", "3", "50.0", "(9.5–90.5)"]
    assert lines[-8].split() == ["0–2", "1", *"0000000"]
    assert lines.index(of_white) > lines.index(next(line for line in lines if "calibration error" in line))


def test_what_warnings_cost_by_hand() -> None:
    marks: list[tuple[str, ...]] = [("small",), (), ("small", "dark"), ("dark",)]
    found = [(each, each.reading) for each in UTKFACE if each.reading]
    results = [
        replace(each, reading=replace(reading, warnings=mark))
        for (each, reading), mark in zip(found, marks, strict=True)
    ]
    shown = {
        (group.by, group.name): {f.key: (f.value, f.count) for f in group.figures}
        for group in warned("utkface", results)
    }
    assert shown["small", "with"]["age_mae_years"] == (2, 2)  # off by 4 and 0 years
    assert shown["small", "without"]["age_mae_years"] == (4.5, 2)  # by 9 and 0
    assert shown["turned away", "with"]["age_mae_years"] == (None, 0)
    assert shown["turned away", "without"]["age_mae_years"] == (3.25, 4)
    assert shown[ANY, "without"]["age_mae_years"] == (9, 1)


def test_intervals_of_age_hold_as_many_as_lie_within() -> None:
    results = [replace(UTKFACE[0], below=below) for below in (0.5, 0.29, 0.72, 0.97)] + [UTKFACE[4]]
    bins = {one.stated: (one.count, one.right) for one in age_calibration(results)}
    assert list(bins) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert bins[0.1] == (4, 0.25)  # from 0.45 to 0.55
    assert bins[0.5] == (4, 0.75)  # from 0.25 to 0.75
    assert bins[0.9] == (4, 0.75)  # from 0.05 to 0.95
    assert age_calibration(UTKFACE) == ()
