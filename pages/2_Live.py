"""Live: boxes around everybody in the camera's view, and a table of who is there."""

from __future__ import annotations

import os
from uuid import uuid4

import streamlit as st

from agegender.live import seats
from agegender.live.control import Control, preferred
from agegender.live.ice import ice_servers
from agegender.live.processor import Latest, Settings, VideoProcessor
from agegender.live.webrtc import WebRTC
from agegender.live.websocket import WebSocket
from agegender.text import escape
from agegender.ui import live_panels, live_view, loader
from agegender.ui.sidebar import sidebar

PRIVACY = (
    "Frames are sent to the server that runs this app and analysed in its memory. None of the video is "
    "stored; a picture you take is kept for you until you close the page."
)

state = st.session_state


@st.cache_resource
def all_seats() -> seats.Seats:
    """The seats for live video, shared by all visitors."""
    return seats.Seats(seats.limit(os.environ))


def controls(control: Control) -> bool:
    """Draw the row of camera controls; return whether the picture is mirrored."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if control.active:
            st.button("STOP", "live-stop", icon=":material/stop:", on_click=control.stop)
        else:
            st.button(
                "START", "live-start", icon=":material/play_arrow:", type="primary", on_click=control.start
            )
        camera = st.segmented_control(
            "Camera", live_view.CAMERAS, default="Front", required=True, key="live-camera"
        )
        if camera != control.camera:
            control.take_camera(str(camera))
        mirror = st.toggle("Mirror", value=camera == "Front", key=f"live-mirror-{camera}")
        live_panels.offer_picture(latest_of(control))
    return mirror


def latest_of(control: Control) -> Latest | None:
    """The newest frame while a video plays, unless it shows faces that are to be hidden."""
    latest: Latest | None = state.live_ways[control.camera].processor.latest
    if control.phase != "playing" or latest is None:
        return None
    return latest if latest.hides or not chosen.look.blur else None


def step(control: Control) -> bool:
    """Advance the connection's state; return whether the page must be redrawn."""
    live_view.hear_camera(control)
    latest = state.live_ways[control.camera].processor.latest
    return control.step(live_view.streamers_active(), latest.time_s if latest else None)


def watch(control: Control, drawn: tuple[float, bool], blur: bool) -> None:
    """Show who is in view; redraw the page when the connection's state changes."""
    redraw = step(control)
    latest = latest_of(control)
    if redraw or (live_view.shape(latest), control.active) != drawn:
        st.rerun()
    if control.problem:
        live_panels.show_problem(control.problem)
    elif control.phase == "waiting":
        live_panels.show_line(control.before)
    else:
        live_panels.show_people(latest, blur)
    if latest:
        live_panels.show_details(control, latest)


st.set_page_config("Live", "🙂")
chosen = sidebar()
st.title("Live")
analyzer = loader.analyzer(chosen.detector, chosen.estimator)
if "live" not in state:
    state.live = Control(all_seats(), str(uuid4()), preferred(os.environ))
    starts = Settings(analyzer)
    state.live_ways = {camera: WebRTC(VideoProcessor(starts)) for camera in live_view.CAMERAS}
    state.live_socket = WebSocket(state.live_ways["Front"].processor)
control: Control = state.live
if state.get("live_drawn") and "live-camera" not in state:  # another page was shown in the meantime
    control.left()
if not control.busy:
    state.live_ice = ice_servers(os.environ)  # renewed because credentials expire
if state.live_ice.note:
    st.warning(escape(state.live_ice.note), icon=":material/settings_alert:")

step(control)
video, side = st.columns([5, 3], gap="medium")
with video:
    place = st.container(gap=None, key="live-place")
    place.html("<i></i>")  # lets style.css reserve the place of the video
    active = control.active  # another run may press STOP from here on
    mirror = controls(control)
    state.live_drawn = True  # only now: an earlier run may have been cut short
    live_panels.show_way(control)
    live_panels.show_kept_picture(chosen.look.blur)
    st.caption(PRIVACY)
for way in state.live_ways.values():
    way.processor.settings = Settings(analyzer, chosen.look, mirror)
    if not control.active:
        way.processor.forget()
with place:
    live_view.show_style(control, latest_of(control))
    live_view.show_camera(control, mirror, chosen.look.blur)
    live_view.show_streamers(control, state.live_ways, state.live_ice.servers)
    if control.wanted and control.way == "websocket":
        state.live_socket.processor = state.live_ways[control.camera].processor
        live_view.exchange(state.live_socket)
with side:  # last: if it asks for a rerun before everything is drawn, Streamlit drops what comes after it
    every = 0.5 if control.busy else None
    drawn = live_view.shape(latest_of(control)), active
    st.fragment(watch, run_every=every)(control, drawn, chosen.look.blur)
