"""The benchmarks run, and their tables are complete; no test checks how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import chart, photographs, scenes, tables

ROWS = [
    *({"by": "faces", "value": float(x), "ms": 10.0 + 2 * x} for x in (1, 5, 9)),
    *({"by": "megapixels", "value": float(x), "ms": y} for x, y in ((1, 5.0), (2, 5.0), (3, 8.0))),
]


@pytest.mark.usefixtures("mirror")
def test_every_part_has_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "PHOTOGRAPHS", {1: ("none.jpg",), 6: ("none.jpg",)})
    page, kept, drawn = (tmp_path / name for name in ("page.md", "figures.json", "growth.svg"))
    page.write_text("".join(f"<!-- {part} -->\n<!-- end -->\n" for part in (*benchmarks.PARTS, "fits")))
    arguments = ["--quick", "--json", str(kept), "--chart", str(drawn), "--write", str(page)]
    assert benchmarks.main(arguments) == 0
    found = json.loads(kept.read_text())
    assert set(found) == {*benchmarks.PARTS, "fits", "machine", "seed weights"}
    printed, written = capsys.readouterr().out, page.read_text()
    for name in (*benchmarks.PARTS, "fits"):
        for row in found[name]:
            assert tuple(row) == tuple(found[name][0])
        table = tables.table(found[name])
        assert table in printed
        assert table in written
    assert [(row["faces"], row["found"]) for row in found["photographs"]] == [(1, 1), (6, 6)]
    assert {row["path"].split(" (")[0] for row in found["paths"]} == {
        "photograph",
        "live frame",
        "second of video",
    }
    assert drawn.read_text().count("<circle") == len(found["growth"])


def test_fits_are_the_straight_lines() -> None:
    faces, megapixels = photographs.fits(ROWS)
    assert (faces["ms at 0"], faces["ms each"]) == pytest.approx((10, 2))
    assert faces["worst residual, ms"] == pytest.approx(0, abs=1e-9)
    assert (megapixels["ms at 0"], megapixels["ms each"]) == pytest.approx((3, 1.5))
    assert (megapixels["worst residual, ms"], megapixels["R²"]) == pytest.approx((1, 0.75))


def test_the_chart_has_a_point_for_each_row_and_says_the_line() -> None:
    drawn = chart.growth_svg(ROWS, photographs.fits(ROWS))
    assert drawn.count("<circle") == len(ROWS)
    assert "ms = 10.0 + 2.0 × faces" in drawn


def test_a_page_keeps_what_was_not_measured() -> None:
    page = "a\n<!-- growth -->\nold\n<!-- end -->\nb\n<!-- cores -->\nkept\n<!-- end -->\n"
    filled = tables.filled(page, {"growth": [{"x": 1.234, "y": None}]})
    table = "| x | y |\n| --- | --- |\n| 1.23 | – |"
    assert filled == f"a\n<!-- growth -->\n\n{table}\n\n<!-- end -->\nb\n<!-- cores -->\nkept\n<!-- end -->\n"


@pytest.mark.parametrize("faces", [1, 6, 15, 29])
def test_made_up_pictures_have_as_many_heads_apart(faces: int) -> None:
    content = (scenes.tiled(1920, 1440, faces) != 128).any(axis=2).astype(np.uint8)
    sizes = cv2.connectedComponentsWithStats(content)[2][1:, cv2.CC_STAT_AREA]
    assert (sizes > sizes.max() / 2).sum() == faces
