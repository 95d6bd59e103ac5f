"""An analysed photo as HTML: faces boxed, with a card for each face, or a tile when there are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import streamlit as st

from agegender.drawing.view_options import ViewOptions
from agegender.estimation.quality import sentence
from agegender.text import data_url, percent, plural
from agegender.types import RANGES, Age, Analysis, Box, Gender, Reading
from agegender.ui.previews import Preview, annotated_preview, kept_crops

TALLEST_PX = 560

FACE_PX = 88
"""Displayed width of the face crop on a card."""

TILE_PX = 72

CROWD = 7
"""Number of faces from which tiles replace cards."""

BESIDE_PX = 640
"""Maximum width of a photo that has its cards beside it."""

LARGER = 2
"""Maximum enlargement of a small photo."""

CAUTION = "Treat this estimate with caution."


def show_preview(
    shown: Preview,
    look: ViewOptions,
    key: str = "faces",
    tallest_px: int = TALLEST_PX,
    order: Sequence[int] | None = None,
) -> None:
    """Show a photo with boxed faces and a card for each, numbered as in the photo.

    Hovering over a face highlights its card and vice versa. `key` distinguishes several photos on a page;
    `order` lists the indices of the faces that get a card, all by default.
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
    """HTML of a photo with its boxes and cards; `photo` and `crops` are JPEG files."""
    order = range(len(crops)) if order is None else order
    crowd, count = len(order) >= CROWD, plural(len(crops), "face")
    shape = analysis.width_px / analysis.height_px
    widest_px = min(1280 if len(order) > 3 else BESIDE_PX, LARGER * analysis.width_px)
    width_px = max(80, min(round(tallest_px * shape), widest_px))
    height_px = max(1, round(width_px / shape))
    cards = "".join(
        card(
            analysis.readings[i], crops[i], i + 1 if len(crops) > 1 else None, crowd, analysis.turned_degrees
        )
        for i in order
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


def card(
    reading: Reading, crop: bytes, number: int | None, small: bool = False, turned_degrees: int = 0
) -> str:
    """A face's card: crop, age, gender, any note of caution, and the chart of the age groups."""
    name = f"Face {number}" if number else "The face"
    caution = f"<p class='caution'>⚠ {sentence(reading.warnings)} {CAUTION}</p>" if reading.warnings else ""
    if turned_degrees:
        caution += f"<p class='caution'>↻ Analysed with the photo turned by {turned_degrees}°.</p>"
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
    """Format an age the way the whole app does: years, then the interval, then the range."""
    return (
        f"<p class='years'><b>about {age.years:.0f}</b> · likely {age.low:.0f}–{age.high:.0f}</p>"
        f"<p><small>group {age.range}, {percent(age.range_probability)}</small></p>"
    )


def gender_words(gender: Gender) -> str:
    """Format a gender as 'Female 97 %'."""
    return f"{gender.label} {percent(gender.probability)}"


# A light line and a dark one, so that one shows on any picture; and a colour visible in both themes.
BOX_LIT = "outline:3px solid #FFFFFF;box-shadow:0 0 0 6px #2F5BD0"


CARD_LIT = "outline:3px solid #5B82F0"


def overlay(analysis: Analysis) -> str:
    """HTML that puts a box over each face of a photo, reachable by mouse, touch and keyboard."""
    boxes = "".join(
        f"<div role='img' tabindex='0' aria-label='Face {number} in the photo' "
        f"style='{place(reading.face.box, analysis.width_px, analysis.height_px)}'></div>"
        for number, reading in enumerate(analysis.readings, 1)
    )
    return f"<div class='face-boxes'>{boxes}</div>" if boxes else ""


def _link(key: str, number: int, nth: int) -> str:
    """CSS that highlights a box and its card, the n-th one, when either is hovered over."""
    box, its = f".face-boxes>:nth-child({number})", f".faces>:nth-child({nth})"
    pointed_at = f".of-{key}:has({its}:hover,{box}:is(:hover,:focus))"
    return f"{pointed_at} {its}{{{CARD_LIT}}}{pointed_at} {box}{{{BOX_LIT}}}"


def place(box: Box, width_px: int, height_px: int) -> str:
    """CSS offsets of a box from the sides of its photo."""
    shares = {
        "left": box.left / width_px,
        "top": box.top / height_px,
        "right": 1 - box.right / width_px,
        "bottom": 1 - box.bottom / height_px,
    }
    return ";".join(f"{side}:{max(0.0, 100 * share):.2f}%" for side, share in shares.items())


GENDERS = ("Female", "Male")
"""The order used in charts and tables."""


FEW = 5
"""Minimum number of faces for a chart of their ages."""


def age_bars(age: Age) -> str:
    """Bar chart of the probabilities of the eight ranges, with the reported range highlighted, as HTML."""
    most = max(age.probabilities)
    columns = "".join(
        f"<span class='{'told' if name == age.range else ''}'>{_label(p)}"
        f"<i style='height:{58 * p / most:.0f}px'></i><small>{name}</small></span>"
        for name, p in zip(RANGES, age.probabilities, strict=True)
    )
    listed = ", ".join(f"{name}: {percent(p)}" for name, p in zip(RANGES, age.probabilities, strict=True))
    return (
        f"<div class='bars' role='img' aria-label='Probability of each age group. {listed}'>{columns}</div>"
    )


def _label(probability: float) -> str:
    return percent(probability) if probability >= 0.005 else ""


def count_ages(readings: Iterable[Reading]) -> dict[str, list[int]]:
    """Count the faces in each of the eight ranges, for each gender present."""
    counts = Counter((reading.gender.label, reading.age.range) for reading in readings)
    seen = {gender: [counts[gender, name] for name in RANGES] for gender in GENDERS}
    return {gender: numbers for gender, numbers in seen.items() if any(numbers)}


def ages_chart(counts: dict[str, list[int]]) -> str:
    """Chart of faces per age range, with one bar per gender, as HTML."""
    most = max((number for numbers in counts.values() for number in numbers), default=1)
    key = "".join(f"<i class='{name.lower()}'></i>{name} · {sum(n)}" for name, n in counts.items())
    columns = ""
    for place, name in enumerate(RANGES):
        pair = "".join(
            f"<em>{numbers[place] or ''}"
            f"<i class='{gender.lower()}' style='height:{100 * numbers[place] / most:.0f}px'></i></em>"
            for gender, numbers in counts.items()
        )
        columns += f"<span><span class='pair'>{pair}</span><small>{name}</small></span>"
    words = ages_description(counts)
    return f"<p class='key'>{key}</p><div class='bars counts' role='img' aria-label='{words}'>{columns}</div>"


def ages_description(counts: dict[str, list[int]]) -> str:
    """Describe the chart in words."""
    told = (
        f"{gender}: " + ", ".join(f"{name}: {n}" for name, n in zip(RANGES, numbers, strict=True) if n)
        for gender, numbers in counts.items()
    )
    return f"Faces by age group. {'; '.join(told)}"
