"""What an evaluation's results come to: how often the pipeline is right, and by how much it is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agegender import ages
from agegender.analyzer import Analyzer
from agegender.datasets import FAIRFACE_AGES, Dataset, Kind, Sample
from agegender.errors import DatasetError
from agegender.evaluation import Result
from agegender.types import RANGES

LEAST_YEARS_FOR_GENDER = {"utkface": 4}
"""Nobody sees the gender of a baby, so UTKFace's are left out of that figure."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, over `count` pictures; None over none. Rates are parts of 1."""

    key: str
    title: str
    value: float | None
    count: int
    unit: str = "%"


class Report(NamedTuple):
    """What is kept of an evaluation: over how many pictures, and the value of each figure by its key."""

    pictures: int
    values: dict[str, float]


def figures(kind: Kind, results: Sequence[Result]) -> tuple[Figure, ...]:
    """Return the data set's usual figures. Pictures without a found face count in the first one only."""
    read = [result for result in results if not result.problem]
    found = [result for result in read if result.reading]
    least_years = LEAST_YEARS_FOR_GENDER.get(kind, 0)
    gender_right = [
        result.reading.gender.label == result.sample.gender
        for result in found
        if result.reading and result.sample.gender and _is_from(result.sample, least_years)
    ]
    from_age = f", from {least_years} years on" if least_years else ""
    return (
        _mean("faces_found", "faces found", [result.reading is not None for result in read]),
        _mean("gender_accuracy", f"gender right{from_age}", gender_right),
        *(_group_figures(found) if kind == "fairface" else _range_figures(found)),
        *(_years_figures(found) if kind == "utkface" else ()),
    )


def report_object(dataset: Dataset, analyzer: Analyzer, results: Sequence[Result]) -> dict[str, object]:
    """Return a report of an evaluation as JSON's dictionaries, texts and numbers."""
    return {
        "dataset": dataset.kind,
        "detector": analyzer.detector.name,
        "estimator": analyzer.estimator.name,
        "pictures": len(results),
        "unreadable": sum(1 for result in results if result.problem),
        "unlabelled": dataset.unlabelled,
        "figures": {
            figure.key: {"value": figure.value, "count": figure.count}
            for figure in figures(dataset.kind, results)
        },
    }


def read_reports(path: Path) -> dict[str, Report]:
    """Return the reports that a file holds by name, each as `report_object` made it.

    Raises `DatasetError` when the file is not there, or holds anything else.
    """
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))
        return {name: _read_report(table) for name, table in tables.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"The measured figures, {path.name}, cannot be read.") from error


def _read_report(table: Any) -> Report:
    measured = {key: figure["value"] for key, figure in table["figures"].items()}
    values = {key: float(value) for key, value in measured.items() if value is not None}
    return Report(int(table["pictures"]), values)


def report_lines(dataset: Dataset, analyzer: Analyzer, results: Sequence[Result]) -> Iterator[str]:
    """Return the same as a table, line by line."""
    models = f"detector {analyzer.detector.name}, estimator {analyzer.estimator.name}"
    yield f"{dataset.kind}, pictures {len(results):,}, {models}"
    yield ""
    yield f"{'':<40}  {'':<10}  {'pictures':>8}"
    for figure in figures(dataset.kind, results):
        yield f"{figure.title:<40}  {_shown(figure):>10}  {figure.count:>8,}"
    yield ""
    yield "A picture in which no face was found counts in the first line and is left out of the others."
    unreadable = sum(1 for result in results if result.problem)
    if unreadable:
        yield f"Left out, as they could not be read: {unreadable:,}."
    if dataset.unlabelled:
        yield f"Left out, as their names say neither age nor gender: {dataset.unlabelled:,}."


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:.2f} years" if figure.unit == "years" else f"{100 * figure.value:.1f} %"


def _is_from(sample: Sample, least_years: int) -> bool:
    return least_years == 0 or (sample.ages is not None and sample.ages[0] >= least_years)


def _group_figures(found: Sequence[Result]) -> tuple[Figure, ...]:
    steps = [
        abs(result.group - FAIRFACE_AGES.index(result.sample.ages))
        for result in found
        if result.group is not None and result.sample.ages
    ]
    return _step_figures("age_group", "FairFace's nine age groups", steps)


def _range_figures(found: Sequence[Result]) -> tuple[Figure, ...]:
    """Return how well the eight ranges are met, over the pictures whose age is known to lie in one."""
    steps = [
        abs(RANGES.index(result.reading.age.range) - RANGES.index(true))
        for result in found
        if result.reading and (true := _true_range(result.sample))
    ]
    return _step_figures("age_range", "the eight age ranges", steps)


def _true_range(sample: Sample) -> str | None:
    """Return the one of the eight ranges that all of the years of a label lie in; (38, 42) lies in 38–43."""
    if sample.ages is None:
        return None
    first, last = map(ages.range_of, sample.ages)
    return first if first == last else None


def _years_figures(found: Sequence[Result]) -> tuple[Figure, ...]:
    pairs = [(r.reading.age, r.sample.ages[0]) for r in found if r.reading and r.sample.ages]
    return (
        _mean("age_mae_years", "mean error of age", [abs(age.years - true) for age, true in pairs], "years"),
        _mean(
            "age_in_interval", "age within the interval", [age.low <= true <= age.high for age, true in pairs]
        ),
    )


def _step_figures(key: str, title: str, steps: Sequence[int]) -> tuple[Figure, Figure]:
    return (
        _mean(f"{key}_exact", f"{title}: right", [step == 0 for step in steps]),
        _mean(f"{key}_within_one", f"{title}: within one", [step <= 1 for step in steps]),
    )


def _mean(key: str, title: str, values: Sequence[float], unit: str = "%") -> Figure:
    return Figure(key, title, float(np.mean(values)) if values else None, len(values), unit)
