"""The analysed photos of a session: an overview, the open photo with its faces, charts and downloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from agegender.analyzer import Analyzer
from agegender.drawing.view_options import ViewOptions
from agegender.errors import ImageError
from agegender.text import escape, plural
from agegender.types import Reading
from agegender.ui import downloads, face_cards, uploads
from agegender.ui.downloads import Picture
from agegender.ui.face_cards import show_preview
from agegender.ui.previews import Preview, annotated_original, annotated_thumb, preview
from agegender.ui.uploads import Upload

NO_FACE_HINT = (
    "**No faces found.** It helps if faces look towards the camera, upright, in good light, uncovered and "
    "not too small. You can also try another face detector in the sidebar."
)

Outcome = Preview | ImageError
"""A photo's preview, or why it could not be read."""


def analysed(photos: Sequence[Upload], analyzer: Analyzer) -> list[Outcome]:
    """Analyse each photo, showing progress at the top of the page."""
    found: list[Outcome] = []
    with st.container(key="status"):
        status = st.empty()
    for number, photo in enumerate(photos):

        def tell(waiting: str = "", number: int = number, name: str = photo.name) -> None:
            doing = f"{waiting}. Next" if waiting else "Analysing"
            text = f"{doing}: photo {number + 1} of {len(photos)}, {escape(name)}"
            status.progress(number / len(photos), text)

        try:
            found.append(preview(photo.data, analyzer, tell))
        except ImageError as error:
            found.append(error)
    status.empty()
    return found


def overview(photos: Sequence[Upload], found: Sequence[Outcome], look: ViewOptions) -> None:
    """Show a thumbnail of each photo with boxed faces; clicking one opens it."""
    opened = uploads.opened()
    with st.container(horizontal=True, key="overview"):
        for number, (photo, outcome) in enumerate(zip(photos, found, strict=True)):
            picture = annotated_thumb(outcome, look) if isinstance(outcome, Preview) else None
            title = f"{escape(photo.name)} · {_counted(outcome, look)}"
            open_it = partial(uploads.open_photo, photo.file_id)
            uploads.tile(f"photo-{number}", picture, title, open_it, photo == opened)


def _counted(outcome: Outcome, look: ViewOptions) -> str:
    if not isinstance(outcome, Preview):
        return "could not be read"
    return plural(len(look.shown(outcome.analysis).readings), "face")


def show_outcome(outcome: Outcome, name: str, look: ViewOptions, order: Sequence[int] | None = None) -> None:
    """Show the open photo with its faces, or why it could not be read."""
    if not isinstance(outcome, Preview):
        st.error(
            f"**{escape(name)}** could not be read. {escape(str(outcome))}", icon=":material/broken_image:"
        )
        return
    show_preview(outcome, look, order=order)
    for note in outcome.analysis.notes:
        st.caption(f":material/info: {escape(note)}")
    shown = len(look.shown(outcome.analysis).readings)
    hidden = len(outcome.analysis.readings) - shown
    if hidden:
        st.caption(f"{plural(hidden, 'face').capitalize()} hidden by your filters.")
    elif not shown:
        st.info(NO_FACE_HINT, icon=":material/search_off:")


def headline(found: Sequence[Outcome], look: ViewOptions) -> str:
    """Number of faces, and of photos that could not be read, as Markdown."""
    read = [outcome for outcome in found if isinstance(outcome, Preview)]
    failed = len(found) - len(read)
    faces = sum(len(look.shown(each.analysis).readings) for each in read)
    parts = [
        f"**{plural(faces, 'face')}** in {plural(len(read), 'photo')}" if faces else "**No faces found**"
    ]
    if failed:
        parts.append(f"{plural(failed, 'photo')} could not be read")
    return " · ".join(parts if read else parts[1:])


def download_bar(photos: Sequence[Upload], found: Sequence[Outcome], look: ViewOptions) -> None:
    """Show the number of faces, with the buttons to save and clear beside it."""
    pairs = zip(photos, found, strict=True)
    pictures = [Picture(p.name, p.data, o.analysis) for p, o in pairs if isinstance(o, Preview)]
    opened = uploads.opened()
    with st.container(horizontal=True, vertical_alignment="center", key="downloads"):
        st.markdown(headline(found, look), width="content")
        for picture, photo in zip(photos, found, strict=True):
            if picture == opened and isinstance(photo, Preview):
                _download(
                    "Download annotated photo",
                    partial(annotated_original, picture.data, photo.analysis, look),
                    next(downloads.saved_names([picture.name])),
                    "image/jpeg",
                )
        if len(pictures) > 1:
            zipped = partial(downloads.zipped, pictures, look)
            _download("All annotated photos (ZIP)", zipped, "faces.zip", "application/zip")
        if pictures:
            _download("Table (CSV)", partial(downloads.as_csv, pictures, look), "faces.csv", "text/csv")
            lines = partial(downloads.as_json, pictures, look)
            _download("Data (JSON Lines)", lines, "faces.jsonl", "application/jsonl")
        if len(photos) > 1 and opened:
            st.button(
                "Remove photo", on_click=uploads.remove, args=(opened.file_id,), icon=":material/close:"
            )
        st.button("Clear all", on_click=uploads.remove, icon=":material/delete:")


def _download(label: str, make: Callable[[], bytes], name: str, mime: str) -> None:
    st.download_button(label, make, name, mime, on_click="ignore", icon=":material/download:")


def show_chart(found: Sequence[Outcome], look: ViewOptions) -> None:
    """Show the distribution of ages if there are enough faces."""
    read = [outcome.analysis for outcome in found if isinstance(outcome, Preview)]
    readings = [reading for analysis in read for reading in look.shown(analysis).readings]
    if len(readings) >= face_cards.FEW:
        st.header("Ages")
        st.html(face_cards.ages_chart(face_cards.count_ages(readings)))


SORTS: dict[str, Callable[[Reading], float]] = {
    "Position": lambda reading: reading.face.box.left,
    "Youngest first": lambda reading: reading.age.years,
    "Oldest first": lambda reading: -reading.age.years,
    "Most certain first": lambda reading: -reading.gender.probability,
    "Least certain first": lambda reading: reading.gender.probability,
}

WARNINGS = {"All": None, "Without": False, "With": True}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which faces of a photo get a card, and in which order."""

    sort: str = "Position"
    genders: tuple[str, ...] = face_cards.GENDERS
    youngest: int = 0
    oldest: int = 100
    least_certain: float = 0.5
    warnings: bool | None = None

    def order(self, readings: Sequence[Reading]) -> list[int]:
        """Indices of the matching faces, sorted."""
        wanted = [i for i, reading in enumerate(readings) if self.wants(reading)]
        return sorted(wanted, key=lambda i: SORTS[self.sort](readings[i]))

    def wants(self, reading: Reading) -> bool:
        """Return whether a face matches."""
        return (
            reading.gender.label in self.genders
            and self.youngest <= round(reading.age.years) <= self.oldest
            and reading.gender.probability >= self.least_certain
            and self.warnings in (None, bool(reading.warnings))
        )


def choose_filter() -> Filter:
    """Draw the filter and sort controls and return the choice."""
    with st.popover("Sort and filter", icon=":material/tune:"):
        sort = st.selectbox("Sort by", SORTS, key="faces-sort")
        genders = st.pills("Gender", face_cards.GENDERS, selection_mode="multi", default=face_cards.GENDERS)
        youngest, oldest = st.slider("Age", 0, 100, (0, 100), key="faces-age")
        certain = st.slider("Minimum certainty of gender", 0.5, 0.95, step=0.05, format="percent")
        warnings = st.segmented_control("Warnings", WARNINGS, default="All", required=True)
    return Filter(sort, tuple(genders), youngest, oldest, certain, WARNINGS[str(warnings)])
