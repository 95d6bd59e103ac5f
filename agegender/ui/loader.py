"""The cached analyzer shared by all pages, and model downloads with a progress bar."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from agegender import runtime
from agegender.analyzer import Analyzer, build_analyzer
from agegender.errors import ModelError
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.text import escape
from agegender.ui.sidebar import AUTO

ROOT = Path(__file__).parents[1]

RETRY_AFTER_S = 600.0
"""How long `auto` keeps its fallback before trying its first choice again."""


@dataclass(frozen=True, slots=True)
class _Built:
    analyzer: Analyzer
    at_s: float

    def still_good(self) -> bool:
        """Return whether this is the requested model, or a fallback too recent to retry."""
        return not self.analyzer.notes or time.monotonic() - self.at_s < RETRY_AFTER_S


@st.cache_resource(show_spinner="Loading the models …", max_entries=8, validate=_Built.still_good)
def _built(detector: str, estimator: str) -> _Built:
    return _Built(build_analyzer(detector, estimator), time.monotonic())


def analyzer(detector: str = "auto", estimator: str = "apparent") -> Analyzer:
    """The analyzer for models given by name, shared by all visitors and pages.

    Missing models are downloaded with a progress bar. If one cannot be had, a model that needs no network
    takes its place and the page says why; a later run tries again. Stops the page if nothing works.
    """
    runtime.prepare()
    names = _or_instead(detector, "auto"), _or_instead(estimator, "apparent")
    try:
        found = _built(*names).analyzer
    except ModelError as error:
        st.error(escape(str(error)), icon=":material/error:")
        st.stop()
    for note in found.notes:  # one line; details on demand
        with st.expander(escape(note.partition(",")[0]), icon=":material/info:"):
            st.markdown(escape(note))
    return found


def _or_instead(name: str, instead: str) -> str:
    try:
        fetch_model(name)
    except ModelError as error:
        if name != instead:
            place = AUTO if instead == "auto" else load_manifest()[instead].title
            text = f"{escape(str(error))} “{escape(place)}” is used instead."
            st.warning(text, icon=":material/warning:")
        return instead  # if this fails too, its own error surfaces when it is built
    return name


def fetch_model(name: str) -> None:
    """Download a model with a progress bar. A failure under `auto` is no error: its analyzer reports it."""
    spec = load_manifest()["yunet" if name == "auto" else name]
    if store.status(spec) != "missing":
        return
    place = st.empty()

    def show(file_name: str, bytes_done: int, bytes_total: int) -> None:
        text = f"Downloading {escape(file_name)}: {bytes_done / 1e6:.1f} of {bytes_total / 1e6:.1f} MB"
        place.progress(min(1.0, bytes_done / bytes_total), text)

    try:
        store.fetch(spec, show)
    except ModelError:
        if name != "auto":
            raise
    finally:
        place.empty()
