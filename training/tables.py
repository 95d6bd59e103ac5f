"""Markdown tables of the model card, from the measured figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from agegender.evaluation.card import Card, Figures
from agegender.evaluation.groups import ANY
from agegender.evaluation.tables import FEW, SETS, congress, consistency, robustness, rows, shown, sure
from agegender.evaluation.titles import TITLES

OF_GROUPS = {
    "fairface": ("gender_accuracy", "age_group_exact", "age_group_within_one"),
    "utkface": ("gender_accuracy", "age_mae_years", "age_range_exact", "age_in_interval"),
}
"""The card's figures for each group."""


def overview(card: Card) -> str:
    """Figures of both sets side by side."""
    fairface, utkface = card.reports["fairface"], card.reports["utkface"]
    a, b = (
        {key: shown(key, figure, interval=False) for key, figure in report.figures.items()}
        for report in (fairface, utkface)
    )
    errors = [100 * (report.gender_calibration.error or 0) for report in (fairface, utkface)]
    head = (
        "",
        f"FairFace validation ({fairface.pictures:,} pictures)",
        f"UTKFace ({utkface.pictures:,}, a set it never saw)",
    )
    off = "the stated probability of gender is off by (expected calibration error)"
    body = (
        ("faces found", a["faces_found"], b["faces_found"]),
        ("gender right", a["gender_accuracy"], f"{b['gender_accuracy']} (from four years on)"),
        (
            "age",
            f"group of about ten years: {a['age_group_exact']} exact, {a['age_group_within_one']} within one",
            f"mean error {b['age_mae_years']}",
        ),
        ("the eight ranges", "", f"{b['age_range_exact']} exact, {b['age_range_within_one']} within one"),
        ("the 80 % interval holds the true age", "", b["age_in_interval"]),
        (off, *(f"{error:.1f} points" for error in errors)),
    )
    return rows(head, body)


def by_group(kind: str) -> Callable[[Card], str]:
    """A function that makes the table of a set's groups."""

    def table(card: Card) -> str:
        body = [
            (
                f"{by}: {name}",
                f"{max(figures[key].count for key in OF_GROUPS[kind]):,}",
                *(shown(key, figures[key]) for key in OF_GROUPS[kind]),
            )
            for by, groups in card.reports[kind].groups.items()
            for name, figures in groups.items()
        ]
        return rows(("group", "faces", *(TITLES[key] for key in OF_GROUPS[kind])), body)

    return table


def worst(card: Card) -> str:
    """List the groups that do measurably worse than everybody together, worst first."""
    return "\n".join(
        line
        for kind in SETS
        for key in OF_GROUPS[kind]
        if key != "age_group_within_one" and (line := _worst(card, kind, key))
    )


def _worst(card: Card, kind: str, key: str) -> str:
    of_all = card.reports[kind].figures[key]
    sign = 1 if key.endswith("_years") else -1  # more years off is worse
    found: list[tuple[float, str]] = []
    for by, groups in card.reports[kind].groups.items():
        for name, figures in groups.items():
            figure = figures[key]
            if figure.value is None or figure.interval is None or of_all.value is None or figure.count < FEW:
                continue
            if min(sign * end for end in figure.interval) > sign * of_all.value:
                words = f"{name} years" if by == "age" else name
                found.append((-sign * figure.value, f"{words} ({shown(key, figure, interval=False)})"))
    if not found:
        return ""
    listed = ", ".join(words for _, words in sorted(found))
    return (
        f"- {SETS[kind]}, {TITLES[key]}: {listed}. Everybody together: {shown(key, of_all, interval=False)}."
    )


def harder(card: Card) -> str:
    """Accuracy when faces are harder to detect or align."""
    body = [
        (
            f"{SETS[kind]}: {TITLES[key]}",
            *(shown(key, of[kind][key], interval=False) for of in card.harder.values()),
        )
        for kind in SETS
        for key in OF_GROUPS[kind]
    ]
    return rows(("", *card.harder), body)


def detectors(card: Card) -> str:
    """Accuracy with other face detectors."""
    body = [
        (
            f"{SETS[kind]}: {TITLES[key]}",
            *(shown(key, of[kind][key], interval=False) for of in card.detectors.values()),
        )
        for kind in SETS
        for key in ("faces_found", *OF_GROUPS[kind])
    ]
    return rows(("", *card.detectors), body)


def in_prose(card: Card, name: str) -> str:
    """A figure for use in a sentence: 'utkface age_mae_years' or 'robustness mask utkface KEY'."""
    *way, key = name.split()
    if len(way) == 1:
        figures = card.reports[way[0]].figures
    elif way[0] == "calibration":
        return f"{100 * (card.reports[way[1]].gender_calibration.error or 0):.1f} points"
    else:
        figures = getattr(card, way[0])[way[1]][way[2]]
    return shown(key, figures[key], interval=False)


def warnings(card: Card) -> str:
    """Figures for faces with and without each warning."""
    head = ("warning", "set", "faces with it", "gender right: with", "without", "age: with", "without")
    body = [
        (f"{ANY} of them" if name == ANY else name, SETS[kind], *_warning(kind, sides))
        for name in card.reports["fairface"].warnings
        for kind in SETS
        for sides in (card.reports[kind].warnings[name],)
    ]
    return rows(head, body)


def _warning(kind: str, sides: Mapping[str, Figures]) -> Iterator[str]:
    age = "age_group_exact" if kind == "fairface" else "age_mae_years"
    count = sides["with"][age].count
    yield f"{count:,}"
    for key in ("gender_accuracy", age):
        for side in ("with", "without"):
            yield shown(key, sides[side][key]) if count >= FEW else "too few"


def mixed_up(kind: str) -> Callable[[Card], str]:
    """A function that makes the confusion table of ages."""

    def table(card: Card) -> str:
        confusion = card.reports[kind].confusion
        body = [
            (f"**{name}**", *(f"{count:,}" if count else "" for count in row))
            for name, row in zip(confusion.names, confusion.counts, strict=True)
        ]
        return rows(("true ↓ estimated →", *confusion.names), body)

    return table


def made(card: Card) -> str:
    """A sentence on how the figures were produced, and from which files."""
    sums = ", ".join(f"`{name}` ({sha256[:16]}…)" for name, sha256 in card.made["sha256"].items())
    return (
        f"Made by `{card.made['command']}` in {card.made['seconds'] / 60:.0f} minutes on "
        f"{card.made['cores']} cores, with {sums}. Nothing in it is random."
    )


TABLES: dict[str, Callable[[Card], str]] = {
    "figures": overview,
    "worst": worst,
    "FairFace": by_group("fairface"),
    "UTKFace": by_group("utkface"),
    "harder": harder,
    "robustness": robustness,
    "consistency": consistency,
    "Congress": congress,
    "sure": sure,
    "detectors": detectors,
    "warnings": warnings,
    "ages": mixed_up("utkface"),
    "made": made,
}
