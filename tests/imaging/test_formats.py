"""The table of formats: that each door takes what it lists, and that it lists what is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

from agegender.imaging.formats import PICTURES, VIDEOS, endings, has_ending, names, rewritten
from agegender.imaging.io import FORMATS, register_heif, register_jpeg_xl

ROOT = Path(__file__).parents[2]


def test_the_readme_lists_the_formats_of_the_code() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert rewritten(text) == text, "python -m agegender.imaging.formats README.md"
    for ending in endings(PICTURES) + endings(VIDEOS):
        assert f"{ending}," in text or f"{ending} |" in text


def test_the_command_writes_the_table(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("before\n<!-- formats -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "agegender.imaging.formats", str(path)], cwd=ROOT, check=True)
    written = path.read_text(encoding="utf-8")
    assert written.startswith("before\n<!-- formats -->\n| pictures |")
    assert "old" not in written
    assert written.endswith("<!-- end -->\nafter\n")


def test_endings_are_those_of_formats_that_are_read() -> None:
    register_heif()
    pytest.importorskip("pylibjxl", reason="pylibjxl is not installed")
    register_jpeg_xl()
    known = PIL.Image.registered_extensions()  # Pillow's, which are fewer
    found = {known[ending] for ending in endings(PICTURES) if ending in known} - {"MPO"}
    assert found == {*FORMATS, "JXL"}
    assert {".heics", ".heifs", ".avifs", ".mpo"} >= set(endings(PICTURES)) - set(known)


@pytest.mark.parametrize("name", ["DSC00001.HIF", "a.JFIF", "b.jpg", "c.d.heic", "e.JXL"])
def test_pictures_are_told_by_their_names(name: str) -> None:
    assert has_ending(name, PICTURES)


@pytest.mark.parametrize("name", ["00001.MTS", "a.m2ts", "b.3gp", "c.MOV", "d.wmv", "e.webp"])
def test_videos_are_told_by_their_names(name: str) -> None:
    assert has_ending(name, VIDEOS)


@pytest.mark.parametrize("name", ["jpg", "a.jpg.txt", ".mov2", "a.nef", ""])
def test_others_are_not(name: str) -> None:
    assert not has_ending(name, PICTURES)
    assert not has_ending(name, VIDEOS)


def test_messages_name_them() -> None:
    assert names(PICTURES).startswith("JPEG, PNG, WebP, HEIC, HEIF, AVIF, JPEG XL, TIFF, GIF and BMP")
