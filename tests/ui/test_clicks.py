"""A click that came is taken note of, though the run that it began is stopped at once."""

from __future__ import annotations

from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests, ScriptRequestType

from agegender.ui.loader import keep_clicks


def test_a_run_that_is_stopped_before_it_began_takes_note_of_its_click() -> None:
    """Fails when Streamlit's private parts are others, or when it keeps clicks by itself."""
    keep_clicks()
    requests = ScriptRequests()
    assert requests.request_rerun(RerunData())
    requests.request_stop()
    assert requests.on_scriptrunner_ready().type is ScriptRequestType.RERUN
    request = requests.on_scriptrunner_yield()
    assert request is not None and request.type is ScriptRequestType.STOP
