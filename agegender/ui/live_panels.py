"""Status panels of the Live page: camera problems, the waiting line, people in view, video statistics."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from agegender.imaging.io import encode_jpeg
from agegender.live.control import Control
from agegender.live.processor import Latest
from agegender.text import escape, plural
from agegender.ui import people_table

SNAPSHOT = "Use a photo instead"
PROBLEMS = {
    "NotAllowedError": (
        "The camera is blocked",
        "Your browser or system does not let this page use it. Click the camera or the lock beside the "
        "page's address, choose *Allow*, and press **START** again. On a phone, also look in the system's "
        "settings under the browser's permissions.",
    ),
    "NotFoundError": (
        "No camera was found",
        "Connect one, or check that it is not switched off by a key or a slider, and press **START** again.",
    ),
    "NotReadableError": (
        "The camera is busy",
        "Another program or tab is using it, such as a video call. Close that and press **START** again.",
    ),
    "InsecureError": (
        "The camera works on secure pages only",
        "Browsers give the camera to pages whose address begins with *https://* or *localhost*.",
    ),
    "ended": (
        "The camera was disconnected",
        "Connect it again, or choose the other camera, and press **START**.",
    ),
    "silent": (
        "The video has stopped",
        "No new picture has come for some seconds: the camera was disconnected, or the network is down. "
        "Press **START** to try again.",
    ),
    "nothing": (
        "No picture has come through",
        "The camera was opened, yet none of its pictures arrived. Check the network, and press **START** "
        "again.",
    ),
}
UNKNOWN = ("The camera could not be opened", "Close other programs that use it, and press **START** again.")
FELL_BACK = (
    "Your browser and this server cannot reach each other by WebRTC, as on many networks. Live continues "
    "over the page's own connection."
)

WAYS = {"webrtc": "WebRTC", "websocket": "the page's own connection"}


def show_problem(problem: str) -> None:
    """Explain what happened to the camera, how to fix it, and what works without it."""
    title, text = PROBLEMS.get(problem, UNKNOWN)
    st.warning(f"**{title}.** {text}", icon=":material/videocam_off:")
    st.page_link("pages/1_Photos.py", label=SNAPSHOT, icon=":material/photo_camera:")


def show_line(before: int) -> None:
    """Say how many people are ahead when the server is at its limit of live videos."""
    st.info(f"The server is busy: {plural(before, 'visitor')} before you. You don't need to do anything.")
    st.page_link("pages/1_Photos.py", label=SNAPSHOT, icon=":material/photo_camera:")


def show_people(latest: Latest | None, blur: bool) -> None:
    """Show who is in view."""
    if latest is None:
        st.caption("Who is in view is listed here.")
    elif latest.error:
        st.error(f"The picture could not be analysed: {escape(latest.error)}", icon=":material/error:")
    elif latest.tracks:
        st.html(people_table.table(latest, blur))
    else:
        st.caption("No face in view. Face the camera, in good light, a little closer.")


def show_details(control: Control, latest: Latest) -> None:
    """Show video statistics for those who want them."""
    figures = latest.figures
    with st.expander("Details"):
        st.caption(
            f"{figures.frames_per_s:.0f} frames a second over {WAYS[control.way]} · "
            f"{figures.analysed_per_s:.0f} analysed, {figures.frame_ms:.0f} ms each · "
            f"{plural(figures.dropped, 'frame')} skipped"
        )


def show_way(control: Control) -> None:
    """After a fallback, say that WebRTC did not work and offer to try it again."""
    if control.fell_back:
        st.info(FELL_BACK, icon=":material/swap_horiz:")
        st.button("Try WebRTC again", on_click=control.go, args=("webrtc",))


def offer_picture(processor_latest: Latest | None) -> None:
    """Offer to keep the newest frame as shown."""
    pressed = st.button(
        "Take a picture", "live-take", icon=":material/photo_camera:", disabled=processor_latest is None
    )
    if pressed and processor_latest:
        name = f"live-{datetime.now():%Y%m%d-%H%M%S}.jpg"
        data = encode_jpeg(processor_latest.picture)
        st.session_state.live_picture = data, name, processor_latest.hides


def show_kept_picture(hide: bool) -> None:
    """Show the snapshot and offer it for download, unless it shows faces that are now to be hidden."""
    data, name, hides = st.session_state.get("live_picture", (b"", "", False))
    if not data or (hide and not hides):
        return
    st.image(data, alt="Your picture", width=320)
    st.download_button("Download", data, name, "image/jpeg", on_click="ignore", icon=":material/download:")
