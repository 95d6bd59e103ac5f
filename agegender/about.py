"""What the page About shows in pictures: the steps on one face, a filter, the ranges, measured figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import cv2
import numpy as np
import pandas as pd

from agegender.alignment import align
from agegender.drawing import NEUTRAL, draw_box
from agegender.images import encode_jpeg, encode_png
from agegender.types import RANGES, Face, Image

CROP_PX = 112
"""The side of the crops that the bundled net takes."""

# Sobel's filter for edges that run from top to bottom; turned, for those that run across.
SOBEL = np.array([(-1, 0, 1), (-2, 0, 2), (-1, 0, 1)], dtype=np.float32)

FIGURES = {
    "faces_found": "faces found",
    "gender_accuracy": "gender right",
    "age_group_exact": "age group of about ten years right",
    "age_group_within_one": "age group right or next to it",
    "age_range_exact": "one of the eight ranges right",
    "age_range_within_one": "range right or next to it",
    "age_in_interval": "interval holds the true age (meant: 80 %)",
}
"""What the rates of an evaluation's report are called in the chart, in its order."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What the pipeline makes of one face: the picture, box and landmarks on it, the crop for the net.

    And what two filters make of the crop: edges that run down and edges that run across. All are files,
    PNG where every pixel of the crop counts and JPEG elsewhere.
    """

    seen: bytes
    found: bytes
    aligned: bytes
    edges: tuple[bytes, bytes]


def picture_steps(image: Image, face: Face) -> Steps:
    """Return the steps as pictures, of an RGB image and a face that was found in it."""
    crop = align(image, face, CROP_PX)
    edges = encode_png(filtered(crop, SOBEL)), encode_png(filtered(crop, SOBEL.T.copy()))
    return Steps(encode_jpeg(image), encode_jpeg(with_landmarks(image, face)), encode_png(crop), edges)


def with_landmarks(image: Image, face: Face) -> Image:
    """Return a copy of the RGB image with the face's box and, where it has some, its landmarks."""
    drawn = np.array(image, order="C")
    draw_box(drawn, face.box, NEUTRAL, text_px=face.box.width / 3)  # thick, as the picture is shown small
    radius_px = max(2, round(face.box.width / 20))
    for x, y in face.landmarks:
        cv2.circle(drawn, (round(x), round(y)), radius_px + 1, (0, 0, 0), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(drawn, (round(x), round(y)), radius_px, NEUTRAL, cv2.FILLED, cv2.LINE_AA)
    return drawn


def filtered(crop: Image, kernel: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Image:
    """Return how strongly each place of an RGB crop answers to a small filter: white is most, black none."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    answer = np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))
    scaled = np.minimum(255, answer * (255 / max(1.0, float(np.percentile(answer, 99)))))
    return np.repeat(scaled.astype(np.uint8)[:, :, None], 3, axis=2)


def ranges_chart() -> alt.Chart:
    """Return the eight ranges as bars along the years of a life, so that the gaps between them show."""
    bounds = [tuple(map(int, name.split("–"))) for name in RANGES]
    table = pd.DataFrame(
        {"range": RANGES, "first": [a for a, _ in bounds], "end": [b + 1 for _, b in bounds]}
    )
    base = alt.Chart(table, height=56).encode(
        x=alt.X("first", title="years", scale=alt.Scale(domain=[0, 101], nice=False)), x2="end"
    )
    bars = base.mark_bar(height=22, cornerRadius=2).encode(tooltip=[alt.Tooltip("range", title="years")])
    padded: alt.Chart = bars.properties(padding={"left": 4, "right": 8, "top": 4, "bottom": 0})
    return padded


def figures_chart(values: Mapping[str, float]) -> alt.LayerChart:
    """Return those of the values that are rates (0 to 1) as bars, each under its name."""
    shown = {title: values[key] for key, title in FIGURES.items() if key in values}
    table = pd.DataFrame({"what": shown.keys(), "rate": shown.values(), "start": 0.0})
    table["text"] = [f"{what} · {100 * rate:.1f} %" for what, rate in shown.items()]
    base = alt.Chart(table, height=46 * len(table)).encode(y=alt.Y("what", sort=None, axis=None))
    scale = alt.Scale(domain=[0, 1])
    whole = base.mark_bar(height=8, cornerRadius=3, color="#7A8394", opacity=0.25, yOffset=8, y2Offset=8)
    bars = base.mark_bar(height=8, cornerRadius=3, yOffset=8, y2Offset=8)
    text = base.mark_text(align="left", dy=-8, fontSize=12, color="#7A8394")
    layers: alt.LayerChart = (
        whole.encode(x=alt.X("end:Q", axis=None, scale=scale), x2="start").transform_calculate(end="1")
        + bars.encode(x=alt.X("rate", axis=None, scale=scale), x2="start")
        + text.encode(x=alt.X("start", axis=None, scale=scale), text="text")
    ).properties(padding={"left": 0, "right": 0, "top": 0, "bottom": 0})
    return layers


def described(values: Mapping[str, float]) -> str:
    """Return in words what the chart of the figures shows."""
    shown = (f"{title}: {100 * values[key]:.1f} %" for key, title in FIGURES.items() if key in values)
    return ", ".join(shown)
