"""The annotated video on its page: made under a progress bar, then shown with the people in it."""

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
from agegender.drawing.view_options import ViewOptions
from agegender.errors import AgeGenderError
from agegender.export.people import people_csv, people_json
from agegender.text import duration
from agegender.tracking.people import Person
from agegender.ui import people_table
from agegender.ui.previews import before_you
from agegender.ui.results import NO_FACE_HINT
from agegender.video.annotate import Options, Progress
from agegender.video.apart import annotate_apart

TALLEST_PX = 560
PREVIEW_PX = 720  # twice the displayed width, for high-resolution screens
VIDEO_MB = 240
"""Memory for one video at 4096×2304, most of it for the frames that codecs hold."""
EVERY_S = 0.4  # interval between progress updates
TRIAL_S = 1.0  # length of the trial that predicts the total time

Settings = tuple[str, str, Options]
"""What a result depends on: detector and estimator by name, and the options."""


UNSURE = "{} seen only briefly, perhaps by mistake, and not counted. See the JSON file."


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A processed video.

    `mp4` is the file, `shape` its width over its height, `seconds` its length; `people` are those in it,
    `notes` what to tell the visitor, and `settings` what it was made with.
    """

    mp4: bytes
    shape: float
    seconds: float
    people: tuple[Person, ...]
    notes: tuple[str, ...]
    settings: Settings


def choose_options(look: ViewOptions) -> Options:
    """Draw the video's settings and return how to analyse and annotate it."""
    with st.sidebar:
        per_second = st.slider(
            "Frames analysed per second (maximum)",
            1,
            30,
            10,
            help="Fewer are faster; boxes move on between them. To hide faces, every frame is analysed.",
        )
    return Options(float(per_second), look)


class _BusyError(Exception):
    """Another visitor's video is being processed."""


def settings_of(analyzer: Analyzer, options: Options) -> Settings:
    """What a result with this analyzer and these options depends on."""
    return analyzer.detector.name, analyzer.estimator.name, options


def estimated_s(file: BytesIO, analyzer: Analyzer, options: Options) -> float | None:
    """Estimate the processing time in seconds from the first frames; None if that is not possible."""

    def give_up(before: int) -> None:
        if before:
            raise _BusyError

    try:
        with VIDEOS.turn(VIDEO_MB, give_up), TemporaryDirectory(prefix="agegender-") as folder:
            with closing(annotate_apart(file, Path(folder) / "trial.mp4", analyzer, options)) as steps:
                step = next(step for step in steps if step.elapsed_s >= TRIAL_S or step.part == 1)
            return step.elapsed_s / step.part if step.part else None
    except (AgeGenderError, _BusyError):
        return None  # any problem is reported when the video is processed


def show_hint(identity: str, data: bytes, analyzer: Analyzer, options: Options) -> None:
    """Show about how long the video will take, measured once per video and settings."""
    key = identity, settings_of(analyzer, options)
    if st.session_state.get("video_estimate", ("",))[0] != key:
        st.session_state.video_estimate = key, estimated_s(BytesIO(data), analyzer, options)
    if seconds := st.session_state.video_estimate[1]:
        st.caption(f"Takes about {duration(seconds)}.", width="content")


def annotate(file: BytesIO, analyzer: Analyzer, options: Options) -> Result | str:
    """Annotate the video, showing progress or how many are ahead; return the result, or why there is none."""
    bar, picture = st.progress(0.0, "Starting …"), st.empty()
    try:
        with VIDEOS.turn(VIDEO_MB, lambda before: bar.progress(0.0, before_you(before) or "Starting …")):
            return _annotate(file, analyzer, options, lambda step: _show_progress(step, bar, picture))
    except AgeGenderError as error:
        return str(error)


def _annotate(
    file: BytesIO, analyzer: Analyzer, options: Options, show: Callable[[Progress], None]
) -> Result:
    """Annotate the video. Nothing stays on disk, even if a click interrupts this half-way."""
    with TemporaryDirectory(prefix="agegender-") as folder:
        target, shown_s = Path(folder) / "video.mp4", 0.0
        with closing(annotate_apart(file, target, analyzer, options)) as steps:
            for step in steps:
                if time.monotonic() - shown_s >= EVERY_S:
                    show(step)
                    shown_s = time.monotonic()
        shape, used = step.picture.shape[1] / step.picture.shape[0], settings_of(analyzer, options)
        return Result(target.read_bytes(), shape, step.seconds, step.people or (), step.notes, used)


def show_or_withdraw(result: Result, name: str, options: Options) -> None:
    """Show the result, unless its faces are visible but are to be hidden by now; then explain."""
    if options.view.blur and not result.settings[2].view.blur:
        text = "This video was made with its faces shown. Process it again to hide them."
        st.info(text, icon=":material/blur_on:")
    else:
        show_result(result, name)


def show_result(result: Result, name: str) -> None:
    """Show the annotated video, when each person is in view, their estimates, and the downloads."""
    width_px = max(160, min(960, round(TALLEST_PX * result.shape)))
    st.html(f"<style>.st-key-player {{aspect-ratio: {result.shape:.4f}; max-width: {width_px}px}}</style>")
    with st.container(key="player"):  # reserves the space until the video arrives
        st.video(result.mp4, width=width_px)
    for note in result.notes:
        st.info(note, icon=":material/volume_off:")
    people, stem = tuple(person for person in result.people if person.counted), Path(name).stem
    files = {"Video (MP4)": (result.mp4, "-faces.mp4", "video/mp4")}
    if people:
        files["Table (CSV)"] = (people_csv(people).encode(), "-people.csv", "text/csv")
        files["Data (JSON)"] = (people_json(name, result.people).encode(), "-people.json", "application/json")
    found = "1 person" if len(people) == 1 else f"{len(people)} people"
    with st.container(horizontal=True, vertical_alignment="center", key="downloads"):
        if people:
            st.markdown(f"**{found}** in {duration(result.seconds)}", width="content")
        for label, (content, ending, kind) in files.items():
            icon = ":material/download:"
            st.download_button(label, content, stem + ending, kind, on_click="ignore", icon=icon)
    if people:
        st.html(people_table.timeline(people, result.seconds))
        st.caption("Click a person or a bar to go to that moment.")
        if unsure := len(result.people) - len(people):
            st.caption(UNSURE.format("One more was" if unsure == 1 else f"{unsure} more were"))
    else:
        st.info(NO_FACE_HINT, icon=":material/search_off:")


def _show_progress(step: Progress, bar: DeltaGenerator, picture: DeltaGenerator) -> None:
    """Show progress, the remaining time, and the newest frame."""
    finer = max(1, max(step.picture.shape) // PREVIEW_PX)
    left = "" if step.left_s is None else f" · about {duration(step.left_s)} left"
    bar.progress(step.part, f"{100 * step.part:.0f} %{left}")
    picture.image(step.picture[::finer, ::finer], width=PREVIEW_PX // 2, alt="The newest frame")
