"""Home: what the app does, shown by doing it; the ways in; what becomes of pictures; what it cannot know."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from agegender.ui import loader
from agegender.ui.face_cards import show_preview
from agegender.ui.previews import preview
from agegender.ui.sidebar import PAGES, sidebar

SAMPLE = Path(__file__).parent / "samples" / "astronaut.png"

st.set_page_config("Apparent age and gender", "🙂")
settings = sidebar()

st.title("How old does a face look?")
st.markdown("Finds every face in pictures, videos and a webcam and estimates **apparent** age and gender.")
with st.container(horizontal=True):
    for path, label, icon in PAGES[1:]:
        st.page_link(path, label=label, icon=icon)

sample = preview(SAMPLE.read_bytes(), loader.analyzer(settings.detector, settings.estimator))
show_preview(sample, settings.look, tallest_px=270)  # all of the page on one screen
st.caption("A sample, analysed just now: Eileen Collins, astronaut (portrait by NASA, public domain).")

becomes, limits = st.columns(2)
with becomes:
    st.subheader("What happens to pictures")
    st.markdown(
        "They are sent to the server that runs this app and analysed in its memory. None is stored, shown "
        "to anybody else or used to train anything, and when you close the page they are gone. Nobody is "
        "recognised: no face is compared with another."
    )
with limits:
    st.subheader("What it cannot know")
    st.markdown(
        "It guesses how old a face *looks*, not how old a person is, and is six years off on average. "
        "It takes people over 60 for younger than they are, and it reads children's gender less well. Expect "
        "worse of small, blurred, dark or turned faces. Its two gender labels come from the pictures it was "
        "trained on; they say nothing of who somebody is. Decide nothing about anybody by it."
    )
