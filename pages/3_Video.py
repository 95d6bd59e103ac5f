"""Video: from a file to an annotated MP4, with when each person is in view and their estimates."""

from __future__ import annotations

from io import BytesIO

import streamlit as st

from agegender.imaging.formats import VIDEOS, endings
from agegender.text import escape
from agegender.ui import loader, uploads
from agegender.ui.sidebar import sidebar
from agegender.ui.uploads import Upload
from agegender.ui.video_result import (
    Result,
    annotate,
    choose_options,
    settings_of,
    show_hint,
    show_or_withdraw,
)
from agegender.video.container import LIMITS, MAX_BYTES
from agegender.video.sample import sample_clip

KEY = "video-button"  # shared by both buttons, or the other one would linger below
TYPES = [ending[1:] for ending in endings(VIDEOS)]
state = st.session_state


@st.cache_resource(show_spinner=False)
def sample() -> bytes:
    """The sample clip, shared by all visitors."""
    return sample_clip()


def take_video() -> None:
    """Keep the uploaded video for this session, or forget it once removed."""
    files = uploads.held("video-file")
    state.video_file = files[0] if files else None
    state.pop("video_result", None)


def choose_video() -> Upload | None:
    """The chosen video, kept while visiting other pages; None if there is none."""
    ways = ["Upload", "Sample"]
    way = st.segmented_control(
        "Where from", ways, key="video-way", required=True, label_visibility="collapsed"
    )
    state.video_kept_way = way
    if way == "Sample":
        st.caption("Six seconds made of two portraits in the public domain (NASA, US Congress).")
        return Upload("sample", "sample.mp4", sample())
    most_mb, key = MAX_BYTES // 1_000_000, "video-file"
    st.file_uploader(f"A video, {LIMITS}", TYPES, max_upload_size=most_mb, key=key, on_change=take_video)
    uploads.tell_if_lost(key, "video")
    kept: Upload | None = state.get("video_file")
    if kept and not state[key]:
        st.caption(f"Still here: {escape(kept.name)}")
    return kept


def set_running(identity: str | None) -> None:
    """Start processing the video with this ID on the next run; None stops."""
    state.video_running = identity


st.set_page_config("Video", "🙂")
settings = sidebar()
options = choose_options(settings.look)
state.setdefault("video-way", state.get("video_kept_way", "Upload"))

st.title("Video")
st.markdown("Tracks everyone in a video and estimates each person's apparent age and gender.")
chosen = choose_video()
if chosen is None:
    set_running(None)
    st.caption(f"{LIMITS.capitalize()}. Videos are analysed on the server and gone when you close the page.")
    st.stop()

analyzer = loader.analyzer(settings.detector, settings.estimator)
known, result = state.get("video_result", (None, None))
if state.get("video_running") == chosen.file_id:
    # A click on the button restarts the script, which ends this run when it next updates its progress.
    st.button("Stop", KEY, on_click=set_running, args=(None,), icon=":material/stop_circle:")
    state.video_result = chosen.file_id, annotate(BytesIO(chosen.data), analyzer, options)
    set_running(None)
    st.rerun()
again = known == chosen.file_id
label = "Process again" if again else "Find faces"
with st.container(horizontal=True, vertical_alignment="center"):
    start, icon = (chosen.file_id,), ":material/play_circle:"
    st.button(label, KEY, on_click=set_running, args=start, type="primary", icon=icon)
    if not again:
        show_hint(chosen.file_id, chosen.data, analyzer, options)
    elif isinstance(result, Result) and result.settings != settings_of(analyzer, options):
        st.markdown("**Settings changed: process again.**", width="content")
if again and isinstance(result, Result):
    show_or_withdraw(result, chosen.name, options)
elif again:
    st.error(escape(str(result)), icon=":material/error:")
