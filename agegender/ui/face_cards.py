"""An analysed photo as HTML: its faces framed, and a card for each of them, or a tile in a crowd."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from agegender.drawing.view_options import ViewOptions
from agegender.estimation.quality import sentence
from agegender.text import data_url, percent, plural
from agegender.types import Age, Analysis, Box, Gender, Reading
from agegender.ui.previews import Preview, annotated_preview, kept_crops
from agegender.ui.range_charts import age_bars

TALLEST_PX = 560

FACE_PX = 88
"""How wide the crop of a face is shown on its card."""

TILE_PX = 72

CROWD = 7
"""From so many faces on, each gets a tile in place of a card."""

BESIDE_PX = 640
"""How wide a photo may be that has its cards beside it."""

LARGER = 2
"""How many times its own size a small photo is shown at most."""

CAUTION = "Treat this estimate with caution."


def show_preview(
    shown: Preview,
    look: ViewOptions,
    key: str = "faces",
    tallest_px: int = TALLEST_PX,
    order: Sequence[int] | None = None,
) -> None:
    """Show a photo with its faces framed and a card for each, numbered as in the photo.

    Pointing at a face makes its card stand out and the other way round. `key` tells several photos apart;
    `order` are the places of the faces that get a card, all of them where it is not given.
    """
    analysis = look.shown(shown.analysis)
    photo, crops = annotated_preview(shown, look), kept_crops(shown, look)
    st.html(photo_html(analysis, photo, crops, key, tallest_px, order))


def photo_html(
    analysis: Analysis,
    photo: bytes,
    crops: Sequence[bytes],
    key: str,
    tallest_px: int,
    order: Sequence[int] | None = None,
) -> str:
    """Return a photo with what is shown of it, `photo` and `crops` being JPEG files."""
    order = range(len(crops)) if order is None else order
    crowd, count = len(order) >= CROWD, plural(len(crops), "face")
    shape = analysis.width_px / analysis.height_px
    widest_px = min(1280 if len(order) > 3 else BESIDE_PX, LARGER * analysis.width_px)
    width_px = max(80, min(round(tallest_px * shape), widest_px))
    height_px = max(1, round(width_px / shape))
    cards = "".join(
        card(analysis.readings[i], crops[i], i + 1 if len(crops) > 1 else None, crowd) for i in order
    )
    kind = "faces crowd" if crowd else "faces"
    links = "".join(_link(key, i + 1, place) for place, i in enumerate(order, 1))
    return (
        f"<style>{links}</style><div class='analysed of-{key}'>"
        f"<figure class='photo' style='width:{width_px}px'>"
        f"<img src='{data_url(photo)}' width='{width_px}' height='{height_px}' "
        f"alt='The photo, {count} framed'>{overlay(analysis)}</figure>"
        f"{cards and f'<ul class={kind!r}>{cards}</ul>'}</div>"
    )


def card(reading: Reading, crop: bytes, number: int | None, small: bool = False) -> str:
    """Return what was read of a face: crop, age, gender, a word of caution and the chart of the ranges."""
    name = f"Face {number}" if number else "The face"
    caution = f"<p class='caution'>⚠ {sentence(reading.warnings)} {CAUTION}</p>" if reading.warnings else ""
    side_px = TILE_PX if small else FACE_PX
    size = f"width='{side_px}' height='{side_px}'"
    image = f"<img class='crop' src='{data_url(crop)}' {size} alt='{name}, cut out'>"
    if small:
        mark = " ⚠" if reading.warnings else ""
        head = f"<b>{reading.age.years:.0f}</b>{mark}<br>{gender_words(reading.gender)}"
        more = f"<p class='who'>{name}</p>{age_html(reading.age)}{caution}{age_bars(reading.age)}"
        return f"<li class='face'><details><summary>{image}{head}</summary>{more}</details></li>"
    who = f"<p class='who'>{name}</p>" if number else ""
    words = f"{who}{age_html(reading.age)}<p><b>{gender_words(reading.gender)}</b></p>"
    head = f"<div class='head'>{image}<div>{words}</div></div>"
    return f"<li class='face'>{head}{caution}{age_bars(reading.age)}</li>"


def age_html(age: Age) -> str:
    """Return an age in the one order that all of the app has: years, then the interval, then the range."""
    return (
        f"<p class='years'><b>about {age.years:.0f}</b> · likely {age.low:.0f}–{age.high:.0f}</p>"
        f"<p><small>group {age.range}, {percent(age.range_probability)}</small></p>"
    )


def gender_words(gender: Gender) -> str:
    """Return 'Female 97 %'."""
    return f"{gender.label} {percent(gender.probability)}"


# A light and a dark line, of which one is seen on any picture; and one that is seen in both themes.
BOX_LIT = "outline:3px solid #FFFFFF;box-shadow:0 0 0 6px #2F5BD0"


CARD_LIT = "outline:3px solid #5B82F0"


def overlay(analysis: Analysis) -> str:
    """Return HTML that lays a box over each face of a photo, for a mouse, a finger or the keyboard."""
    boxes = "".join(
        f"<div role='img' tabindex='0' aria-label='Face {number} in the photo' "
        f"style='{place(reading.face.box, analysis.width_px, analysis.height_px)}'></div>"
        for number, reading in enumerate(analysis.readings, 1)
    )
    return f"<div class='face-boxes'>{boxes}</div>" if boxes else ""


def _link(key: str, number: int, nth: int) -> str:
    """Return the style that makes a box and its card, the n-th one, stand out when one is pointed at."""
    box, its = f".face-boxes>:nth-child({number})", f".faces>:nth-child({nth})"
    pointed_at = f".of-{key}:has({its}:hover,{box}:is(:hover,:focus))"
    return f"{pointed_at} {its}{{{CARD_LIT}}}{pointed_at} {box}{{{BOX_LIT}}}"


def place(box: Box, width_px: int, height_px: int) -> str:
    """Return how far the sides of a box are from those of the photo that it lies in, as style."""
    shares = {
        "left": box.left / width_px,
        "top": box.top / height_px,
        "right": 1 - box.right / width_px,
        "bottom": 1 - box.bottom / height_px,
    }
    return ";".join(f"{side}:{max(0.0, 100 * share):.2f}%" for side, share in shares.items())
