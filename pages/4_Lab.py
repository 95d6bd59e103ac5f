"""Lab: change a face until the model errs; see what it looks at; compare the models."""

from __future__ import annotations

import streamlit as st

from agegender.estimation.changes import SLIDERS, Cut, changed
from agegender.estimation.probing import curve, read_all
from agegender.types import Estimator
from agegender.ui import lab, loader
from agegender.ui.sidebar import sidebar


@st.fragment
def experiment(cut: Cut, estimator: Estimator, detector: str) -> None:
    """Change the face and show the new estimate, without rerunning the rest of the page."""
    sliders, answer = st.columns([1, 1.4], gap="large")
    with sliders:
        changes = lab.choose_changes()
    now = changed(cut, changes)
    with answer:
        lab.show_answer(now, read_all(estimator, [now])[0], lab.views_of(estimator, now)[0])
        name = st.segmented_control(
            "How the answer changes over",
            SLIDERS,
            format_func=lambda key: SLIDERS[key].label,
            default="blur",
            required=True,
            wrap=True,
            key="over",
            **lab.BIND,
        )
        lab.show_curve(curve(estimator, cut, changes, str(name)), getattr(changes, str(name)))
    st.header("The models side by side")
    lab.show_models(detector, now)
    st.header("What it looks at")
    if st.toggle("Cover the face patch by patch", key="map", **lab.BIND):
        lab.show_map(estimator, now)


st.set_page_config("Lab", "🙂")
settings = sidebar()

st.title("Lab: try to fool it")
st.markdown(
    "Change a face and see where the answer breaks. The address of this page keeps the sample and the "
    "sliders: share it as a link."
)
analyzer = loader.analyzer(settings.detector, settings.estimator)
cut = lab.choose_face(analyzer)
if cut is not None:
    experiment(cut, analyzer.estimator, settings.detector)
