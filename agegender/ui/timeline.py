"""The people of a video on a page: when each is in view, and what is known of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import altair as alt
import pandas as pd

from agegender.text import clock, percent
from agegender.tracking.people import Person
from agegender.ui.people_table import HEADER, STYLE, warned

ROW_PX = 26

CLOCK = "floor(datum.value / 60) + ':' + format(datum.value % 60, '02.0f')"
"""`clock` in the chart's own language."""


def chart(people: Sequence[Person], seconds: float) -> alt.Chart:
    """Return a chart with a row a person and a bar for each time that the person is in view."""
    rows = [
        {
            "person": f"Person {person.number}",
            "from": start_s,
            "to": end_s,
            "seen": f"{clock(start_s)} to {clock(end_s)}",
            "looks": f"{person.gender.label}, {person.age.range}",
        }
        for person in people
        for start_s, end_s in person.spans
    ]
    axis = alt.Axis(labelExpr=CLOCK, tickMinStep=1, grid=True)
    bars: alt.Chart = (
        alt.Chart(pd.DataFrame(rows), height=alt.Step(ROW_PX))
        .mark_bar(cornerRadius=3, height=12)
        .encode(
            x=alt.X("from", title=None, scale=alt.Scale(domain=[0, seconds], nice=False), axis=axis),
            x2="to",
            y=alt.Y("person", title=None, sort=None),
            tooltip=["person", "looks", alt.Tooltip("seen", title="in view")],
        )
    )
    return bars


def description(people: Sequence[Person]) -> str:
    """Return in words what the chart shows."""
    return "; ".join(
        f"Person {person.number}: "
        + ", ".join(f"{clock(start_s)} to {clock(end_s)}" for start_s, end_s in person.spans)
        for person in people
    )


def table(people: Sequence[Person]) -> str:
    """Return an HTML table with a row a person, in the order of their numbers, as the live page has it."""
    return f"{STYLE}<table class='people'>{HEADER}<tbody>{''.join(map(_row, people))}</tbody></table>"


def _row(person: Person) -> str:
    age, gender = person.age, person.gender
    crop = f"data:image/jpeg;base64,{base64.b64encode(person.crop).decode()}"
    cells = (
        f"<img alt='' src='{crop}'>{person.number}",
        f"<b>{age.range}</b> {percent(age.range_probability)}<br>"
        f"<small>around {age.years:.0f}, from {age.low:.0f} to {age.high:.0f}"
        f"{warned(person.warnings)}</small>",
        f"<b>{gender.label}</b> {percent(gender.probability)}",
        f"{person.seconds:.1f} s",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
