"""Home: try a photo, the webcam or a sample; what happens to photos; what the app cannot know."""

from __future__ import annotations

import streamlit as st

from agegender.text import escape
from agegender.ui import loader, results, uploads
from agegender.ui.face_cards import show_preview
from agegender.ui.previews import preview
from agegender.ui.sidebar import sidebar

SAMPLE = "astronaut.png"


def try_samples() -> None:
    """Open the Photos page on the samples."""
    st.session_state["photos-way"] = "Samples"


st.set_page_config("Apparent age and gender", "🙂")
settings = sidebar()

st.title("How old does a face look?")
st.markdown("Finds every face in a photo, a video or a webcam and estimates **apparent** age and gender.")
uploads.photo_field(f"Drop or paste a photo, up to {uploads.MAX_MB} MB", "home-files")
with st.container(horizontal=True):
    if st.button("Use the webcam", icon=":material/videocam:"):
        st.switch_page("pages/2_Live.py")
    if st.button("Try a sample", icon=":material/photo_library:", on_click=try_samples):
        st.switch_page("pages/1_Photos.py")

analyzer = loader.analyzer(settings.detector, settings.estimator)
opened = uploads.opened()
if opened:
    (outcome,) = results.analysed([opened], analyzer)
    results.show_outcome(outcome, opened.name, settings.look)
    label = f"{escape(opened.name)} in Photos: downloads, charts, more photos"
    st.page_link("pages/1_Photos.py", label=label, icon=":material/arrow_forward:")
else:
    show_preview(preview(uploads.sample(SAMPLE).data, analyzer), settings.look, tallest_px=240)
    st.caption("A sample, analysed just now: Eileen Collins, astronaut (portrait by NASA, public domain).")

becomes, limits = st.columns(2)
with becomes:
    st.header("What happens to photos")
    st.markdown(
        "- Analysed in the memory of the server that runs this app; never stored.\n"
        "- Shown to nobody else and not used for training.\n"
        "- Nobody is recognised: no face is compared with another."
    )
with limits:
    st.header("What it cannot know")
    st.markdown(
        "- How old somebody *is*: it estimates how old a face *looks*, about six years off on average.\n"
        "- Who somebody is: its two gender labels come from its training photos.\n"
        "- Faces it rarely saw: it underestimates people over 60 and is less sure of children.\n\n"
        "**Do not use it to make decisions about people.**"
    )
