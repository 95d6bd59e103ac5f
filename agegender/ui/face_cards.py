"""An analysed picture on a page: its faces framed, and a card for each of them."""

from __future__ import annotations

import streamlit as st

from agegender.drawing.annotate import label_parts
from agegender.drawing.view_options import ViewOptions
from agegender.estimation.quality import sentence
from agegender.text import escape, plural
from agegender.types import RANGES, Age, Analysis, Box, Reading
from agegender.ui.previews import Preview, annotated_preview, kept_crops
from agegender.ui.range_charts import over_ranges

WIDE = 1.15
"""How much wider than high a picture is that takes the whole width of the page."""

TALLEST_PX = 640

FACE_PX = 88
"""How wide the crop of a face is shown, and so sent: Streamlit sends no picture wider than that."""

CARD_PX = 326
"""Two of them fit side by side into a section of the page."""


def show_preview(shown: Preview, look: ViewOptions, key: str = "faces", tallest_px: int = TALLEST_PX) -> None:
    """Show a picture with its faces framed and a card for each, numbered as in the picture.

    A wide picture has its cards below it, side by side where there is room; another one beside it. Pointing
    at a face makes its card stand out and the other way round. `key` tells several pictures apart.
    """
    analysis, crops = look.shown(shown.analysis), kept_crops(shown, look)
    is_wide = analysis.width_px > WIDE * analysis.height_px
    with st.container(key=key):
        picture, cards = (st.container(), st.container(horizontal=True)) if is_wide else st.columns(2)
    width_px = round(tallest_px * analysis.width_px / analysis.height_px)
    count = plural(len(analysis.readings), "face")
    with picture.container(width=max(80, width_px)):
        st.image(annotated_preview(shown, look), width="stretch", alt=f"The picture, {count} framed")
        if crops:
            st.html(overlay(analysis, key))
    with cards:
        for number, (reading, crop) in enumerate(zip(analysis.readings, crops, strict=True), 1):
            show_card(reading, crop, f"Face {number}" if len(crops) > 1 else "", key=f"{key}-{number}")


def show_card(reading: Reading, crop: bytes, name: str, key: str) -> None:
    """Show what was read of a face: its crop (a JPEG file), age, gender and the chart of the ranges."""
    age = reading.age
    with st.container(border=True, width=CARD_PX, key=key):
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            st.image(crop, width=FACE_PX, alt=f"{name or 'The face'}, cut out")
            with st.container(gap=None):
                if name:
                    st.caption(name)
                st.markdown(f"**{label_parts(reading, ('gender', 'probability'), '')[0]}**")
                st.markdown(f"**{age.range} years**")
                st.caption(f"around {age.years:.0f}, from {age.low:.0f} to {age.high:.0f}")
        if reading.warnings:
            st.caption(f":material/warning: {escape(sentence(reading.warnings))} Trust this less.")
        show_ranges(age)


def show_ranges(age: Age) -> None:
    """Show how probable each of the eight ranges is, the one that is told standing out."""
    percents = [f"{100 * p:.0f} %" for p in age.probabilities]
    end = 1.15 * max(age.probabilities)
    chart = over_ranges(age.probabilities, percents, end, title="probability", height_px=88, told=age.range)
    listed = ", ".join(f"{name}: {percent}" for name, percent in zip(RANGES, percents, strict=True))
    st.vega_lite_chart(chart, width="stretch", alt=f"How probable each range of years is. {listed}")


# What Streamlit wraps the boxes in is laid over the picture as well, or it would take a place below it.
OVERLAY_STYLE = (
    ":has(>*>*>.face-boxes){position:relative}"
    ":has(>*>.face-boxes){position:absolute;inset:0;width:auto;pointer-events:none}"
    ".face-boxes{position:absolute;inset:0}"
    ".face-boxes>*{position:absolute;pointer-events:auto;border-radius:2px;outline:none}"
)


# A light and a dark line, of which one is seen on any picture; and one that is seen in both themes.
BOX_LIT = "outline:3px solid #FFFFFF;box-shadow:0 0 0 6px #2F5BD0"


CARD_LIT = "outline:3px solid #5B82F0"


def overlay(analysis: Analysis, key: str) -> str:
    """Return HTML that lays a box over each face of a picture, for a mouse, a finger or the keyboard.

    It goes into a container that holds only the picture. Its style links box n with the card in the
    container `{key}-{n}`, both somewhere in the container `{key}`.
    """
    boxes, links = [], []
    for number, reading in enumerate(analysis.readings, 1):
        where = place(reading.face.box, analysis.width_px, analysis.height_px)
        name = f"Face {number} in the picture"
        boxes.append(f"<div role='img' tabindex='0' aria-label='{name}' style='{where}'></div>")
        links.append(link(key, number))
    return f"<style>{OVERLAY_STYLE}{''.join(links)}</style><div class='face-boxes'>{''.join(boxes)}</div>"


def link(key: str, number: int) -> str:
    """Return the style that makes a card and its box stand out when one of them is pointed at."""
    box, card = f".face-boxes>:nth-child({number})", f".st-key-{key}-{number}"
    pointed_at = f".st-key-{key}:has({card}:hover,{box}:is(:hover,:focus))"
    return f"{pointed_at} {card}{{{CARD_LIT}}}{pointed_at} {box}{{{BOX_LIT}}}"


def place(box: Box, width_px: int, height_px: int) -> str:
    """Return how far the sides of a box are from those of the picture that it lies in, as style."""
    shares = {
        "left": box.left / width_px,
        "top": box.top / height_px,
        "right": 1 - box.right / width_px,
        "bottom": 1 - box.bottom / height_px,
    }
    return ";".join(f"{side}:{max(0.0, 100 * share):.2f}%" for side, share in shares.items())
