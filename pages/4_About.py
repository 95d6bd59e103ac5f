"""About: how it works on a sample, what is behind it, how good it is, its limits, privacy and licences."""

from __future__ import annotations

import streamlit as st

from agegender.ui.about import show_background, show_licences, show_steps
from agegender.ui.model_card import show_figures
from agegender.ui.sidebar import sidebar

st.set_page_config("About", "🙂")
settings = sidebar()

st.title("How it works")
shown = show_steps(settings.detector)

st.header("Background")
show_background(shown)

st.header("How good it is")
show_figures()

st.header("Limits")
st.markdown(
    "- People over 60 are taken for younger than they are, people in their thirties in formal portraits for "
    "older.\n"
    "- The gender of children is read less well.\n"
    "- The interval of age was fitted to ages that people guessed, and misses more of the oldest.\n"
    "- Small, blurred, poorly lit, overexposed, turned, covered and cut faces are read worse; it says so "
    "where it sees one.\n"
    "- The labels it learnt from were given by people, and their prejudices are in it.\n"
    "- There are two gender labels, because its training pictures have two. They say nothing of who somebody "
    "is, and leave out everybody whom neither fits.\n\n"
    "It is for trying out, teaching and building upon. **Decide nothing about anybody by it**: not access, "
    "prices, policing or hiring, and it proves nobody's age."
)

st.header("Privacy")
st.markdown(
    "Pictures, videos and the webcam are analysed in the memory of the server that runs this app. Nothing is "
    "stored, logged or used to train anything, and nobody is recognised. On your own machine nothing "
    "leaves it."
)

st.header("Licences")
show_licences()
