"""Lab: try to fool it."""

from __future__ import annotations

import streamlit as st

from agegender.ui.sidebar import sidebar

st.set_page_config("Lab", "🙂")
settings = sidebar()
st.title("Lab: try to fool it")
