"""The pages' upload fields accept the files in the table of formats."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from agegender.imaging.formats import PICTURES, VIDEOS, Format, endings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("page", "formats"), [("1_Photos.py", PICTURES), ("3_Video.py", VIDEOS)])
def test_uploads_are_of_the_formats_in_the_table(page: str, formats: tuple[Format, ...]) -> None:
    home = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    (field, *_) = home.switch_page(f"pages/{page}").run().file_uploader
    assert set(endings(formats)) <= set(field.proto.type)
