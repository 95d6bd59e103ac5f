"""Photos: pictures from files, the camera or the samples, each with its faces framed and a card a face."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from agegender import cards, ui
from agegender.analyzer import Analyzer
from agegender.errors import ImageError
from agegender.previews import Look, annotated_original, kept

SAMPLES = {"Grace Hopper": "grace_hopper.jpg", "Eileen Collins": "astronaut.png"}
TYPES = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "heic", "heif", "avif"]
NO_FACE = (
    "No face was found. It helps when a face looks towards the camera, is upright, well lit, not covered and "
    "not very small. Another way of finding faces can be chosen in the sidebar."
)

# The name of a picture, as its owner gave it, and its file.
Picture = tuple[str, bytes]


def from_files() -> list[Picture]:
    """Return the uploaded pictures, no more than are analysed at once."""
    files = st.file_uploader(
        "Pictures, up to 50 MB each", TYPES, accept_multiple_files=True, max_upload_size=50
    )
    if len(files) > ui.MAX_PICTURES:
        st.warning(f"Only the first {ui.MAX_PICTURES} pictures are analysed. Remove some to see others.")
    return [(file.name, file.getvalue()) for file in files[: ui.MAX_PICTURES]]


def from_camera() -> list[Picture]:
    """Return the snapshot, if one was taken; the browser asks for the camera here and not before."""
    snapshot = st.camera_input("Look at the camera and take a picture")
    return [("snapshot.jpg", snapshot.getvalue())] if snapshot else []


def from_samples() -> list[Picture]:
    """Return the chosen sample picture."""
    name = str(st.radio("Sample picture", SAMPLES, horizontal=True))
    st.caption("Both portraits are in the public domain (US Navy, NASA).")
    return [(name, (Path(__file__).parents[1] / "samples" / SAMPLES[name]).read_bytes())]


def show(number: int, name: str, data: bytes, analyzer: Analyzer, look: Look) -> int:
    """Show one picture with its faces, or why it cannot be read, and return the number of its faces."""
    st.text(name)  # a stranger's text: neither Markdown nor HTML
    try:
        shown = ui.preview(data, analyzer)
    except ImageError as error:
        st.error(ui.escape(str(error)), icon=":material/broken_image:")
        return 0
    cards.show_preview(shown, look)
    faces = len(kept(shown.analysis, look).readings)
    left_out = len(shown.analysis.readings) - faces
    if left_out:
        text = "less certain or smaller than the sidebar asks for"
        st.caption(f"{cards.count_of(left_out, 'face').capitalize()} left out: {text}.")
    elif not faces:
        st.info(NO_FACE, icon=":material/search_off:")
        return 0
    st.download_button(
        "Download with frames",
        partial(annotated_original, data, shown.analysis, look),
        f"{Path(name).stem}-faces.jpg",
        "image/jpeg",
        key=f"download-{number}",
        on_click="ignore",
        icon=":material/download:",
    )
    return faces


st.set_page_config("Photos", "🙂")
settings = ui.sidebar()

st.title("Photos")
ways = {"Upload": from_files, "Camera": from_camera, "Samples": from_samples}
way = st.segmented_control("Where from", ways, default="Upload", required=True, label_visibility="collapsed")
pictures = ways[str(way)]()
if not pictures:
    st.caption("Pictures are analysed in the memory of the server and kept nowhere.")
    st.stop()

analyzer = ui.analyzer(settings.detector, settings.estimator)
status = st.empty()
faces = 0
for number, (name, data) in enumerate(pictures):
    position = f"{number + 1} of {len(pictures)}"
    status.progress(number / len(pictures), f"Analysing picture {position}: {ui.escape(name)}")
    with st.container(border=len(pictures) > 1):
        faces += show(number, name, data, analyzer, settings.look)
status.markdown(f"**{cards.count_of(faces, 'face')}** in {cards.count_of(len(pictures), 'picture')}")
st.caption(
    "In bold the most probable of eight ranges; below it the expected age, "
    "and the years between which it lies in 8 of 10 cases."
)
