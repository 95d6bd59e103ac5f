"""Pictures of an evaluation: what is drawn lies where the figures say."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from agegender.cli.main import main
from agegender.evaluation.calibration import Bin
from agegender.evaluation.groups import Confusion
from agegender.evaluation.metrics import wilson
from agegender.evaluation.plots import MARGIN_PX, PLOT_PX, mixed_up, reliability

SVG = "{http://www.w3.org/2000/svg}"
SAMPLES = Path(__file__).parents[2] / "samples"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_points_lie_where_the_bins_say() -> None:
    bins = [Bin(100, 0.75, 0.5), Bin(400, 1.0, 1.0)]
    svg = ET.fromstring(reliability("Title", "stated", "right", bins, first=0.5))
    points = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in svg.iter(f"{SVG}circle")]
    assert points == [(MARGIN_PX + PLOT_PX / 2, MARGIN_PX + PLOT_PX), (MARGIN_PX + PLOT_PX, MARGIN_PX)]


def test_a_bin_that_is_mostly_wrong_is_not_drawn_as_half_right() -> None:
    bins = [Bin(10, 0.55, 0.2), Bin(10, 0.95, 1.0)]
    svg = ET.fromstring(reliability("Title", "stated", "right", bins, first=0.5))
    low, high = (float(c.get("cy", "")) for c in svg.iter(f"{SVG}circle"))
    assert low - high == pytest.approx(PLOT_PX)  # the axis begins at 20 %


def test_each_point_has_its_interval() -> None:
    svg = reliability("Title", "stated", "held", [Bin(50, 0.5, 0.5)], first=0)
    low, high = (MARGIN_PX + PLOT_PX * (1 - end) for end in wilson(25, 50))
    middle = MARGIN_PX + PLOT_PX / 2
    assert f"M{middle:.1f} {low:.1f}L{middle:.1f} {high:.1f}" in svg


def test_the_matrix_tells_shares_of_rows_and_numbers() -> None:
    found = texts(mixed_up("<Ages>", Confusion(("a", "b"), ((3, 1), (0, 0)))))
    assert found[0] == "<Ages>"
    assert [text for text in found if text.endswith("%")] == ["75 %", "25 %"]
    assert [text for text in found if text.isdigit()] == ["3", "1"]


def test_evaluate_puts_pictures_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "77_1_0_20170117173333333.jpg").write_bytes((SAMPLES / "grace_hopper.jpg").read_bytes())
    target = tmp_path / "new" / "plots"
    arguments = ["evaluate", "--dataset", "utkface", str(tmp_path), "--detector", "bundled"]
    assert main([*arguments, "--plots", str(target)]) == 0
    assert sorted(path.name for path in target.iterdir()) == [
        *("utkface-ages.svg", "utkface-gender.svg", "utkface-intervals.svg")
    ]
    for path in target.iterdir():
        assert any("UTKFace" in text for text in texts(path.read_text(encoding="utf-8")))
    assert str(target / "utkface-ages.svg") in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    arguments = ["evaluate", "--dataset", "utkface", str(tmp_path), "--plots", str(tmp_path / "file")]
    assert main(arguments) == 1
    assert "cannot be made a folder" in capsys.readouterr().err
