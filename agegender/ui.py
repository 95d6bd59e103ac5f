"""What the pages share: the one cached analyzer, the sidebar with its settings, cards of faces."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import altair as alt
import pandas as pd
import streamlit as st

from agegender import images, models
from agegender.analyzer import DETECTORS, ESTIMATORS, Analyzer, build_analyzer
from agegender.drawing import label_parts
from agegender.errors import ModelError
from agegender.models import ModelSpec
from agegender.previews import Preview, annotated_preview, make_preview
from agegender.types import RANGES, Age, Reading

ROOT = Path(__file__).parents[1]

RETRY_AFTER_S = 600.0
"""How long `auto` stays content with its second choice."""

BUNDLED = ("auto", "apparent")
"""The detector and the estimator that work without a network."""

AUTO = "Best available"

MAX_PICTURES = 20
"""How many pictures are analysed, and kept for a session, at once."""

WIDE = 1.15
"""How much wider than high a picture is that takes the whole width of the page."""

TALLEST_PX = 640
CARD_PX = 344

PAGES = (
    ("app.py", "Home", ":material/home:"),
    ("pages/1_Photos.py", "Photos", ":material/photo_library:"),
    ("pages/2_Live.py", "Live", ":material/videocam:"),
)
"""The pages, as the sidebar lists them; those whose file is not there are left out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a visitor chose in the sidebar, in names that `build_analyzer` knows."""

    detector: str = "auto"
    estimator: str = "apparent"


@dataclass(frozen=True, slots=True)
class _Built:
    analyzer: Analyzer
    at_s: float

    def still_good(self) -> bool:
        """Return whether it is what was asked for, or too young to ask for that again."""
        return not self.analyzer.notes or time.monotonic() - self.at_s < RETRY_AFTER_S


@st.cache_resource(show_spinner="Loading the models …", max_entries=8, validate=_Built.still_good)
def _built(detector: str, estimator: str) -> _Built:
    return _Built(build_analyzer(detector, estimator), time.monotonic())


def analyzer(detector: str = "auto", estimator: str = "apparent") -> Analyzer:
    """Return the analyzer of models by name, which all visitors and pages share.

    Models that are not here are fetched under a progress bar. Where that fails, the page says why and goes
    on with the models that need no network; the next run tries again. Stops the page where nothing works.
    """
    try:
        for name in (detector, estimator):
            _fetch(name)
        found = _built(detector, estimator).analyzer
    except ModelError as error:
        if (detector, estimator) == BUNDLED:
            st.error(escape(str(error)), icon=":material/error:")
            st.stop()
        st.warning(f"{escape(str(error))} Until then the bundled models are used.", icon=":material/warning:")
        return analyzer(*BUNDLED)
    for note in found.notes:
        st.info(escape(note), icon=":material/info:")
    return found


def _fetch(name: str) -> None:
    """Fetch a model under a progress bar; what `auto` cannot have is no error, and told by its analyzer."""
    spec = models.load_manifest()["yunet" if name == "auto" else name]
    if models.status(spec) != "missing":
        return
    place = st.empty()

    def show(file_name: str, bytes_done: int, bytes_total: int) -> None:
        text = f"Fetching {escape(file_name)}: {bytes_done / 1e6:.1f} of {bytes_total / 1e6:.1f} MB"
        place.progress(min(1.0, bytes_done / bytes_total), text)

    try:
        models.fetch(spec, show)
    except ModelError:
        if name != "auto":
            raise
    finally:
        place.empty()


def sidebar() -> Settings:
    """Draw the settings, the same on every page and kept from page to page, and return them."""
    specs = models.load_manifest()
    with st.sidebar:
        for path, label, icon in PAGES:
            if (ROOT / path).exists():
                st.page_link(path, label=label, icon=icon, width="stretch")
        st.space("small")
        detector = _choose("Finding faces", "detector", DETECTORS, specs)
        estimator = _choose("Estimating age and gender", "estimator", ESTIMATORS, specs)
    return Settings(detector, estimator)


def _choose(label: str, key: str, names: tuple[str, ...], specs: dict[str, ModelSpec]) -> str:
    name = st.selectbox(
        label,
        names,
        format_func=lambda name: AUTO if name == "auto" else specs[name].title,
        key=key,
        persist_state="session",
    )
    st.caption("YuNet, or a Haar cascade where YuNet cannot be had" if name == "auto" else facts(specs[name]))
    return str(name)


def facts(spec: ModelSpec) -> str:
    """Return a model's size, where it is and its licence, as Markdown."""
    where = {"bundled": "bundled", "cached": "fetched", "missing": "is fetched when first used"}
    size = f"{spec.bytes / 1e6:.1f} MB" if spec.bytes else "part of OpenCV"
    return f"{size} · {where[models.status(spec)]} · licence: {escape(spec.licence)}"


def escape(text: str) -> str:
    """Return text so that Streamlit's Markdown shows it as it is, on one line."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def _names(analyzer: Analyzer) -> tuple[str, str]:
    return analyzer.detector.name, analyzer.estimator.name


# Of a session alone, gone when it ends, and bounded: nobody's picture stays or gets to others.
@st.cache_data(scope="session", max_entries=MAX_PICTURES, show_spinner=False, hash_funcs={Analyzer: _names})
def preview(data: bytes, analyzer: Analyzer) -> Preview:
    """Return the picture in `data`, analysed; the same one is not analysed twice in a session.

    Raises `ImageError` when it cannot be read.
    """
    image = images.decode(data)
    return make_preview(image, analyzer(image))


def show_preview(shown: Preview) -> None:
    """Show a picture with its faces framed and a card for each, numbered as in the picture.

    A wide picture has its cards below it, side by side where there is room; another one beside it.
    """
    analysis = shown.analysis
    is_wide = analysis.width_px > WIDE * analysis.height_px
    picture, cards = (st.container(), st.container(horizontal=True)) if is_wide else st.columns(2)
    count = count_of(len(analysis.readings), "face")
    width_px = round(TALLEST_PX * analysis.width_px / analysis.height_px)
    picture.image(annotated_preview(shown), width=max(80, width_px), alt=f"The picture, {count} framed")
    with cards:
        for number, (reading, crop) in enumerate(zip(analysis.readings, shown.crops, strict=True), 1):
            show_card(reading, crop, f"Face {number}" if len(shown.crops) > 1 else "")


def show_card(reading: Reading, crop: bytes, name: str = "") -> None:
    """Show what was read of a face: its crop (a JPEG file), age, gender and the chart of the ranges."""
    age = reading.age
    with st.container(border=True, width=CARD_PX):
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            st.image(crop, width=88, alt=f"{name or 'The face'}, cut out")
            with st.container(gap=None):
                if name:
                    st.caption(name)
                st.markdown(f"**{label_parts(reading, ('gender', 'probability'), '')[0]}**")
                st.markdown(f"**{age.range} years**")
                st.caption(f"around {age.years:.0f}, from {age.low:.0f} to {age.high:.0f}")
        if reading.warnings:
            st.caption(f":material/warning: Less certain: {escape(', '.join(reading.warnings))}")
        show_ranges(age)


def show_ranges(age: Age) -> None:
    """Show how probable each of the eight ranges is, the most probable one standing out."""
    table = pd.DataFrame({"range": RANGES, "probability": age.probabilities})
    table["percent"] = [f"{100 * p:.0f} %" for p in age.probabilities]
    base = alt.Chart(table, height=88).encode(
        x=alt.X(
            "range", sort=None, title=None, axis=alt.Axis(labelAngle=0, labelOverlap=False, labelFontSize=10)
        ),
        y=alt.Y("probability", axis=None, scale=alt.Scale(domain=[0, 1.15 * max(age.probabilities)])),
        tooltip=[alt.Tooltip("range", title="years"), alt.Tooltip("percent", title="probability")],
    )
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        opacity=alt.condition(alt.datum.range == age.range, alt.value(1), alt.value(0.4))
    )
    text = base.mark_text(dy=-6, fontSize=10, color="#7A8394").encode(text="percent")
    listed = ", ".join(f"{name}: {share}" for name, share in zip(RANGES, table["percent"], strict=True))
    st.altair_chart(
        (bars + text).properties(padding={"left": 0, "right": 0, "top": 4, "bottom": 0}),
        width="stretch",
        alt=f"How probable each range of years is. {listed}",
    )


def count_of(number: int, noun: str) -> str:
    """Return 'no faces', '1 face' or '2 faces'."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
