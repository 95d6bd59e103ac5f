"""Photos: files, a folder, the camera or samples, each photo with boxed faces and a card per face."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from agegender.text import plural
from agegender.ui import loader, results, uploads
from agegender.ui.face_cards import FEW
from agegender.ui.previews import Preview
from agegender.ui.sidebar import sidebar

WAYS: dict[str, Callable[[], None]] = {
    "Upload": partial(
        uploads.photo_field, f"Photos, up to {uploads.MAX_MB} MB each. Or paste one here.", "photos-files"
    ),
    "Folder": partial(
        uploads.photo_field,
        f"A folder of photos, up to {uploads.MAX_MB} MB each",
        "photos-folder",
        many="directory",
    ),
    "Camera": uploads.camera,
    "Samples": uploads.samples,
}

st.set_page_config("Photos", "🙂")
settings = sidebar()

st.title("Photos")
st.session_state.setdefault("photos-way", "Upload")
with st.container(horizontal=True, horizontal_alignment="distribute"):
    way = st.segmented_control(
        "Where from", WAYS, required=True, label_visibility="collapsed", key="photos-way"
    )
    beside = st.container(width="content")
WAYS[str(way)]()
if refused := st.session_state.get("photos_refused", 0):
    st.warning(
        f"{plural(refused, 'photo').capitalize()} not added: there is room for {uploads.MAX_PICTURES} photos "
        f"and {uploads.MAX_SESSION_MB} MB. Remove some first."
    )
photos, opened = uploads.photos(), uploads.opened()
if opened is None:
    st.caption("Photos are analysed in the server's memory and are not stored.")
    st.stop()

analyzer = loader.analyzer(settings.detector, settings.estimator)
found = results.analysed(photos, analyzer)
if len(photos) > 1:
    results.overview(photos, found, settings.look)
outcome = found[photos.index(opened)]
order = None
if isinstance(outcome, Preview):
    readings = settings.look.shown(outcome.analysis).readings
    if len(readings) >= FEW:
        with beside:
            order = results.choose_filter().order(readings)
results.show_outcome(outcome, opened.name, settings.look, order)
results.download_bar(photos, found, settings.look)
results.show_chart(found, settings.look)
st.caption(
    "The large figure is the best estimate; the likely range contains the true age about 8 times in 10 "
    "(about 7 in 10 above 70)."
)
