"""Reader for models/figures.json, the measured figures that `python -m training.card` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agegender.errors import DatasetError
from agegender.evaluation.calibration import Bin, Calibration
from agegender.evaluation.groups import Confusion
from agegender.places import MODELS

FIGURES = MODELS / "figures.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """A value over `count` pictures, None for no pictures, with its 95 % interval; rates are from 0 to 1."""

    value: float | None
    count: int
    interval: tuple[float, float] | None


Figures = Mapping[str, Measured]
"""Figures by key, as in `metrics`."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of evaluating `pictures` pictures; see `report.report_object`.

    `groups` maps gender, race and age, and `warnings` maps warning names, to figures by group. `confidence`
    has the figures of `metrics.confidence` for the same groups and for everybody.
    """

    pictures: int
    figures: Figures
    groups: Mapping[str, Mapping[str, Figures]]
    warnings: Mapping[str, Mapping[str, Figures]]
    confidence: Mapping[str, Mapping[str, Figures]]
    gender_calibration: Calibration
    age_calibration: tuple[Bin, ...]
    confusion: Confusion

    @property
    def values(self) -> dict[str, float]:
        """The known figures by key."""
        return {key: figure.value for key, figure in self.figures.items() if figure.value is not None}


@dataclass(frozen=True, slots=True)
class Card:
    """The whole file: reports by data set, and figures by variant and data set.

    `made` records the command, seconds, cores, models and their SHA-256. `harder` has degraded pictures,
    `robustness` pictures with something drawn in, `consistency` copies that should give the same estimates,
    and `detectors` other face detectors.
    """

    made: Mapping[str, Any]
    reports: Mapping[str, Report]
    harder: Mapping[str, Mapping[str, Figures]]
    robustness: Mapping[str, Mapping[str, Figures]]
    consistency: Mapping[str, Mapping[str, Figures]]
    detectors: Mapping[str, Mapping[str, Figures]]


def read(path: Path = FIGURES) -> Card:
    """Read the file. Raises `DatasetError` if it is missing or holds anything else."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return Card(
            dict(table["made"]),
            {name: _report(each) for name, each in table["reports"].items()},
            *(_groups(table[part]) for part in ("harder", "robustness", "consistency", "detectors")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"The measured figures, {path.name}, cannot be read.") from error


def _report(table: Any) -> Report:
    calibration, confusion = table["gender_calibration"], table["confusion"]
    return Report(
        int(table["pictures"]),
        _figures(table["figures"]),
        _groups(table["groups"]),
        _groups(table["warnings"]),
        _groups(table["confidence"]),
        Calibration(calibration["error"], _bins(calibration["bins"])),
        _bins(table["age_calibration"]),
        Confusion(tuple(confusion["names"]), tuple(tuple(row) for row in confusion["counts"])),
    )


def _figures(table: Any) -> Figures:
    return {
        key: Measured(each["value"], int(each["count"]), each["interval"] and tuple(each["interval"]))
        for key, each in table.items()
    }


def _groups(table: Any) -> dict[str, dict[str, Figures]]:
    return {by: {name: _figures(each) for name, each in groups.items()} for by, groups in table.items()}


def _bins(table: Any) -> tuple[Bin, ...]:
    return tuple(Bin(int(each["count"]), float(each["stated"]), float(each["right"])) for each in table)
