"""Live: the camera over WebRTC, with everybody in view framed, and a table of who is there."""

from __future__ import annotations

import os
import time
from datetime import datetime

import streamlit as st
from streamlit_webrtc import webrtc_streamer
from streamlit_webrtc.relay import get_global_relay

from agegender.imaging.io import encode_jpeg
from agegender.live.ice import ice_servers
from agegender.live.processor import Settings, VideoProcessor, let_nothing_queue_up
from agegender.text import escape
from agegender.ui import loader, people_table
from agegender.ui.sidebar import sidebar

CAMERAS = {"Front": "user", "Back": "environment"}

CONNECT_S = 15.0
"""How long a connection may take before the page says what may be wrong."""

SWITCH_S = {"mounting": 1.5, "starting": 5.0}
"""How long each step takes at most when the choice of camera changes while playing. The component starts
several times over when it is told to start before it has settled; hence the first one."""

NO_CONNECTION = (
    "**No video has come through.** Your browser and this server cannot reach each other: many networks of "
    "companies, schools and mobile providers let no video calls through, and a server in a data centre "
    "often needs a relay (TURN), which its owner has to set up. Another network may help, Wi-Fi instead of "
    "mobile data or the other way round. A single snapshot works everywhere."
)
BROKE_OFF = "The connection broke off before any video came through. Press **START** to try again."
PRIVACY = (
    "Frames are sent to the server that runs this app and analysed in its memory. Nothing of the video is "
    "stored; a picture you take is kept for you until you close the page."
)
# The component remembers the camera used last, whichever was chosen here, and would insist on it.
FORGET_CAMERA = "<script>localStorage.removeItem('streamlit-webrtc:device-ids') // {}\n</script>"

state = st.session_state


def camera_switched() -> None:
    """Have the other camera start by itself, if one is running."""
    if state.get("live_active"):
        state.live_switch = "mounting", time.monotonic()


def go_on_switching() -> None:
    """Take the next step to the other camera when it is time; after the last one it is up to START."""
    step, since_s = state.live_switch
    if time.monotonic() - since_s >= SWITCH_S[step]:
        del state.live_switch
        if step == "mounting":
            state.live_switch = "starting", time.monotonic()
        st.rerun()


def choose() -> tuple[str, Settings]:
    """Draw the choices; return the camera, and how frames are looked at and drawn from now on."""
    chosen = sidebar()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        camera = st.segmented_control(
            "Camera", CAMERAS, default="Front", required=True, key="live-camera", on_change=camera_switched
        )
        mirror = st.toggle("Mirror", value=camera == "Front", key=f"live-mirror-{camera}")
    with st.container():  # what comes and goes in here must not move the video
        analyzer = loader.analyzer(chosen.detector, chosen.estimator)
    look = chosen.look
    return str(camera), Settings(analyzer, look, mirror)


def stream(camera: str, processor: VideoProcessor) -> bool:
    """Draw the video with its START and STOP; return whether it plays or is about to."""
    if not state.get("live_active"):
        state.live_ice = ice_servers(os.environ)  # credentials expire, so they are made anew
    before = state.get(f"live-{camera}")
    if before and (before.state.playing or before.state.signalling):
        state.pop("live_switch", None)
    step = state.get("live_switch", ("", 0.0))[0]
    st.html(FORGET_CAMERA.format(camera), unsafe_allow_javascript=True)
    let_nothing_queue_up(get_global_relay())
    context = webrtc_streamer(
        key=f"live-{camera}",
        video_frame_callback=processor.recv,
        queued_video_frames_callback=processor.recv_queued,  # comes first, and knows what was dropped
        on_video_ended=processor.on_ended,
        async_processing=True,
        media_stream_constraints={
            "video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "facingMode": CAMERAS[camera]},
            "audio": False,
        },
        rtc_configuration={"iceServers": list(state.live_ice.servers)},
        video_html_attrs={"autoPlay": True, "playsInline": True, "muted": True, "style": {"width": "100%"}},
        desired_playing_state=True if step == "starting" else None,
    )
    active = bool(context.state.playing or context.state.signalling or step)
    state.live_active = active
    return active


def waited_s(active: bool, arrived: bool) -> float:
    """Return for how long a connection has been tried in vain; the last attempt counts until the next."""
    if not active:
        state.live_asked_s = None
    elif arrived or state.get("live_asked_s") is None:
        state.live_asked_s, state.live_waited_s = time.monotonic(), 0.0
    else:
        state.live_waited_s = time.monotonic() - state.live_asked_s
    return float(state.get("live_waited_s", 0.0))


def show_live(active: bool, processor: VideoProcessor) -> None:
    """Show who is in view and how the video runs, or what becomes of the connection."""
    latest = processor.latest if active else None
    waited = waited_s(active, latest is not None)
    if waited >= CONNECT_S:
        show_no_connection()
    elif waited and not active:  # seldom: the server's side of streamlit-webrtc ends as it begins
        st.info(BROKE_OFF, icon=":material/refresh:")
    elif active and latest is None:
        st.caption("Connecting …")
        if "live_switch" in state:
            go_on_switching()
    if latest is None:
        return
    if latest.error:
        st.error(f"The picture could not be analysed: {escape(latest.error)}", icon=":material/error:")
    elif latest.tracks:
        st.html(people_table.table(latest, processor.settings.view.blur))
    else:
        st.caption("Nobody in view. A face is found when it is upright, lit and not very small.")
    figures = latest.figures
    st.caption(
        f"{figures.frames_per_s:.0f} frames a second · {figures.analysed_per_s:.0f} analysed, "
        f"{figures.frame_ms:.0f} ms each · {figures.dropped} left out so far"
    )


def show_no_connection() -> None:
    """Say why no video may have come through, and what works all the same."""
    st.warning(NO_CONNECTION, icon=":material/videocam_off:")
    if state.live_ice.note:
        st.caption(escape(state.live_ice.note))
    st.page_link("pages/1_Photos.py", label="Take a snapshot instead", icon=":material/photo_camera:")


def take_picture(active: bool, processor: VideoProcessor) -> None:
    """Offer to keep the newest frame as it is shown, and the one that was kept for download."""
    latest = processor.latest
    if st.button("Take a picture", icon=":material/photo_camera:", disabled=not active) and latest:
        state.live_picture = encode_jpeg(latest.picture), f"live-{datetime.now():%Y%m%d-%H%M%S}.jpg"
    if "live_picture" in state:
        data, name = state.live_picture
        st.image(data, alt="The picture that you took", width=320)
        st.download_button(
            "Download", data, name, "image/jpeg", on_click="ignore", icon=":material/download:"
        )


st.set_page_config("Live", "🙂")
st.title("Live")
st.markdown("Press **START** and allow the camera: faces are framed, and age and gender settle in a second.")
camera, settings = choose()
if f"live-processor-{camera}" not in state:
    state[f"live-processor-{camera}"] = VideoProcessor(settings)
processor: VideoProcessor = state[f"live-processor-{camera}"]
processor.settings = settings
active = stream(camera, processor)
people = st.container()
take_picture(active, processor)
st.caption(PRIVACY)
with people:  # last: where it asks to be run again before all is drawn, Streamlit drops what comes after it
    st.fragment(show_live, run_every=0.5 if active else None)(active, processor)
