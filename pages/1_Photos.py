"""Photos: pictures from files, the camera or the samples, each with its faces framed and a card a face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from agegender.drawing.view_options import ViewOptions
from agegender.errors import ImageError
from agegender.imaging.formats import PICTURES, endings
from agegender.text import escape, plural
from agegender.ui import downloads, loader, range_charts
from agegender.ui.downloads import Picture
from agegender.ui.face_cards import show_preview
from agegender.ui.previews import Preview, annotated_original, preview
from agegender.ui.sidebar import sidebar
from agegender.ui.uploads import MAX_MB, MAX_PICTURES, Upload, uploads

SAMPLES = {"Grace Hopper": "grace_hopper.jpg", "Eileen Collins": "astronaut.png"}
TYPES = [ending[1:] for ending in endings(PICTURES)]
NO_FACE = (
    "No face was found. It helps when a face looks towards the camera, is upright, well lit, not covered and "
    "not very small. Another way of finding faces can be chosen in the sidebar."
)

FEW = 3
"""So many pictures are unfolded from the start."""

# The name of a picture, as its owner gave it, and its file.
Named = tuple[str, bytes]


def from_files() -> list[Named]:
    """Return the uploaded pictures, no more than are analysed at once."""
    label = f"Pictures, up to {MAX_MB} MB each"
    return first(uploads(label, TYPES, key="photos-files", max_mb=MAX_MB, many=True))


def from_folder() -> list[Named]:
    """Return the pictures of a folder, no more than are analysed at once."""
    label = f"A folder with pictures, up to {MAX_MB} MB each"
    return first(uploads(label, TYPES, key="photos-folder", max_mb=MAX_MB, many="directory"))


def first(files: Sequence[Upload]) -> list[Named]:
    """Return as many of the files as are analysed at once, and say so where there are more."""
    if len(files) > MAX_PICTURES:
        st.warning(f"Only the first {MAX_PICTURES} pictures are analysed. Remove some to see others.")
    return [(file.name, file.data) for file in files[:MAX_PICTURES]]


def from_camera() -> list[Named]:
    """Return the snapshot, if one was taken; the browser asks for the camera here and not before."""
    snapshot = st.camera_input("Look at the camera and take a picture")
    return [("snapshot.jpg", snapshot.getvalue())] if snapshot else []


def from_samples() -> list[Named]:
    """Return the chosen sample picture."""
    name = str(st.radio("Sample picture", SAMPLES, horizontal=True))
    st.caption("Both portraits are in the public domain (US Navy, NASA).")
    return [(name, (Path(__file__).parents[1] / "samples" / SAMPLES[name]).read_bytes())]


def show(picture: Picture, shown: Preview, number: int, expanded: bool) -> int:
    """Show one picture with its faces in a section to fold, and return the number of its faces."""
    faces = len(look.shown(shown.analysis).readings)
    count = plural(faces, "face")
    with st.expander(f"{escape(picture.name)} · {count}", expanded, key=f"picture-{number}"):
        show_preview(shown, look, key=f"faces-{number}")
        left_out = len(shown.analysis.readings) - faces
        if left_out:
            text = "less certain or smaller than the sidebar asks for"
            st.caption(f"{plural(left_out, 'face').capitalize()} left out: {text}.")
        elif not faces:
            st.info(NO_FACE, icon=":material/search_off:")
        if faces or look.blur:
            download(
                "Download with frames",
                partial(annotated_original, picture.data, shown.analysis, look),
                next(downloads.saved_names([picture.name])),
                "image/jpeg",
                key=f"download-{number}",
            )
    return faces


def show_summary(pictures: list[Picture]) -> None:
    """Show how many faces look how old, and what can be downloaded of all pictures."""
    readings = [reading for picture in pictures for reading in look.shown(picture.analysis).readings]
    ages = range_charts.count_ages(readings)
    if len(readings) > 1:
        most = max(map(max, ages.values()))
        for place, (gender, numbers) in zip(st.columns(2), ages.items(), strict=False):
            place.markdown(f"{gender} · {sum(numbers)}")
            chart = range_charts.ages_chart(gender, numbers, most)
            place.vega_lite_chart(chart, width="stretch", alt=range_charts.ages_description(gender, numbers))
    with st.container(horizontal=True):
        if len(pictures) > 1:
            zipped = partial(downloads.zipped, pictures, look)
            download("All with frames (ZIP)", zipped, "faces.zip", "application/zip")
        download("Table (CSV)", partial(downloads.as_csv, pictures, look), "faces.csv", "text/csv")
        download(
            "Data (JSON)", partial(downloads.as_json, pictures, look), "faces.jsonl", "application/jsonl"
        )


def download(label: str, make: Callable[[], bytes], name: str, mime: str, key: str | None = None) -> None:
    """Draw a button that makes a file when it is pressed."""
    st.download_button(label, make, name, mime, key, on_click="ignore", icon=":material/download:")


def show_progress(number: int, name: str, waiting: str = "") -> None:
    """Show which picture is analysed, or what it waits for."""
    doing = f"{waiting}. Then comes" if waiting else "Analysing"
    text = f"{doing} picture {number + 1} of {len(chosen)}: {escape(name)}"
    status.progress(number / len(chosen), text)


st.set_page_config("Photos", "🙂")
settings = sidebar()
look: ViewOptions = settings.look

st.title("Photos")
ways = {"Upload": from_files, "Folder": from_folder, "Camera": from_camera, "Samples": from_samples}
way = st.segmented_control("Where from", ways, default="Upload", required=True, label_visibility="collapsed")
chosen = ways[str(way)]()
if not chosen:
    st.caption("Pictures are analysed in the memory of the server and kept nowhere.")
    st.stop()

analyzer = loader.analyzer(settings.detector, settings.estimator)
status, summary = st.empty(), st.container()
pictures: list[Picture] = []
faces = 0
for number, (name, data) in enumerate(chosen):
    show_progress(number, name)
    try:
        shown = preview(data, analyzer, partial(show_progress, number, name))
    except ImageError as error:
        with st.expander(f"{escape(name)} · cannot be read", True, key=f"picture-{number}"):
            st.error(escape(str(error)), icon=":material/broken_image:")
        continue
    pictures.append(Picture(name, data, shown.analysis))
    faces += show(pictures[-1], shown, number, expanded=len(chosen) <= FEW)
status.markdown(f"**{plural(faces, 'face')}** in {plural(len(chosen), 'picture')}")
if pictures:
    with summary:
        show_summary(pictures)
st.caption(
    "In bold the middle one of the likely ranges of age; below it the expected age, and an interval. "
    "Measured on people it never saw, it holds the true age in 8 of 10 cases, but 4 of 10 from 70 years on."
)
