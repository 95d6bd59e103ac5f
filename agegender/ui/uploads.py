"""Files that somebody uploads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import streamlit as st

MAX_PICTURES = 20
"""How many pictures are analysed, and kept for a session, at once."""


MAX_MB = 50
"""How large a picture's file may be that somebody uploads, in MB of 2**20 bytes, as Streamlit counts."""


TOO_LARGE = f"The file is larger than {MAX_MB} MB. Make the picture smaller and try again."


class Upload(NamedTuple):
    """A file that somebody uploaded: what tells it from others, its name as they gave it, and its bytes."""

    file_id: str
    name: str
    data: bytes


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
