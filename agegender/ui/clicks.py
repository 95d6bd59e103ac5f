"""That no click is lost where two come at nearly the same moment."""

from __future__ import annotations

from typing import Any

from streamlit.runtime.scriptrunner_utils.script_requests import (
    ScriptRequest,
    ScriptRequests,
    ScriptRequestType,
)
from streamlit.runtime.state.safe_session_state import SafeSessionState

STOP, READY = ScriptRequests.request_stop, ScriptRequests.on_scriptrunner_ready


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
