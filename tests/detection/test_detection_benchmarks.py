"""benchmarks/turned.py and benchmarks/nobody.py print what they say, here of the samples."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from agegender.imaging.io import decode, encode_png
from agegender.types import Box, Face
from benchmarks import nobody, turned
from benchmarks.nobody import HARDER

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def fairface(tmp_path: Path) -> Path:
    rows = ["file,age_min,age_max,gender,race"]
    for name, ages in (("grace_hopper.jpg", "70,120"), ("astronaut.png", "40,49")):
        shutil.copy(SAMPLES / name, tmp_path / name)
        rows.append(f"{name},{ages},Female,White")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.fixture
def utkface(tmp_path: Path) -> Path:
    folder = tmp_path / "utkface"
    folder.mkdir()
    face = decode(SAMPLES / "grace_hopper.jpg")[80:400, 120:420]
    (folder / "78_1_0_20170101000000000.png").write_bytes(encode_png(np.ascontiguousarray(face)))
    return folder


@pytest.mark.usefixtures("mirror")
def test_turned_pictures_are_read_as_upright_ones(
    fairface: Path, utkface: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turned.main([str(fairface), str(utkface), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert [row["turned_degrees"] for row in printed["rows"]] == [0, 0, 90, 180, 270] * 2
    assert all(row["found"] == 1 for row in printed["rows"])
    assert len({(row["pictures"], row["gender"]) for row in printed["rows"]}) == 2
    years = [row["years"] for row in printed["rows"] if row["pictures"] == "utkface"]
    assert max(years) - min(years) < 0.5
    assert set(printed["times as long"]) == {"fairface", "utkface"}


@pytest.mark.usefixtures("mirror")
def test_nobody_is_invented_where_nobody_is(
    fairface: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "grey.png").write_bytes(encode_png(np.full((80, 120, 3), 99, np.uint8)))
    nobody.main([str(empty), str(fairface), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["looks"] == 3
    assert printed["invented"] == {"yunet": 0, "bundled": 0}
    assert printed["people"] == 2
    assert printed["found"]["as they are"] == {"yunet": 2, "bundled": 2}


def test_harder_pictures_keep_their_size_and_change() -> None:
    image = decode(SAMPLES / "grace_hopper.jpg")
    points = ((230.0, 215.0), (305.0, 215.0), (268.0, 255.0), (240.0, 290.0), (300.0, 290.0))
    face = Face(Box(177, 123, 356, 336), 0.9, points)
    for kind, make in HARDER.items():
        harder = make(image, face)
        assert harder.shape == image.shape and harder.dtype == np.uint8
        assert (harder == image).all() == (kind == "as they are")
