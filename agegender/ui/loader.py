"""What all sessions share: the cached analyzer, model downloads with a progress bar, and kept clicks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner_utils.script_requests import (
    ScriptRequest,
    ScriptRequests,
    ScriptRequestType,
)
from streamlit.runtime.state.safe_session_state import SafeSessionState

from agegender import runtime
from agegender.analyzer import Analyzer, build_analyzer
from agegender.errors import ModelError
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.text import escape

STOP, READY = ScriptRequests.request_stop, ScriptRequests.on_scriptrunner_ready

ROOT = Path(__file__).parents[1]

AUTO = "Best available"

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


def keep_clicks() -> None:
    """Have each run of a page take note of the click that began it before another run may cut it short.

    Streamlit lets a run be cut short before that, and a browser tells of a click only once: START and STOP
    were lost where another widget or component said something within the same few milliseconds. Holds for
    all sessions; does no harm when done again. Relies on private parts of Streamlit: a test in
    tests/browser/test_live_websocket.py presses START amid other clicks.
    """
    SafeSessionState.on_script_will_rerun = _apply  # type: ignore[assignment, method-assign]
    ScriptRequests.request_stop = _stop  # type: ignore[assignment, method-assign]
    ScriptRequests.on_scriptrunner_ready = _ready  # type: ignore[assignment, method-assign]


def _apply(state: SafeSessionState, *arguments: Any, **named: Any) -> None:
    with state._lock:
        state._state.on_script_will_rerun(*arguments, **named)


def _stop(requests: ScriptRequests) -> None:
    """Stop a run, or have one that has not begun stop once it has taken note of its click."""
    with requests._lock:
        if requests._state is ScriptRequestType.RERUN and not hasattr(requests, "begun"):
            requests.stops = True  # type: ignore[attr-defined]
            return
    STOP(requests)


def _ready(requests: ScriptRequests) -> ScriptRequest:
    request = READY(requests)
    with requests._lock:
        requests.begun = True  # type: ignore[attr-defined]
    if hasattr(requests, "stops"):
        STOP(requests)
    return request
