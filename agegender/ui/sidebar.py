"""The sidebar: settings that persist across pages, for the models and for how faces are shown."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from agegender.analyzer import DETECTORS, ESTIMATORS
from agegender.drawing.view_options import Part, ViewOptions
from agegender.models import store
from agegender.models.manifest import ModelSpec, load_manifest
from agegender.text import escape
from agegender.ui.loader import AUTO, keep_clicks

LABELS: dict[str, Part] = {
    "Gender": "gender",
    "Certainty": "probability",
    "Age": "years",
    "Age group": "age",
}

HIDE_HELP = "Covers each face with a few plain blocks, in downloads too. A face that is missed is not hidden."


LEAST_SCORE = 0.7
"""Minimum confidence that every detector requires of a face."""


def remembered(key: str, default: object) -> dict[str, Any]:
    """Arguments for a widget that keeps its value from page to page."""
    # Streamlit drops a widget's state with its page, so the choice is kept separately. (persist_state would
    # keep it, but another page's first run would still get the default.)
    widget, kept = f"choose-{key}", f"kept-{key}"
    st.session_state[widget] = st.session_state.setdefault(kept, default)
    return {"key": widget, "on_change": _remember, "args": (kept, widget)}


def _remember(kept: str, widget: str) -> None:
    st.session_state[kept] = st.session_state[widget]


def look() -> ViewOptions:
    """Draw the settings for how faces are shown, and return them."""
    score = st.slider(
        "Minimum detection confidence",
        LEAST_SCORE,
        0.95,
        step=0.05,
        format="percent",
        **remembered("score", LEAST_SCORE),
    )
    smallest_px = st.slider(
        "Minimum face size",
        0,
        400,
        step=10,
        format="%d px",
        help="The height of a face in the photo, in pixels. Smaller faces are hidden.",
        **remembered("smallest_px", 0),
    )
    names = st.pills(
        "Show on labels", LABELS, selection_mode="multi", **remembered("labels", list(LABELS)[:3])
    )
    blur = st.toggle("Hide faces", help=HIDE_HELP, **remembered("blur", False))
    # The lowest setting must not drop a face through rounding of its score.
    least_score = score if score > LEAST_SCORE else 0.0
    return ViewOptions(least_score, smallest_px, tuple(LABELS[name] for name in names), blur)


PAGES = (
    ("app.py", "Home", ":material/home:"),
    ("pages/1_Photos.py", "Photos", ":material/photo_library:"),
    ("pages/2_Live.py", "Live", ":material/videocam:"),
    ("pages/3_Video.py", "Video", ":material/movie:"),
    ("pages/4_Lab.py", "Lab", ":material/science:"),
    ("pages/5_About.py", "About", ":material/info:"),
)
"""The pages as listed in the sidebar: file, name, icon."""


HERE = Path(__file__).parent

STYLED_S = 0.25
"""How long a new session waits for the style to reach the browser, so that nothing moves on loading."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Sidebar choices: model names that `build_analyzer` knows, and how faces are shown."""

    detector: str = "auto"
    estimator: str = "apparent"
    look: ViewOptions = field(default_factory=ViewOptions)


def sidebar() -> Settings:
    """Draw the settings, which are the same on every page and persist across pages, and return them."""
    keep_clicks()
    st.set_page_config(initial_sidebar_state="collapsed")  # style.css opens it where there is room
    st.html(HERE / "style.css")
    if "styled" not in st.session_state:  # anything drawn before the style would move when it arrives
        st.session_state.styled = True
        time.sleep(STYLED_S)
    specs = load_manifest()
    with st.sidebar:
        with st.container(key="pages", gap="xxsmall"):
            for path, label, icon in PAGES:
                st.page_link(path, label=label, icon=icon, width="stretch")
        st.space("small")
        detector = _choose("Face detector", "detector", DETECTORS, specs)
        estimator = _choose("Age and gender model", "estimator", ESTIMATORS, specs)
        settings = Settings(detector, estimator, look())
        st.html(f"<script>{script()}</script>", unsafe_allow_javascript=True)
    return settings


@cache
def script() -> str:
    """The pages' browser script."""
    return (HERE / "script.js").read_text(encoding="utf-8")


def _choose(label: str, key: str, names: tuple[str, ...], specs: dict[str, ModelSpec]) -> str:
    name = st.selectbox(
        label,
        names,
        format_func=lambda name: AUTO if name == "auto" else specs[name].title,
        **remembered(key, names[0]),
    )
    st.caption(
        "YuNet if available, otherwise the built-in detector" if name == "auto" else facts(specs[name])
    )
    return str(name)


def facts(spec: ModelSpec) -> str:
    """A model's size, status and licence, as Markdown."""
    where = {"bundled": "built in", "cached": "downloaded", "missing": "downloads on first use"}
    return f"{spec.bytes / 1e6:.1f} MB · {where[store.status(spec)]} · licence: {escape(spec.licence)}"
