"""About: the pipeline on a sample, background, measured accuracy, limits, privacy and licences."""

from __future__ import annotations

import streamlit as st

from agegender.ui import loader
from agegender.ui.about import show_background, show_fails, show_licences, show_steps
from agegender.ui.model_card import show_figures
from agegender.ui.sidebar import sidebar

CONTENTS = (*("How it works", "Background", "Accuracy", "Where it fails", "Limits", "Privacy", "Licences"),)

st.set_page_config("About", "🙂")
settings = sidebar()

st.title("About")
st.markdown(" · ".join(f"[{title}](#{title.lower().replace(' ', '-')})" for title in CONTENTS))

st.header("How it works")
shown = show_steps(settings.detector)

st.header("Background")
show_background(shown)

st.header("Accuracy")
show_figures()

st.header("Where it fails")
show_fails(loader.analyzer(settings.detector, settings.estimator))

st.header("Limits")
st.markdown(
    "- It underestimates people over 60, and overestimates people in their thirties in formal portraits.\n"
    "- It is less sure of the gender of children.\n"
    "- Its likely range was fitted to ages that people guessed, and misses more of the oldest.\n"
    "- Small, blurred, poorly lit, overexposed, turned, covered and cut-off faces are harder; it warns where "
    "it notices.\n"
    "- Its labels were given by people, and their prejudices are in it.\n"
    "- There are two gender labels because its training photos have two. They say nothing about who somebody "
    "is, and leave out everybody who fits neither.\n\n"
    "It is for experiments, teaching and building on. **Do not use it to make decisions about people**: not "
    "for access, prices, policing or hiring. It proves nobody's age."
)

st.header("Privacy")
st.markdown(
    "Photos, videos and the webcam are analysed in the memory of the server that runs this app. Nothing is "
    "stored, logged or used to train anything, and nobody is recognised. If you run the app on your own "
    "machine, nothing leaves it."
)

st.header("Licences")
show_licences()
