"""Hostile names, and a hostile manifest: shown as plain text, or refused."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import hostile
import numpy as np
import pytest
import streamlit
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from agegender.analyzer import Analyzer
from agegender.cli import console
from agegender.cli.main import main
from agegender.errors import ModelError
from agegender.estimation.age import from_ranges
from agegender.export import faces
from agegender.imaging.io import decode, encode_png
from agegender.models import manifest
from agegender.models.manifest import load_manifest
from agegender.text import escape
from agegender.types import Analysis, Box, Estimate, Face, Gender, Image, Reading
from agegender.ui import downloads, loader
from agegender.ui.uploads import MAX_PICTURES

ROOT = Path(__file__).parents[1]

NAMES = (
    "<img src=x onerror=alert(1)>.png",
    "<script>alert(1)<\\script>.png",
    "[a](javascript:alert(1)) ![b](http:x) :red[c] $d$ `e` **f** # g.png",
    "--json",
    "-rf.png",
    '=HYPERLINK("http:x").png',
    "a\nb\tc\rd.png",
    "\x1b[2J\x1b]0;title\x07\x9b31m.png",
    "\u202egnp.exe\u200b\ufeff.png",
    "日本語 é e\u0301 🙂 \U000e0041.png",
    "  spaces  .png",
    "'; DROP TABLE faces; --\".png",
    "%s %d {0} {name} %(x)s \\N{BULLET}.png",
    "x" * 251 + ".png",
    "é" * 125 + ".png",
    "." * 40 + "x.png",
    "con.aux.png",
)
"""Names allowed on a common file system."""

UPLOADED = (
    *NAMES,
    *(
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "/etc/passwd",
        "x" * 300 + ".png",
        "é" * 300,
        "\0.png",
        " ",
        "",
    ),
)

PIXEL = encode_png(decode(hostile.png(1, 1, hostile.deflated(4))))


@pytest.fixture
def oddly_named(tmp_path: Path) -> Path:
    """A folder of tiny pictures with hostile names, one of which is not valid text."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in (*map(os.fsencode, NAMES), b"\xff\xfe not UTF-8.png"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(PIXEL)
    return folder


ONE_FACE = Analysis(
    9, 9, (Reading(Face(Box(1, 1, 8, 8), 0.9), from_ranges(np.full(8, 0.125)), Gender(0.9)),), 0.0
)


class Blind:
    """Detects no face in any picture."""

    name = "blind"

    def detect(self, _: Image) -> tuple[Face, ...]:
        return ()

    def estimate(self, *_: object) -> tuple[Estimate, ...]:
        return ()


BLIND = Analyzer(Blind(), Blind())


@pytest.mark.parametrize("form", ["--table", "--json", "--csv"])
def test_names_print_as_text_and_lead_nowhere(
    oddly_named: Path,
    tmp_path: Path,
    form: str,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console, "build_analyzer", lambda *_: BLIND)
    paths = sorted(map(str, oddly_named.iterdir()))
    (oddly_named / "no\x1b[1m\npicture.png").write_bytes(b"no picture")
    command = ["analyze", form, "--annotate", str(tmp_path / "out")]
    assert main([*command, str(oddly_named / "no\x1b[1m\npicture.png"), *paths]) == 1
    printed, complaints = (text.decode() for text in capfdbinary.readouterr())
    assert complaints.count("\n") == 1, complaints
    shown = complaints if form == "--csv" else complaints + printed  # names are quoted in CSV
    assert not any(unicodedata.category(sign) == "Cc" for sign in shown.replace("\n", ""))
    if form == "--json":
        assert [
            json.loads(line)["file"].encode("utf-8", "surrogateescape") for line in printed.splitlines()
        ] == [os.fsencode(path) for path in paths]
    assert len(list((tmp_path / "out").iterdir())) == len(paths)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pictures"]


def test_a_picture_with_odd_metadata_is_read_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "build_analyzer", lambda *_: BLIND)
    monkeypatch.setattr("sys.warnoptions", [])
    out_of_file = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x05\0\xff\0\0\0\x10\0\0\0"
    (tmp_path / "odd.jpg").write_bytes(hostile.saved(hostile.noise(40, 56), "JPEG", exif=out_of_file))
    assert main(["analyze", "--json", str(tmp_path / "odd.jpg")]) == 0
    assert capfd.readouterr().err == ""


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in for all models, and leave no analysis behind for other tests."""
    monkeypatch.setattr(loader, "build_analyzer", lambda *_: BLIND)
    monkeypatch.setattr(loader, "fetch_model", lambda *_: None)
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()
    yield
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()


@pytest.mark.usefixtures("blind")
def test_on_the_page_names_are_text_whether_a_picture_is_read_or_not() -> None:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300).run()
    page = page.switch_page("pages/1_Photos.py").run()
    # Streamlit itself refuses, on the server, names with other endings and names with a zero byte.
    names = [name for name in UPLOADED if name.endswith(".png") and "\0" not in name][:MAX_PICTURES]
    files = [(name, PIXEL if number % 2 else b"no picture") for number, name in enumerate(names)]
    page.file_uploader[0].set_value([(*file, "image/png") for file in files]).run()
    assert [exception.value for exception in page.exception] == []
    tiles = [button for button in page.button if str(button.key).startswith("open-")]
    assert [tile.label.rpartition(" · ")[0] for tile in tiles] == [escape(name) for name in names]
    raw = [*page.get("html"), *(text for text in page.markdown if text.allow_html)]
    bodies = " ".join(str(element.proto) for element in raw)
    assert not any(name in bodies for name in names)
    assert "alert(" not in bodies
    assert sum("could not be read" in tile.label for tile in tiles) == (len(names) + 1) // 2


@pytest.mark.parametrize("name", UPLOADED)
def test_names_of_annotated_pictures_lead_into_no_other_folder(name: str) -> None:
    (saved,) = downloads.saved_names([name])
    assert re.fullmatch(r"[\w .()-]+", saved)
    assert not saved.startswith((".", " "))
    assert len(saved.encode()) <= 255


# By CommonMark, a backslash before any ASCII punctuation makes it literal.
PLAIN = re.compile(r"(?:\\[!-/:-@\[-`{-~]|[^!-/:-@\[-`{-~\s]| )*")


@given(st.text() | st.sampled_from(UPLOADED))
def test_no_text_comes_through_as_markdown_or_html(text: str) -> None:
    escaped = escape(text)
    assert PLAIN.fullmatch(escaped)
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped).split() == text.split()


@given(st.text() | st.sampled_from(UPLOADED))
def test_no_name_becomes_a_formula_in_a_spreadsheet(name: str) -> None:
    *_, line = faces.csv_lines([(name, ONE_FACE)])
    (row,) = csv.reader(io.StringIO(line, newline=""))
    assert not row[0].lstrip().startswith(tuple(faces.FORMULA_STARTS))


# The list of models

MANIFEST = manifest.MANIFEST.read_bytes()
PIECES = (
    *(
        b"[",
        b"]]",
        b'"',
        b"'''",
        b"\n",
        b"=",
        b"inf",
        b"nan",
        b"1e999",
        b"0x",
        b"{}",
        b"[[x]]",
        b"\xff",
        b"../",
    ),
    *(b"1979-05-27", b"9" * 5000, b"[" * 2000, b"x." * 2000, b"\\u0000", b"\\ud800"),
)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 12),
            st.sampled_from(PIECES) | st.binary(max_size=12),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_list_of_models_with_anything_in_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int, bytes]]
) -> None:
    content = bytearray(MANIFEST)
    for where, length, new in changes:
        start = int(where * len(content))
        content[start : start + length] = new
    path = tmp_path_factory.getbasetemp() / "manifest.toml"
    path.write_bytes(bytes(content))
    try:
        found = load_manifest(path)
    except ModelError:
        return
    assert all(file.name == Path(file.name).name for spec in found.values() for file in spec.files)


def test_a_list_of_models_with_brackets_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(f"x = {'[' * 100_000}")
    with pytest.raises(ModelError, match="cannot be read"):
        load_manifest(path)
