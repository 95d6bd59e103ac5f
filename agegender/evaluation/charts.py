"""Charts of the measured figures, for pages in light and dark themes and as SVG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO

import altair as alt
import pandas as pd

from agegender.drawing.palette import FEMALE, MALE
from agegender.evaluation.calibration import Bin
from agegender.evaluation.card import Measured
from agegender.evaluation.groups import Confusion
from agegender.evaluation.metrics import wilson
from agegender.evaluation.titles import TITLES
from agegender.types import RANGES

GREY = "#7A8394"
"""Legible on white and on black."""

SKY, BLUE, PALE, INK = "#56B4E9", "#0072B2", "#EAF4FB", "#10151f"
"""Two blues of the Okabe–Ito palette, a paler one, and a text colour legible on it."""

ROW_PX = 20


def ranges_chart() -> alt.Chart:
    """The eight ranges as bars along the years of life, so that the gaps between them show."""
    bounds = [tuple(map(int, name.split("–"))) for name in RANGES]
    table = pd.DataFrame(
        {"range": RANGES, "first": [a for a, _ in bounds], "end": [b + 1 for _, b in bounds]}
    )
    base = alt.Chart(table, height=56).encode(
        x=alt.X("first", title="years", scale=alt.Scale(domain=[0, 101], nice=False)), x2="end"
    )
    bars = base.mark_bar(height=22, cornerRadius=2).encode(tooltip=[alt.Tooltip("range", title="years")])
    padded: alt.Chart = bars.properties(padding={"left": 4, "right": 8, "top": 4, "bottom": 0})
    return padded


def figures_chart(values: Mapping[str, float]) -> alt.LayerChart:
    """Bar chart of the values that are rates (0 to 1), each labelled with its title."""
    shown = _rates(values)
    table = pd.DataFrame({"what": shown.keys(), "rate": shown.values(), "start": 0.0})
    table["text"] = [f"{what} · {100 * rate:.1f} %" for what, rate in shown.items()]
    base = alt.Chart(table, height=46 * len(table)).encode(y=alt.Y("what", sort=None, axis=None))
    scale = alt.Scale(domain=[0, 1])
    whole = base.mark_bar(height=8, cornerRadius=3, color="#7A8394", opacity=0.25, yOffset=8, y2Offset=8)
    bars = base.mark_bar(height=8, cornerRadius=3, yOffset=8, y2Offset=8)
    text = base.mark_text(align="left", dy=-8, fontSize=12, color="#7A8394")
    layers: alt.LayerChart = (
        whole.encode(x=alt.X("end:Q", axis=None, scale=scale), x2="start").transform_calculate(end="1")
        + bars.encode(x=alt.X("rate", axis=None, scale=scale), x2="start")
        + text.encode(x=alt.X("start", axis=None, scale=scale), text="text")
    ).properties(padding={"left": 0, "right": 0, "top": 0, "bottom": 0})
    return layers


def described(values: Mapping[str, float]) -> str:
    """Describe the chart of the figures in words."""
    return ", ".join(f"{title}: {100 * rate:.1f} %" for title, rate in _rates(values).items())


def _rates(values: Mapping[str, float]) -> dict[str, float]:
    return {title: values[key] for key, title in TITLES.items() if key in values and "years" not in key}


def groups_chart(
    rows: Mapping[str, Measured], of_all: float, is_years: bool
) -> alt.LayerChart | alt.FacetChart:
    """A dot per group with its 95 % interval, and a dashed line at the overall value.

    Rates are drawn as per cent, other values as years from zero.
    """
    times = 1 if is_years else 100
    table = pd.DataFrame(
        [
            {
                "group": name,
                "value": times * figure.value,
                "low": times * figure.interval[0],
                "high": times * figure.interval[1],
                "faces": figure.count,
            }
            for name, figure in rows.items()
            if figure.value is not None and figure.interval is not None
        ]
    )
    title = "years off, on average" if is_years else "right, per cent"
    base = alt.Chart(table, height=alt.Step(ROW_PX)).encode(
        y=alt.Y("group", sort=None, title=None, axis=alt.Axis(labelLimit=110)),
        tooltip=["group", alt.Tooltip("value", format=".1f", title=title), "faces"],
    )
    x = alt.X("value", title=title, scale=alt.Scale(zero=is_years, nice=True))
    together = alt.Chart(pd.DataFrame({"value": [times * of_all]}))
    return alt.layer(
        base.mark_rule(color=SKY, strokeWidth=3, opacity=0.6).encode(x=alt.X("low", title=title), x2="high"),
        base.mark_point(color=SKY, filled=True, size=70, opacity=1).encode(x=x),
        together.mark_rule(color=GREY, strokeDash=[4, 4]).encode(x="value"),
    )


def reliability_chart(
    bins: Sequence[Bin], stated: str, right: str, first: float
) -> alt.LayerChart | alt.FacetChart:
    """A point per bin with its 95 % interval, larger for more faces, and the line of perfect calibration."""
    intervals = [wilson(one.right * one.count, one.count) for one in bins]
    table = pd.DataFrame(
        {
            "stated": [100 * one.stated for one in bins],
            "right": [100 * one.right for one in bins],
            "low": [100 * low for low, _ in intervals],
            "high": [100 * high for _, high in intervals],
            "faces": [one.count for one in bins],
        }
    )
    x = alt.X("stated", title=stated, scale=alt.Scale(domain=[100 * first, 100], nice=False))
    y = alt.Y("right", title=right, scale=alt.Scale(zero=first == 0, domainMax=100))
    ideal = pd.DataFrame({"stated": [100 * first, 100], "right": [100 * first, 100]})
    base = alt.Chart(table, height=240)
    return alt.layer(
        alt.Chart(ideal).mark_line(color=GREY, strokeDash=[4, 4], strokeWidth=1.5).encode(x=x, y=y),
        base.mark_rule(color=SKY, strokeWidth=3, opacity=0.6).encode(
            x=x, y=alt.Y("low", title=right), y2="high"
        ),
        base.mark_point(color=SKY, filled=True, opacity=1).encode(
            x=x,
            y=y,
            size=alt.Size("faces", legend=None, scale=alt.Scale(range=[50, 220])),
            tooltip=[alt.Tooltip("stated", format=".1f"), alt.Tooltip("right", format=".1f"), "faces"],
        ),
    )


def mixed_up_chart(table: Confusion) -> alt.LayerChart:
    """Confusion matrix of ages, in per cent of each row, which is a true age group."""
    rows = pd.DataFrame(
        [
            {"true": true, "estimated": name, "share": count / sum(row), "faces": count}
            for true, row in zip(table.names, table.counts, strict=True)
            for name, count in zip(table.names, row, strict=True)
            if count
        ]
    )
    rows["percent"] = [f"{100 * share:.0f}" for share in rows["share"]]
    base = alt.Chart(rows, height=alt.Step(30)).encode(
        x=alt.X("estimated", sort=None, title="estimated", scale=alt.Scale(domain=table.names)).axis(
            labelAngle=0, orient="top", labelFontSize=12, labelOverlap=False
        ),
        y=alt.Y("true", sort=None, title="true", scale=alt.Scale(domain=table.names)),
        tooltip=["true", "estimated", "faces"],
    )
    shade = alt.Scale(domain=[0, 1], range=[PALE, BLUE])
    cells = base.mark_rect(cornerRadius=3).encode(color=alt.Color("share", legend=None, scale=shade))
    text = base.mark_text().encode(
        text="percent", color=alt.condition(alt.datum.share > 0.75, alt.value("white"), alt.value(INK))
    )
    layers: alt.LayerChart = cells + text
    return layers


def told(rows: Mapping[str, Measured], is_years: bool) -> str:
    """Describe the chart of the groups in words."""
    return ", ".join(
        f"{name}: {figure.value:.1f} years" if is_years else f"{name}: {100 * figure.value:.1f} %"
        for name, figure in rows.items()
        if figure.value is not None
    )


def people_chart(counts: Mapping[str, Sequence[int]]) -> alt.Chart:
    """Faces of each gender in each of the eight ranges, as grouped bars."""
    rows = [
        {"gender": gender, "range": name, "faces": count}
        for gender, numbers in counts.items()
        for name, count in zip(RANGES, numbers, strict=True)
    ]
    colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (FEMALE, MALE)]
    bars: alt.Chart = (
        alt.Chart(pd.DataFrame(rows), width=480, height=240)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("range", sort=None, title="apparent age, years", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("gender", sort=list(counts)),
            y=alt.Y("faces", title="faces"),
            color=alt.Color("gender", title=None, scale=alt.Scale(domain=list(counts), range=colours)),
            tooltip=["gender", "range", "faces"],
        )
    )
    return bars


def drawn(
    name: str, genders: Sequence[Bin], intervals: Sequence[Bin], table: Confusion
) -> dict[str, alt.TopLevelMixin]:
    """Calibration and confusion charts of an evaluation, by what they show.

    `name` is that of the data set. Charts without data are left out.
    """
    found: dict[str, alt.TopLevelMixin] = {}
    if genders:
        axes = "stated probability of the gender, per cent", "right, per cent"
        found["gender"] = reliability_chart(genders, *axes, 0.5).properties(title=f"Gender on {name}")
    if intervals:
        axes = "meant to hold the true age, per cent", "and did, per cent"
        found["intervals"] = reliability_chart(intervals, *axes, 0.0).properties(title=f"Ages on {name}")
    if any(map(sum, table.counts)):
        found["ages"] = mixed_up_chart(table).properties(title=f"Ages mixed up on {name}")
    return found


def svg(chart: alt.TopLevelMixin, width_px: int = 420) -> str:
    """Render a chart as an SVG file on white, which reads well on a dark page too.

    Needs vl-convert, from the extra `evaluate`.
    """
    text = StringIO()
    chart.properties(width=width_px, background="white").save(text, format="svg")
    return text.getvalue()
