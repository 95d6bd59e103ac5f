"""Evaluation reports: tables for people, an object for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from agegender.evaluation.calibration import Bin, age_calibration, gender_calibration
from agegender.evaluation.datasets import Dataset
from agegender.evaluation.groups import ANY, Confusion, Group, confusion, groups, warned
from agegender.evaluation.metrics import BINS, Figure, confidence, figures
from agegender.evaluation.run import Degradation, Result
from agegender.evaluation.titles import COLUMNS
from agegender.types import WARNINGS

OF_GROUPS = COLUMNS.keys() - {"faces_found"}
"""The figures shown for each group of people."""

Models = tuple[str, str]
"""Names of the detector and the estimator."""


def report_object(
    dataset: Dataset, models: Models, results: Sequence[Result], degradation: Degradation | None = None
) -> dict[str, Any]:
    """Report of an evaluation as JSON-ready dicts, strings and numbers."""
    return {
        "dataset": dataset.kind,
        "detector": models[0],
        "estimator": models[1],
        "degradation": {
            "box_only": bool(degradation and degradation.box_only),
            "face_px": degradation and degradation.face_px,
        },
        "pictures": len(results),
        "unreadable": sum(1 for result in results if result.problem),
        "unlabelled": dataset.unlabelled,
        "figures": figures_object(figures(dataset.kind, results)),
        "gender_calibration": asdict(gender_calibration(dataset.kind, results)),
        "age_calibration": [asdict(one) for one in age_calibration(results)],
        "groups": _groups_object(groups(dataset.kind, results)),
        "confidence": {
            "all": {"everybody": figures_object(confidence(dataset.kind, results))},
            **_groups_object(groups(dataset.kind, results, confidence)),
        },
        "warnings": _groups_object(warned(dataset.kind, results)),
        "confusion": asdict(confusion(dataset.kind, results)),
    }


def report_lines(
    dataset: Dataset, models: Models, results: Sequence[Result], degradation: Degradation | None = None
) -> Iterator[str]:
    """The same report as tables, line by line: overall figures first, then the breakdown."""
    read_by = "detector {}, estimator {}".format(*models)
    yield f"{dataset.kind}, pictures {len(results):,}, {read_by}"
    if degradation and degradation.box_only:
        yield "made harder: faces aligned by the box alone"
    if degradation and degradation.face_px:
        yield f"made harder: faces scaled down to {degradation.face_px} pixels"
    if degradation and degradation.turned_degrees:
        yield f"made harder: pictures turned by {degradation.turned_degrees}° clockwise"
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
    error = gender_calibration(dataset.kind, results).error
    if error is not None:
        yield (
            f"The stated probability of gender is {100 * error:.1f} points away from how often it is right "
            f"(expected calibration error, {BINS} bins from 50 to 100 %)."
        )
    yield from _interval_lines(age_calibration(results))
    yield from _group_lines(groups(dataset.kind, results))
    yield from _group_lines(warned(dataset.kind, results))
    yield from _confusion_lines(confusion(dataset.kind, results))


def _group_lines(all_groups: Sequence[Group]) -> Iterator[str]:
    for by, of_kind in groupby(all_groups, key=lambda group: group.by):
        for place, group in enumerate(of_kind):
            shown = [figure for figure in group.figures if figure.key in OF_GROUPS]
            if place == 0:
                yield ""
                titles = (f"{COLUMNS[figure.key]:>19}" for figure in shown)
                head = f"{'warning: ' if by in (*WARNINGS, ANY) else 'by '}{by}, with 95 % intervals"
                yield f"{head:<42}{'faces':>5}{''.join(titles)}"
            faces = max((figure.count for figure in shown), default=0)
            yield f"{group.name:<42}{faces:>5,}{''.join(f'{_with_interval(figure):>19}' for figure in shown)}"


def _interval_lines(bins: Sequence[Bin]) -> Iterator[str]:
    if bins:
        yield ""
        for title, parts in (
            ("intervals that are meant to hold the age", [one.stated for one in bins]),
            ("and do", [one.right for one in bins]),
        ):
            yield f"{title:<40}" + "".join(f"{100 * part:>6.0f} %" for part in parts)


def _confusion_lines(table: Confusion) -> Iterator[str]:
    if not any(map(sum, table.counts)):
        return
    yield ""
    yield "faces by true age (rows) and estimated age (columns)"
    yield "".join(f"{name:>8}" for name in ("", *table.names))
    for name, row in zip(table.names, table.counts, strict=True):
        yield f"{name:>8}" + "".join(f"{count:>8,}" for count in row)


def _groups_object(all_groups: Sequence[Group]) -> dict[str, dict[str, Any]]:
    return {
        by: {group.name: figures_object(group.figures) for group in of_kind}
        for by, of_kind in groupby(all_groups, key=lambda group: group.by)
    }


def figures_object(shown: Sequence[Figure]) -> dict[str, dict[str, Any]]:
    """Figures by key, as JSON-ready dicts and numbers."""
    return {
        figure.key: {"value": figure.value, "count": figure.count, "interval": figure.interval}
        for figure in shown
    }


def _with_interval(figure: Figure) -> str:
    """Format a value with its interval, such as 91.2 (89.0–93.0), in per cent or years."""
    if figure.value is None:
        return "–"
    values = (figure.value, *(figure.interval or ()))
    value, *ends = [f"{v:.2f}" if figure.unit == "years" else f"{100 * v:.1f}" for v in values]
    return f"{value} ({'–'.join(ends)})" if ends else value


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:.2f} years" if figure.unit == "years" else f"{100 * figure.value:.1f} %"
