"""An annotated video on a page: made under a progress bar, then shown with the people in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from agegender.analyzer import Analyzer
from agegender.budget import VIDEOS
from agegender.errors import AgeGenderError
from agegender.export.people import people_csv, people_json
from agegender.text import clock, duration
from agegender.tracking.people import Person
from agegender.ui import timeline
from agegender.ui.previews import before_you
from agegender.video.annotate import Options, Progress
from agegender.video.apart import annotate_apart

TALLEST_PX = 560
PREVIEW_PX = 720  # twice the width at which it is shown, for sharp screens
VIDEO_MB = 240
"""What one in 4096×2304 takes, most of it for the frames that codecs hold."""
EVERY_S = 0.4  # how often progress is shown
NO_FACE = (
    "No face was found. It helps when faces look towards the camera, are upright, well lit, not covered and "
    "not very small. Another way of finding faces can be chosen in the sidebar."
)


UNSURE = "{} seen for a moment only, may be no face, and does not count. The JSON file has it."


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What came of a video: the MP4 file, its width over its height, its seconds, and who is in it."""

    mp4: bytes
    shape: float
    seconds: float
    people: tuple[Person, ...]
    notes: tuple[str, ...]


def annotate(file: BytesIO, analyzer: Analyzer, options: Options) -> Result | str:
    """Return what came of the video, or why nothing did; show how far it is meanwhile, or who is before."""
    bar, picture = st.progress(0.0, "Starting …"), st.empty()
    try:
        with VIDEOS.turn(VIDEO_MB, lambda before: bar.progress(0.0, before_you(before) or "Starting …")):
            return _annotate(file, analyzer, options, lambda step: _show_progress(step, bar, picture))
    except AgeGenderError as error:
        return str(error)


def _annotate(
    file: BytesIO, analyzer: Analyzer, options: Options, show: Callable[[Progress], None]
) -> Result:
    """Return what came of the video. Nothing stays on the disk, even where a click ends this half-way."""
    with TemporaryDirectory(prefix="agegender-") as folder:
        target, shown_s = Path(folder) / "video.mp4", 0.0
        with closing(annotate_apart(file, target, analyzer, options)) as steps:
            for step in steps:
                if time.monotonic() - shown_s >= EVERY_S:
                    show(step)
                    shown_s = time.monotonic()
        shape = step.picture.shape[1] / step.picture.shape[0]
        return Result(target.read_bytes(), shape, step.seconds, step.people or (), step.notes)


def show_result(result: Result, name: str) -> None:
    """Show the annotated video, who is in view when, what is known of each person, and the downloads."""
    st.video(result.mp4, width=max(160, min(960, round(TALLEST_PX * result.shape))))
    for note in result.notes:
        st.info(note, icon=":material/volume_off:")
    people, stem = tuple(person for person in result.people if person.counted), Path(name).stem
    files = {"Video (MP4)": (result.mp4, "-faces.mp4", "video/mp4")}
    if people:
        found = "1 person" if len(people) == 1 else f"{len(people)} people"
        st.markdown(f"**{found}** in {duration(result.seconds)}")
        st.altair_chart(timeline.chart(people, result.seconds), alt=timeline.description(people))
        st.html(timeline.table(people))
        if unsure := len(result.people) - len(people):
            st.caption(UNSURE.format("One more was" if unsure == 1 else f"{unsure} more were"))
        files["Table (CSV)"] = (people_csv(people).encode(), "-people.csv", "text/csv")
        files["Data (JSON)"] = (people_json(name, result.people).encode(), "-people.json", "application/json")
    else:
        st.info(NO_FACE, icon=":material/search_off:")
    with st.container(horizontal=True):
        for label, (content, ending, kind) in files.items():
            icon = ":material/download:"
            st.download_button(label, content, stem + ending, kind, on_click="ignore", icon=icon)


def _show_progress(step: Progress, bar: DeltaGenerator, picture: DeltaGenerator) -> None:
    """Show how far it is, how long it will take, and the newest frame."""
    finer = max(1, max(step.picture.shape) // PREVIEW_PX)
    left = "" if step.left_s is None else f", about {duration(step.left_s)} left"
    bar.progress(step.part, f"{clock(step.seconds)} done, {100 * step.part:.0f} %{left}")
    picture.image(step.picture[::finer, ::finer], width=PREVIEW_PX // 2, alt="The newest frame")
