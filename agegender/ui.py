"""What the pages share: the one cached analyzer, the sidebar with its settings, previews of pictures."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import streamlit as st

from agegender import choices, runtime, turns
from agegender.analyzer import DETECTORS, ESTIMATORS, Analyzer, analyze_file, build_analyzer
from agegender.drawing.view_options import ViewOptions
from agegender.errors import ImageError, ModelError
from agegender.imaging.io import pixels_of
from agegender.models import store
from agegender.models.manifest import ModelSpec, load_manifest
from agegender.previews import Preview, make_preview
from agegender.text import escape

ROOT = Path(__file__).parents[1]

RETRY_AFTER_S = 600.0
"""How long `auto` stays content with its second choice."""

AUTO = "Best available"

MAX_PICTURES = 20
"""How many pictures are analysed, and kept for a session, at once."""

MAX_MB = 50
"""How large a picture's file may be that somebody uploads, in MB of 2**20 bytes, as Streamlit counts."""

TOO_LARGE = f"The file is larger than {MAX_MB} MB. Make the picture smaller and try again."

PAGES = (
    ("app.py", "Home", ":material/home:"),
    ("pages/1_Photos.py", "Photos", ":material/photo_library:"),
    ("pages/2_Live.py", "Live", ":material/videocam:"),
    ("pages/3_Video.py", "Video", ":material/movie:"),
    ("pages/4_About.py", "About", ":material/info:"),
)
"""The pages, as the sidebar lists them: file, name, icon."""

runtime.keep_no_large_blocks()

# Less empty space around a page. And with the keyboard, the tools of every chart and crop would be on the
# way from one picture to the next, and so would each card, as its few overlapping pixels can be scrolled.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding-block: 4rem 3rem}
[data-testid="stElementContainer"]:has([data-testid="stVegaLiteChart"], img[alt$="cut out"])
[data-testid="stElementToolbar"] {display: none}
[data-testid="stHorizontalBlock"]:has(img[alt$="cut out"]) {overflow: visible}
</style>"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a visitor chose in the sidebar: names that `build_analyzer` knows, and what is shown of faces."""

    detector: str = "auto"
    estimator: str = "apparent"
    look: ViewOptions = field(default_factory=ViewOptions)


class Upload(NamedTuple):
    """A file that somebody uploaded: what tells it from others, its name as they gave it, and its bytes."""

    file_id: str
    name: str
    data: bytes


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

    Models that are not here are fetched under a progress bar. In place of one that cannot be had comes what
    needs no network, and the page says why; a later run tries again. Stops the page where nothing works.
    """
    names = _or_instead(detector, "auto"), _or_instead(estimator, "apparent")
    try:
        found = _built(*names).analyzer
    except ModelError as error:
        st.error(escape(str(error)), icon=":material/error:")
        st.stop()
    for note in found.notes:
        st.info(escape(note), icon=":material/info:")
    return found


def _or_instead(name: str, instead: str) -> str:
    try:
        fetch_model(name)
    except ModelError as error:
        if name != instead:
            place = AUTO if instead == "auto" else load_manifest()[instead].title
            text = f"{escape(str(error))} Until then “{escape(place)}” takes its place."
            st.warning(text, icon=":material/warning:")
        return instead  # whose own error, if it has one, comes out when it is built
    return name


def fetch_model(name: str) -> None:
    """Fetch a model under a progress bar; what `auto` cannot have is no error, and told by its analyzer."""
    spec = load_manifest()["yunet" if name == "auto" else name]
    if store.status(spec) != "missing":
        return
    place = st.empty()

    def show(file_name: str, bytes_done: int, bytes_total: int) -> None:
        text = f"Fetching {escape(file_name)}: {bytes_done / 1e6:.1f} of {bytes_total / 1e6:.1f} MB"
        place.progress(min(1.0, bytes_done / bytes_total), text)

    try:
        store.fetch(spec, show)
    except ModelError:
        if name != "auto":
            raise
    finally:
        place.empty()


def sidebar() -> Settings:
    """Draw the settings, the same on every page and kept from page to page, and return them."""
    runtime.settle()
    st.html(STYLE)
    specs = load_manifest()
    with st.sidebar:
        for path, label, icon in PAGES:
            st.page_link(path, label=label, icon=icon, width="stretch")
        st.space("small")
        detector = _choose("Finding faces", "detector", DETECTORS, specs)
        estimator = _choose("Estimating age and gender", "estimator", ESTIMATORS, specs)
        return Settings(detector, estimator, choices.look())


def _choose(label: str, key: str, names: tuple[str, ...], specs: dict[str, ModelSpec]) -> str:
    name = st.selectbox(
        label,
        names,
        format_func=lambda name: AUTO if name == "auto" else specs[name].title,
        **choices.remembered(key, names[0]),
    )
    st.caption(
        "YuNet, or the bundled detector where YuNet cannot be had" if name == "auto" else facts(specs[name])
    )
    return str(name)


def facts(spec: ModelSpec) -> str:
    """Return a model's size, where it is and its licence, as Markdown."""
    where = {"bundled": "bundled", "cached": "fetched", "missing": "is fetched when first used"}
    return f"{spec.bytes / 1e6:.1f} MB · {where[store.status(spec)]} · licence: {escape(spec.licence)}"


def uploads(
    label: str, kinds: Sequence[str], *, key: str, max_mb: int, many: bool | Literal["directory"] = False
) -> list[Upload]:
    """Draw a field for files, or for a folder of them, and return what was put into it.

    The bytes are those that the server holds anyway. What Streamlit's field itself returns is another copy
    of each of them, made every time the page runs.
    """
    st.file_uploader(label, kinds, accept_multiple_files=many, max_upload_size=max_mb, key=key)
    held = st.session_state[key]
    files = held if isinstance(held, list) else [held] if held else []
    return [Upload(file.file_id, file.name, file.getvalue()) for file in files]


def preview(data: bytes, analyzer: Analyzer, tell: Callable[[str], object] | None = None) -> Preview:
    """Return the picture in `data`, analysed; the same one is not analysed twice in a session.

    Only so many are analysed at once. Whoever waits reads how many are before them: `tell` is called with
    that, and with "" when the wait is over. Raises `ImageError` when the picture cannot be read.
    """
    if len(data) > MAX_MB * 2**20:  # the uploader asks for it, but in the browser alone
        raise ImageError(TOO_LARGE)
    # Of a session alone, gone when it ends, and bounded: nobody's picture stays or gets to others.
    shelf: dict[object, Preview] = st.session_state.setdefault("previews", {})
    key = hashlib.sha256(data).digest(), analyzer.detector.name, analyzer.estimator.name
    found = shelf.pop(key, None)
    if found is None:
        tell = tell or st.empty().caption
        with turns.PICTURES.turn(pixels_of(data), lambda before: tell(before_you(before))):
            found = make_preview(*analyze_file(data, analyzer))
    shelf[key] = found  # as the newest
    for old in list(shelf)[:-MAX_PICTURES]:
        del shelf[old]
    return found


def before_you(before: int) -> str:
    """Return '2 people are before you', or nothing where nobody is."""
    if not before:
        return ""
    return f"{before} people are before you" if before > 1 else "1 person is before you"
