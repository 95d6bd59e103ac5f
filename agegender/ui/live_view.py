"""The video area of the Live page, over WebRTC or WebSocket, and the camera's error reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit_webrtc import webrtc_streamer

from agegender.live import patches
from agegender.live.control import Control
from agegender.live.processor import Latest
from agegender.live.webrtc import WebRTC
from agegender.live.websocket import WebSocket

CAMERAS = {"Front": "user", "Back": "environment"}
"""Browser names (facingMode) of the cameras."""

CAMERA_KEY = "live-camera-view"

HERE = Path(__file__).parent

CAMERA = st.components.v2.component(
    "agegender_camera",
    css=(HERE / "live_camera.css").read_text("utf-8"),
    js=(HERE / "live_camera.js").read_text("utf-8"),
)
# Separate from the camera, because Streamlit resends a component's whole script with every answer.
WIRE = st.components.v2.component(
    "agegender_wire",
    js="""export default ({ data, setTriggerValue }) => {
        globalThis.agegenderWire = [data, setTriggerValue];
        globalThis.agegenderCamera?.answered(data, setTriggerValue);
        return () => {
            delete globalThis.agegenderWire;
            if (globalThis.agegenderCamera) globalThis.agegenderCamera.wire = null;
        };
    }""",
)

# Limit the video to 60 % of the window's height; streamlit-webrtc would derive its height from its width.
STYLE = """<style>
[class*="st-key-webrtc-"] {{
    position: absolute; height: 1px; overflow: hidden; opacity: 0; pointer-events: none}}
[class*="st-key-webrtc-"] iframe {{
    display: block; width: 100%; margin: auto; height: auto !important; border-radius: var(--radius, .6rem);
    aspect-ratio: {aspect:.4f}; max-width: calc(60vh * {aspect:.4f})}}
.st-key-wire {{position: absolute}}
{shown}
</style>"""
SHOWN = """.st-key-webrtc-{0} {{position: static; height: auto; opacity: 1; pointer-events: auto}}
.st-key-camera {{display: none}}"""

EXPECT = {
    "title": "Your camera appears here",
    "text": "Press START and allow the camera. Faces are framed, and age and gender settle within a second.",
}
ALLOW = {"title": "Allow the camera", "text": "Your browser asks whether this page may use it."}
CONNECT = {"title": "Connecting …", "text": "This takes a few seconds at most."}


def shape(latest: Latest | None) -> float:
    """Aspect ratio of the video area, width over height."""
    return latest.image.shape[1] / latest.image.shape[0] if latest else 4 / 3


def show_style(control: Control, latest: Latest | None) -> None:
    """Size the video area to the picture that is playing."""
    plays = control.way == "webrtc" and control.phase == "playing"
    st.html(STYLE.format(aspect=shape(latest), shown=SHOWN.format(control.camera) if plays else ""))


def show_camera(control: Control, mirror: bool, hide: bool) -> None:
    """Draw the camera component: a placeholder, the permission prompt, or the video itself."""
    play = control.wanted and control.way == "websocket"
    mode = "ask" if control.phase == "asking" else "play" if play else "idle"
    words = ALLOW if mode == "ask" else CONNECT if control.wanted else EXPECT
    facing = CAMERAS[control.camera]
    data = {"mode": mode, "facing": facing, "mirror": mirror, "hide": hide, "words": words}
    with st.container(key="camera"):
        CAMERA(key=CAMERA_KEY, data=data | {"turn": control.turn}, on_said_change=lambda: None)


def hear_camera(control: Control) -> None:
    """Forward the browser's camera report once, if it belongs to the latest START."""
    said = _said(CAMERA_KEY, "said")
    if isinstance(said, dict) and said.get("turn") == control.turn:
        control.camera_said(str(said.get("what"))[:100])


def show_streamers(control: Control, ways: Mapping[str, WebRTC], servers: Sequence[Any]) -> None:
    """Draw a streamlit-webrtc component for each camera, one of which plays; none where WebRTC is of no use.

    Each camera needs its own, because a component sticks to the device it used first.
    """
    if control.way != "webrtc":
        control.removed()
        for camera in CAMERAS:
            if context := st.session_state.get(f"live-{camera}"):
                patches.close(context)
        return
    with st.container(key="webrtc-memory"):
        st.html(patches.FORGET_CAMERA, unsafe_allow_javascript=True)
    patches.let_nothing_queue_up()
    for camera, way in ways.items():
        with st.container(key=f"webrtc-{camera}"):
            _streamer(camera, way, servers, control.plays_over_webrtc(camera))
    control.drawn()


def _streamer(camera: str, way: WebRTC, servers: Sequence[Any], play: bool) -> None:
    video = {"width": {"ideal": 640}, "height": {"ideal": 480}, "facingMode": CAMERAS[camera]}
    fitting = {"position": "fixed", "inset": 0, "width": "100%", "height": "100%", "objectFit": "contain"}
    webrtc_streamer(
        key=f"live-{camera}",
        video_frame_callback=way.recv,
        queued_video_frames_callback=way.recv_queued,  # called first; knows how many were dropped
        on_video_ended=way.on_ended,
        async_processing=True,
        media_stream_constraints={"video": video, "audio": False},
        media_toggle_controls=False,
        rtc_configuration={"iceServers": list(servers)},
        video_html_attrs={"autoPlay": True, "playsInline": True, "muted": True, "style": fitting},
        desired_playing_state=play,
    )


def streamers_active() -> bool:
    """Return whether a streamlit-webrtc component is playing or connecting."""
    found = [st.session_state.get(f"live-{camera}") for camera in CAMERAS]
    return any(context and (context.state.playing or context.state.signalling) for context in found)


def _said(component: str, what: str) -> object:
    """A component's latest message; None if it has left the page in the meantime."""
    return (st.session_state.get(component) or {}).get(what)


@st.fragment
def exchange(transport: WebSocket) -> None:
    """Answer frames that arrive over the page's own connection: one fragment run per frame."""
    state = st.session_state

    def came() -> None:
        answer = transport.answer(_said("live-wire", "frame"))
        if answer is not None:
            state.live_answer = answer

    with st.container(key="wire"):
        WIRE(key="live-wire", data=state.get("live_answer"), on_frame_change=came)
