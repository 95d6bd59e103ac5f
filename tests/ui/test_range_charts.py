from __future__ import annotations

import altair

from agegender.types import RANGES
from agegender.ui.range_charts import over_ranges

SHARES = (0.0, 0.0, 0.1, 0.2, 0.4, 0.2, 0.1, 0.0)


def test_every_range_has_its_bar_and_its_text_and_the_one_that_is_told_stands_out() -> None:
    texts = [f"{share:.0%}" for share in SHARES]
    chart = over_ranges(SHARES, texts, 0.5, title="probability", height_px=88, told="38–43")
    drawn = altair.Chart.from_dict(chart).to_dict()  # raises what Vega-Lite's schema does not have
    rows = next(iter(drawn["datasets"].values()))
    assert [row["range"] for row in rows] == list(RANGES)
    assert [row["text"] for row in rows] == texts
    assert [row["range"] for row in rows if row["told"]] == ["38–43"]
    assert drawn["layer"][0]["encoding"]["opacity"]["condition"]["test"] == "datum.told"


def test_a_colour_is_that_of_all_bars() -> None:
    chart = over_ranges(SHARES, [""] * 8, 0.5, title="faces", height_px=88, colour_rgb=(0, 128, 255))
    bars = altair.Chart.from_dict(chart).to_dict()["layer"][0]
    assert bars["mark"]["color"] == "#0080ff"
    assert "opacity" not in bars.get("encoding", {})
