"""The private parts of streamlit-webrtc that patches.py relies on are there still."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import streamlit_webrtc
from aiortc.contrib.media import MediaRelay
from streamlit_webrtc import webrtc
from streamlit_webrtc.component import WebRtcStreamerContext, WebRtcStreamerState

from agegender.live import patches

FRONTEND = Path(streamlit_webrtc.__file__).parent / "frontend" / "dist" / "assets"


def frontend() -> str:
    return "".join(path.read_text("utf-8") for path in FRONTEND.glob("*.js"))


def test_frames_pass_through_a_relay_that_knows_how_not_to_buffer() -> None:
    assert "buffered" in inspect.signature(MediaRelay.subscribe).parameters
    assert "relay.subscribe(" in inspect.getsource(webrtc)
    assert "get_global_relay" in inspect.getsource(webrtc)


def test_the_component_remembers_cameras_where_they_are_forgotten() -> None:
    script = frontend()
    assert "`streamlit-webrtc:device-ids`" in script
    assert "`streamlit-webrtc:device-ids:`" in script  # and each component's own, by its key
    assert "component_key" in script
    assert "localStorage.removeItem('streamlit-webrtc:device-ids')" in patches.FORGET_CAMERA


def test_the_component_has_no_buttons_of_its_own_while_it_is_told_what_to_do() -> None:
    assert "desiredPlayingState==null" in frontend()


def test_the_server_side_of_a_connection_ends_when_its_component_leaves() -> None:
    class Worker:
        stopped = False

        def stop(self) -> None:
            self.stopped = True

    worker = Worker()
    state = WebRtcStreamerState(playing=True, signalling=False)
    context: WebRtcStreamerContext[Any, Any] = WebRtcStreamerContext(worker=None, state=state)
    context._set_worker(worker)  # type: ignore[arg-type]
    patches.close(context)
    assert worker.stopped
    assert not context.state.playing
    patches.close(context)  # once more does no harm
