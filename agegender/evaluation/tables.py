"""Markdown tables of the measured figures, for the model card and the About page."""

from __future__ import annotations

from collections.abc import Sequence

from agegender.evaluation.card import Card, Figures, Measured
from agegender.evaluation.titles import TITLES

FEW = 20
"""Minimum number of faces for a figure to be shown."""

SETS = {"fairface": "FairFace", "utkface": "UTKFace"}
DRAWN = {
    "fairface": ("faces_found", "gender_accuracy", "age_group_exact"),
    "utkface": ("faces_found", "gender_accuracy", "age_mae_years"),
}
"""The figures shown for pictures with something drawn in."""


def rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(key: str, figure: Measured, interval: bool = True, least: int = FEW) -> str:
    """Format a figure: '91.2 % (89.0–93.0)', '5.70 years (5.51–5.89)', or '–'."""
    if figure.value is None or figure.count < least:
        return "–"
    years = key.endswith("_years")
    values = [f"{v:.1f}" if years else f"{100 * v:.1f}" for v in (figure.value, *(figure.interval or ()))]
    ends = f" ({'–'.join(values[1:])})" if interval and figure.interval else ""
    return f"{values[0]} {'years' if years else '%'}{ends}"


def robustness(card: Card) -> str:
    """Accuracy on faces with something drawn into the picture."""
    body = []
    for kind, keys in DRAWN.items():
        for key in keys:
            told = (shown(key, of[kind][key], interval=False) for of in card.robustness.values())
            body.append((f"{SETS[kind]}: {TITLES[key]}", *told))
        warned = (of[kind].get("warned") for of in card.robustness.values())
        told = (shown("warned", figure, interval=False) if figure else "" for figure in warned)
        body.append((f"{SETS[kind]}: warned of it", *told))
    return rows(("", *card.robustness), body)


def consistency(card: Card) -> str:
    """How much estimates differ between copies of the same pictures."""
    head = ("copy", "set", "years apart, median", "another gender, of those told at 90 % or more")
    body = [
        (
            name,
            SETS[kind],
            f"{figures['years_apart'].value or 0:.1f} years",
            shown("gender_flips", figures["gender_flips"]),
        )
        for name, of in card.consistency.items()
        for kind, figures in of.items()
    ]
    return rows(head, body)


def congress(card: Card) -> str:
    """Results on members of the US Congress, by age and by gender."""
    report = card.reports["congress"]
    groups = {"everybody": report.figures, **report.groups["age"], **report.groups["gender"]}
    body = [
        (
            name,
            f"{figures['gender_accuracy'].count:,}",
            shown("gender_accuracy", figures["gender_accuracy"]),
            bias(figures),
        )
        for name, figures in groups.items()
    ]
    return rows(
        ("age in the middle of the interval, or gender", "faces", "gender right", "taken to be older by"),
        body,
    )


def bias(figures: Figures) -> str:
    """Mean by which people are taken to be older than they are, in signed years."""
    figure = figures["age_bias_years"]
    if figure.value is None or figure.count < 10 or figure.interval is None:
        return "–"
    return f"{figure.value:+.1f} years ({figure.interval[0]:+.1f} to {figure.interval[1]:+.1f})"


def sure(card: Card) -> str:
    """Calibration of gender probabilities by group, and the rate of confident errors."""
    head = (
        "set",
        "group",
        "faces",
        "off by (calibration error)",
        "wrong where told at 95 % or more",
        "of the wrong ones told at 95 % or more",
    )
    body = []
    for kind in SETS:
        for by, of in card.reports[kind].confidence.items():
            for name, figures in of.items():
                error = figures["gender_calibration_error"]
                if error.value is not None and error.count >= FEW:
                    told = (shown(key, figures[key]) for key in ("gender_sure_wrong", "gender_wrong_sure"))
                    who = name if by == "all" else f"{by}: {name}"
                    body.append(
                        (SETS[kind], who, f"{error.count:,}", f"{100 * error.value:.1f} points", *told)
                    )
    return rows(head, body)
