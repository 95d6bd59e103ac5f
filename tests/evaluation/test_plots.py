"""Charts of an evaluation: they draw what the figures say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agegender.cli.main import main
from agegender.evaluation.calibration import Bin
from agegender.evaluation.charts import drawn, mixed_up_chart, reliability_chart, svg
from agegender.evaluation.groups import Confusion
from agegender.evaluation.metrics import wilson

SAMPLES = Path(__file__).parents[2] / "samples"
NOBODY = Confusion((), ())


def rows(chart: Any, layer: int) -> list[dict[str, Any]]:
    """Data that a layer of a chart draws."""
    whole = chart.to_dict()
    data = whole["layer"][layer].get("data", whole.get("data"))
    found: list[dict[str, Any]] = whole["datasets"][data["name"]]
    return found


def test_points_lie_where_the_bins_say_and_each_has_its_interval() -> None:
    bins = [Bin(100, 0.75, 0.5), Bin(400, 1.0, 1.0)]
    chart = reliability_chart(bins, "stated", "right", 0.5)
    points = [(row["stated"], row["right"], row["faces"]) for row in rows(chart, 2)]
    assert points == [(75, 50, 100), (100, 100, 400)]
    for row, one in zip(rows(chart, 1), bins, strict=True):
        low, high = wilson(one.right * one.count, one.count)
        assert (row["low"], row["high"]) == pytest.approx((100 * low, 100 * high))


def test_the_matrix_tells_shares_of_rows_and_numbers() -> None:
    chart = mixed_up_chart(Confusion(("a", "b"), ((3, 1), (0, 0))))
    assert [(row["true"], row["estimated"], row["percent"], row["faces"]) for row in rows(chart, 0)] == [
        ("a", "a", "75", 3),
        ("a", "b", "25", 1),
    ]


def test_what_nothing_is_known_of_is_not_drawn() -> None:
    assert drawn("Nobody", (), (), NOBODY) == {}
    assert list(drawn("Nobody", [Bin(1, 0.9, 1.0)], (), NOBODY)) == ["gender"]


def test_names_are_text_in_a_picture() -> None:
    pytest.importorskip("vl_convert", reason="vl-convert-python, of the extra evaluate, is not installed")
    picture = svg(drawn("<Ages>", [Bin(1, 0.9, 1.0)], (), NOBODY)["gender"])
    assert picture.startswith("<svg ")
    assert "&lt;Ages" in picture and "<Ages" not in picture


def test_evaluate_puts_pictures_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vl_convert", reason="vl-convert-python, of the extra evaluate, is not installed")
    (tmp_path / "77_1_0_20170117173333333.jpg").write_bytes((SAMPLES / "grace_hopper.jpg").read_bytes())
    target = tmp_path / "new" / "plots"
    arguments = ["evaluate", "--dataset", "utkface", str(tmp_path), "--detector", "bundled"]
    assert main([*arguments, "--plots", str(target)]) == 0
    assert sorted(path.name for path in target.iterdir()) == [
        *("utkface-ages.svg", "utkface-gender.svg", "utkface-intervals.svg")
    ]
    for path in target.iterdir():
        assert re.search(">[^<]*UTKFace<", path.read_text(encoding="utf-8"))
    assert str(target / "utkface-ages.svg") in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vl_convert", reason="vl-convert-python, of the extra evaluate, is not installed")
    (tmp_path / "file").write_text("")
    arguments = ["evaluate", "--dataset", "utkface", str(tmp_path), "--plots", str(tmp_path / "file")]
    assert main(arguments) == 1
    assert "cannot be made a folder" in capsys.readouterr().err


def test_without_what_draws_them_the_extra_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agegender.cli.console.find_spec", lambda _: None)
    assert main(["evaluate", "--dataset", "utkface", str(tmp_path), "--plots", str(tmp_path)]) == 1
    assert "agegender[evaluate]" in capsys.readouterr().err
