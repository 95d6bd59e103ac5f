"""Video: a file in; out come an annotated MP4, who is in view when, and what is known of each person."""

from __future__ import annotations

from io import BytesIO

import streamlit as st

from agegender.drawing.view_options import ViewOptions
from agegender.text import escape
from agegender.ui import loader
from agegender.ui.sidebar import sidebar
from agegender.ui.uploads import uploads
from agegender.ui.video_result import Result, annotate, show_result
from agegender.video.annotate import Options
from agegender.video.container import ENDINGS, MAX_BYTES
from agegender.video.footage import LIMITS
from agegender.video.sample import sample_clip

KEY = "video-button"  # the same for both, or else the other one would linger below
TYPES = [ending[1:] for ending in ENDINGS]


@st.cache_resource(show_spinner="Making the sample …")
def sample() -> bytes:
    """Return the sample clip, the same one for all visitors."""
    return sample_clip()


def choose_video() -> tuple[str, str, BytesIO] | None:
    """Return what tells the chosen video from others, its name and its file; None where there is none yet."""
    way = st.segmented_control(
        "Where from", ["Upload", "Sample"], default="Upload", required=True, label_visibility="collapsed"
    )
    if way == "Sample":
        st.caption("Six seconds made of two portraits in the public domain (NASA, US Navy).")
        return "sample", "sample.mp4", BytesIO(sample())
    files = uploads(f"A video, {LIMITS}", TYPES, key="video-file", max_mb=MAX_BYTES // 1_000_000)
    return (files[0].file_id, files[0].name, BytesIO(files[0].data)) if files else None


def choose_options(look: ViewOptions) -> Options:
    """Return how to look at the video and what to draw, as chosen in the sidebar."""
    with st.sidebar:
        per_second = st.slider(
            "Frames analysed a second, at most",
            1,
            30,
            10,
            help="Fewer are faster; boxes move on between them. To hide faces, every frame is analysed.",
        )
    return Options(float(per_second), look)


def set_running(identity: str | None) -> None:
    """Have the video that this tells from others worked on from the next run on, or none."""
    st.session_state.video_running = identity


st.set_page_config("Video", "🙂")
settings = sidebar()
options = choose_options(settings.look)

st.title("Video")
st.markdown("Everybody in a video is framed and followed, and age and gender settle while they are in view.")
with st.container():  # so that what comes below keeps its place, whatever spins meanwhile
    chosen = choose_video()
if chosen is None:
    set_running(None)
    st.session_state.pop("video_result", None)
    st.caption(
        f"{LIMITS.capitalize()}. Videos are analysed on the server and are gone when you leave the page."
    )
    st.stop()

identity, name, file = chosen
with st.container():
    analyzer = loader.analyzer(settings.detector, settings.estimator)
known, result = st.session_state.get("video_result", (None, None))
if st.session_state.get("video_running") == identity:
    # A click on the button starts the script anew, and ends this run when it next shows its progress.
    st.button("Stop", KEY, on_click=set_running, args=(None,), icon=":material/stop_circle:")
    st.session_state.video_result = identity, annotate(file, analyzer, options)
    set_running(None)
    st.rerun()
label = "Find faces again" if known == identity else "Find faces"
st.button(label, KEY, on_click=set_running, args=(identity,), type="primary", icon=":material/play_circle:")
with st.container():
    if known == identity and isinstance(result, Result):
        show_result(result, name)
    elif known == identity:
        st.error(escape(str(result)), icon=":material/error:")
