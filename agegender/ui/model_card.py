"""The measured figures as charts on the About page: accuracy, overall and by group, and calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from agegender.errors import AgeGenderError
from agegender.evaluation import card as measured
from agegender.evaluation import charts, tables
from agegender.evaluation.card import Card, Figures, Measured, Report
from agegender.evaluation.groups import ANY
from agegender.text import escape

DATASETS = {
    "fairface": ("FairFace", "Photos that training never saw, from the data set it learnt from."),
    "utkface": ("UTKFace", "A different data set, never seen in training. Gender from age four."),
}

AGE_KEYS = {"fairface": "age_group_exact", "utkface": "age_mae_years"}
"""Age metric shown by group: FairFace labels groups of about ten years, UTKFace exact years."""

FEW = 20
"""Minimum number of faces for a figure to be shown."""


def show_figures() -> None:
    """Show the results of the evaluation, or say that there are none."""
    try:
        card = measured.read()
    except AgeGenderError as error:
        st.info(escape(str(error)), icon=":material/info:")
        return
    for place, (kind, (title, text)) in zip(st.columns(2, gap="medium"), DATASETS.items(), strict=True):
        if kind not in card.reports:
            continue
        report = card.reports[kind]
        with place:
            st.markdown(f"**{title}** · {report.pictures:,} photos")
            chart = charts.figures_chart(report.values)
            st.altair_chart(chart, width="stretch", alt=charts.described(report.values))
            if "age_mae_years" in report.values:
                st.markdown(f"Off by **{report.values['age_mae_years']:.1f} years** on average")
            st.caption(text)
    with st.expander("Accuracy by group", expanded=True, icon=":material/groups:"):
        st.caption("With 95 % intervals. Dashed: everybody together.")
        show_groups(card, of_groups)
    with st.expander("Is its confidence justified?", icon=":material/balance:"):
        show_reliability(card)
    with st.expander("Confused age groups", icon=":material/grid_view:"):
        show_mixed_up(card)
    with st.expander("Older people, in portraits of known age", icon=":material/elderly:"):
        st.caption("Members of the US Congress, whose ages are known to within eight years.")
        st.markdown(tables.congress(card))
    with st.expander("Masks, sunglasses, bad light, copies", icon=":material/masks:"):
        st.caption("Drawn into the same pictures. A mirrored or relit copy should give the same estimate.")
        st.markdown(tables.robustness(card))
        st.markdown(tables.consistency(card))
    with st.expander("Where it is confidently wrong", icon=":material/report:"):
        st.markdown(tables.sure(card))
    with st.expander("When it warns", icon=":material/warning:"):
        st.caption("Faces with each warning, and how many. Dashed: faces without any.")
        show_groups(card, of_warnings)


def of_groups(report: Report, key: str) -> tuple[dict[str, Measured], float | None]:
    """A metric for each group of people, by name, and for everybody together."""
    rows = {name: figures[key] for groups in report.groups.values() for name, figures in groups.items()}
    return enough(rows), report.figures[key].value


def of_warnings(report: Report, key: str) -> tuple[dict[str, Measured], float | None]:
    """A metric for the faces with each warning, and for those without any."""
    sides: Mapping[str, Mapping[str, Figures]] = report.warnings
    rows = {f"{name} ({each['with'][key].count:,})": each["with"][key] for name, each in sides.items()}
    return enough(rows), sides[ANY]["without"][key].value


def enough(rows: Mapping[str, Measured]) -> dict[str, Measured]:
    """Keep figures measured on at least `FEW` faces."""
    return {name: figure for name, figure in rows.items() if figure.count >= FEW}


def show_groups(
    card: Card, rows_of: Callable[[Report, str], tuple[dict[str, Measured], float | None]]
) -> None:
    """Show gender and age metrics of each data set by group."""
    for kind, report in card.reports.items():
        if kind not in DATASETS:
            continue
        columns = st.columns(2, gap="medium")
        for place, (key, title) in zip(
            columns, {"gender_accuracy": "gender", AGE_KEYS[kind]: "age"}.items(), strict=True
        ):
            rows, of_all = rows_of(report, key)
            is_years = key.endswith("_years")
            with place:
                st.markdown(f"**{DATASETS[kind][0]}: {title}**")
                if rows and of_all is not None:
                    chart = charts.groups_chart(rows, of_all, is_years)
                    st.altair_chart(chart, width="stretch", alt=charts.told(rows, is_years))
                else:
                    st.caption(f"Fewer than {FEW} faces each.")


def show_reliability(card: Card) -> None:
    """Show how often stated gender probabilities and age intervals hold."""
    shown = [
        (f"{DATASETS[kind][0]}: gender", report.gender_calibration.bins, 0.5, "stated, per cent", "right")
        for kind, report in card.reports.items()
        if kind in DATASETS
    ] + [
        (f"{DATASETS[kind][0]}: age", report.age_calibration, 0.0, "meant to hold it, per cent", "held")
        for kind, report in card.reports.items()
        if report.age_calibration
    ]
    for place, (title, bins, first, stated, right) in zip(st.columns(len(shown)), shown, strict=True):
        with place:
            st.markdown(f"**{title}**")
            words = ", ".join(f"{100 * one.stated:.0f} %: {100 * one.right:.0f} %" for one in bins)
            chart = charts.reliability_chart(bins, stated, f"{right}, per cent", first)
            st.altair_chart(chart, width="stretch", alt=f"Stated and {right}: {words}")
    st.caption(
        "On the dashed line it is right as often as it says. For age: how often ranges should hold the "
        "true age, and how often they do."
    )


def show_mixed_up(card: Card) -> None:
    """Show the confusion between the eight ranges, for data sets with exact ages."""
    if "utkface" not in card.reports:
        return
    table = card.reports["utkface"].confusion
    right = ", ".join(
        f"{name}: {100 * row[i] / max(1, sum(row)):.0f} %"
        for i, (name, row) in enumerate(zip(table.names, table.counts, strict=True))
    )
    st.altair_chart(charts.mixed_up_chart(table), width="stretch", alt=f"Right by true age group: {right}")
    st.caption("UTKFace: of a hundred people in each true age group, how many were estimated to be in which.")
