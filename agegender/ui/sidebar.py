"""What the sidebar remembers from page to page, and its settings of what is shown of faces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from agegender import runtime
from agegender.analyzer import DETECTORS, ESTIMATORS
from agegender.drawing.view_options import Part, ViewOptions
from agegender.models import store
from agegender.models.manifest import ModelSpec, load_manifest
from agegender.text import escape

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


AUTO = "Best available"


PAGES = (
    ("app.py", "Home", ":material/home:"),
    ("pages/1_Photos.py", "Photos", ":material/photo_library:"),
    ("pages/2_Live.py", "Live", ":material/videocam:"),
    ("pages/3_Video.py", "Video", ":material/movie:"),
    ("pages/4_About.py", "About", ":material/info:"),
)
"""The pages, as the sidebar lists them: file, name, icon."""


# Less empty space around a page. And with the keyboard, the tools of every chart and crop would be on the
# way from one picture to the next, and so would each card, as its few overlapping pixels can be scrolled.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding-block: 4rem 3rem}
[data-testid="stElementContainer"]:has([data-testid="stVegaLiteChart"], img[alt$="cut out"])
[data-testid="stElementToolbar"] {display: none}
[data-testid="stHorizontalBlock"]:has(img[alt$="cut out"]) {overflow: visible}
</style>"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a visitor chose in the sidebar: names that `build_analyzer` knows, and what is shown of faces."""

    detector: str = "auto"
    estimator: str = "apparent"
    look: ViewOptions = field(default_factory=ViewOptions)


def sidebar() -> Settings:
    """Draw the settings, the same on every page and kept from page to page, and return them."""
    runtime.settle()
    st.html(STYLE)
    specs = load_manifest()
    with st.sidebar:
        for path, label, icon in PAGES:
            st.page_link(path, label=label, icon=icon, width="stretch")
        st.space("small")
        detector = _choose("Finding faces", "detector", DETECTORS, specs)
        estimator = _choose("Estimating age and gender", "estimator", ESTIMATORS, specs)
        return Settings(detector, estimator, look())


def _choose(label: str, key: str, names: tuple[str, ...], specs: dict[str, ModelSpec]) -> str:
    name = st.selectbox(
        label,
        names,
        format_func=lambda name: AUTO if name == "auto" else specs[name].title,
        **remembered(key, names[0]),
    )
    st.caption(
        "YuNet, or the bundled detector where YuNet cannot be had" if name == "auto" else facts(specs[name])
    )
    return str(name)


def facts(spec: ModelSpec) -> str:
    """Return a model's size, where it is and its licence, as Markdown."""
    where = {"bundled": "bundled", "cached": "fetched", "missing": "is fetched when first used"}
    return f"{spec.bytes / 1e6:.1f} MB · {where[store.status(spec)]} · licence: {escape(spec.licence)}"
