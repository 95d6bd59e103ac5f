"""What the sidebar remembers from page to page, and its settings of what is shown of faces."""

from __future__ import annotations

from typing import Any

import streamlit as st

from agegender.drawing.view_options import Part, ViewOptions

LABELS: dict[str, Part] = {
    "Gender": "gender",
    "Certainty": "probability",
    "Age range": "age",
    "Years": "years",
}

HIDE_HELP = "Faces become a few plain blocks, in downloads too. A face that is not found is not hidden."


LEAST_SCORE = 0.7
"""The confidence that every detector asks of a face."""


def remembered(key: str, default: object) -> dict[str, Any]:
    """Return the arguments of a widget that keeps its value from page to page."""
    # Streamlit forgets a widget with its page, so the choice is kept apart. (persist_state would keep it, but
    # the first run of another page still gets the default.)
    widget = f"choose-{key}"
    st.session_state[widget] = st.session_state.setdefault(key, default)
    return {"key": widget, "on_change": _remember, "args": (key, widget)}


def _remember(key: str, widget: str) -> None:
    st.session_state[key] = st.session_state[widget]


def look() -> ViewOptions:
    """Draw the settings of what is shown of faces, and return them."""
    score = st.slider(
        "Least confidence in a face",
        LEAST_SCORE,
        0.95,
        step=0.05,
        format="percent",
        **remembered("score", LEAST_SCORE),
    )
    smallest_px = st.slider(
        "Smallest face",
        0,
        400,
        step=10,
        format="%d px",
        help="The height of a face in pixels of the picture. Smaller ones are left out.",
        **remembered("smallest_px", 0),
    )
    names = st.pills("Labels tell", LABELS, selection_mode="multi", **remembered("labels", list(LABELS)[:3]))
    blur = st.toggle("Hide faces", help=HIDE_HELP, **remembered("blur", False))
    # At its least it leaves nothing out, however a score is rounded.
    least_score = score if score > LEAST_SCORE else 0.0
    return ViewOptions(least_score, smallest_px, tuple(LABELS[name] for name in names), blur)
