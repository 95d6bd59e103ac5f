"""Photo input: files, folders, clipboard, camera and samples, kept for the session."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Literal, NamedTuple

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from agegender.imaging.formats import PICTURES, endings
from agegender.imaging.geometry import at_most
from agegender.imaging.io import decode, encode_jpeg
from agegender.places import SAMPLES
from agegender.text import data_url

MAX_PICTURES = 20
"""Maximum number of photos kept and analysed per session."""


MAX_MB = 50
"""Maximum size of a photo's file, in MB of 2**20 bytes, as Streamlit counts."""

MAX_SESSION_MB = 200
"""Maximum total size of a session's files: the same as for one video."""


TOO_LARGE = f"The file is larger than {MAX_MB} MB. Make the photo smaller and try again."

TYPES = [ending[1:] for ending in endings(PICTURES)]

GALLERY = {
    "astronaut.png": "Eileen Collins, 1998",
    "patsy_mink.jpg": "Patsy Mink",
    "john_glenn.jpg": "John Glenn",
    "hattie_caraway.jpg": "Hattie Caraway",
    "daniel_inouye.jpg": "Daniel Inouye",
    "hiram_revels.jpg": "Hiram Revels",
    "solvay_1927.jpg": "Solvay conference, 1927",
}
"""The samples on offer, by file: who they show."""

CREDITS = "All samples are in the public domain (NASA, US Congress, Benjamin Couprie)."


class Upload(NamedTuple):
    """An uploaded file: its ID, its name as given by the visitor, and its bytes."""

    file_id: str
    name: str
    data: bytes


def held(key: str) -> list[Upload]:
    """The files in the upload field with this key.

    Reuses the bytes that the server holds anyway; Streamlit's own return value copies each file on every run.
    """
    files = [file for file in _in_field(key) if not isinstance(file, DeletedFile)]
    return [Upload(file.file_id, file.name, file.getvalue()) for file in files]


def tell_if_lost(key: str, what: str = "pictures") -> None:
    """Say so if the browser still lists files in this field that the server has lost."""
    if any(isinstance(file, DeletedFile) for file in _in_field(key)):
        text = f"The server was restarted; please add the {what} again."
        st.warning(text, icon=":material/restart_alt:")


def _in_field(key: str) -> list[Any]:
    held = st.session_state.get(key)
    return held if isinstance(held, list) else [held] if held else []


def photos() -> list[Upload]:
    """The session's photos, oldest first, available on every page until it ends."""
    kept: list[Upload] = st.session_state.setdefault("photos", [])
    return kept


def opened() -> Upload | None:
    """The photo shown large: the last one chosen, if it still exists."""
    kept = photos()
    chosen = st.session_state.get("photo_open")
    return next((each for each in kept if each.file_id == chosen), kept[0] if kept else None)


def open_photo(file_id: str) -> None:
    """Show this photo large from the next run on."""
    st.session_state.photo_open = file_id


def add(files: Iterable[Upload]) -> None:
    """Keep photos for the session, as many as there is room for, and open the first of them.

    A photo that is already kept is only opened. `photos_refused` counts those that did not fit.
    """
    kept, first, refused = photos(), True, 0
    for file in files:
        room = MAX_SESSION_MB * 2**20 - sum(len(each.data) for each in kept)
        known = any(each.file_id == file.file_id for each in kept)
        if not known and (len(kept) >= MAX_PICTURES or len(file.data) > room):
            refused += 1
            continue
        if not known:
            kept.append(file)
        if first:
            open_photo(file.file_id)
            first = False
    st.session_state.photos_refused = refused


def remove(file_id: str | None = None) -> None:
    """Remove one photo, or all of them, along with their results."""
    st.session_state.photos = [each for each in photos() if file_id not in (None, each.file_id)]
    st.session_state.photos_refused = 0
    if file_id is None:
        st.session_state.pop("previews", None)
        st.session_state.photos_cleared = st.session_state.get("photos_cleared", 0) + 1


def photo_field(label: str, key: str, many: bool | Literal["directory"] = True) -> None:
    """Draw a field to drop, paste or choose photos; what arrives is kept for the session."""
    widget = f"{key}-{st.session_state.get('photos_cleared', 0)}"  # a new field once everything is cleared
    st.file_uploader(
        label,
        TYPES,
        accept_multiple_files=many,
        max_upload_size=MAX_MB,
        key=widget,
        on_change=partial(_take, widget),
    )
    tell_if_lost(widget)


def _take(widget: str) -> None:
    taken: set[str] = st.session_state.setdefault("photos_taken", set())
    new = [file for file in held(widget) if file.file_id not in taken]
    taken.update(file.file_id for file in new)
    add(new)


def camera() -> None:
    """Draw the camera, which prompts for permission only here; a snapshot is kept for the session."""
    st.camera_input("Take a photo", key="photos-camera", on_change=_take_snapshot)
    tell_if_lost("photos-camera")


def _take_snapshot() -> None:
    number = sum(each.name.startswith("snapshot") for each in photos()) + 1
    add([shot._replace(name=f"snapshot-{number}.jpg") for shot in held("photos-camera")])


def samples() -> None:
    """Draw the samples as a gallery; clicking one opens it."""
    with st.container(horizontal=True, key="gallery"):
        for number, (file, title) in enumerate(GALLERY.items()):
            tile(f"sample-{number}", sample_thumb(file), title, partial(add, [sample(file)]))
    st.caption(CREDITS)


def sample(file: str) -> Upload:
    """Load a sample as if it had been uploaded."""
    return Upload(f"sample {file}", GALLERY.get(file, file), _sample_bytes(file))


@st.cache_resource(show_spinner=False)
def _sample_bytes(file: str) -> bytes:
    return (SAMPLES / file).read_bytes()


@st.cache_resource(show_spinner=False)
def sample_thumb(file: str) -> bytes:
    """A small sample as a JPEG file, made once for all visitors."""
    return encode_jpeg(at_most(decode(SAMPLES / file), 320), quality=85)


def tile(key: str, picture: bytes | None, title: str, on_click: partial[None], chosen: bool = False) -> None:
    """Draw a picture (a JPEG file, or none) over its title, together acting as one button."""
    with st.container(key=f"tile-{key}", width=128, gap="xxsmall"):
        image = f"<img src='{data_url(picture)}' alt='' width='128' height='128'>" if picture else ""
        st.html(f"<div class='thumb{' chosen' if chosen else ''}'>{image}</div>")
        st.button(title, key=f"open-{key}", on_click=on_click, width="stretch")
