"""The table of the people in view: a piece of HTML, as it is drawn anew twice a second."""

from __future__ import annotations

import base64
from collections.abc import Collection

from agegender.estimation.quality import sentence
from agegender.imaging.geometry import margin_crop
from agegender.imaging.io import encode_jpeg
from agegender.live.processor import Latest
from agegender.text import percent
from agegender.tracking.tracker import Track
from agegender.types import Box, Image, Reading

CROP_PX = 88
"""Twice the size at which a crop is shown, for sharp screens."""

CROP_MARGIN = 0.25

HEADER = (
    "<thead><tr><th scope='col'>Person</th><th scope='col'>Apparent age</th>"
    "<th scope='col'>Apparent gender</th><th scope='col'>In view</th></tr></thead>"
)

# Colours come from the page, so that it fits a light theme as well as a dark one.
STYLE = (
    "<style>.people{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums;line-height:1.3}"
    ".people th,.people td{text-align:left;padding:.35rem .5rem .35rem 0;vertical-align:middle;"
    "border-bottom:1px solid rgba(128,128,128,.3)}"
    ".people th{font-weight:600;font-size:.85em;opacity:.75}.people small{opacity:.75}"
    ".people td:first-child{white-space:nowrap}"  # the number stays beside the crop on a phone
    ".people img{max-width:none;width:44px;height:44px;border-radius:8px;vertical-align:middle;"
    "margin-right:.4rem}</style>"
)


def table(latest: Latest, blur: bool) -> str:
    """Return an HTML table with a row for each person in view, from left to right.

    `blur` takes the crops from the picture as it was sent, in which faces are hidden.
    """
    image = latest.picture if blur else latest.image
    pairs = zip(latest.tracks, latest.analysis.readings, strict=True)
    rows = "".join(row(track, reading, image) for track, reading in pairs)
    return f"{STYLE}<table class='people'>{HEADER}<tbody>{rows}</tbody></table>"


def row(track: Track, reading: Reading, image: Image) -> str:
    """Return one person's row."""
    age, gender = reading.age, reading.gender
    cells = (
        f"<img alt='' src='{crop(image, reading.face.box)}'/>{track.number}",
        f"<b>{age.range}</b> {percent(age.range_probability)}<br/>"
        f"<small>around {age.years:.0f}, from {age.low:.0f} to {age.high:.0f}"
        f"{warned(reading.warnings)}</small>",
        f"<b>{gender.label}</b> {percent(gender.probability)}",
        f"{track.seconds:.0f} s",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def warned(warnings: Collection[str]) -> str:
    """Return a line of HTML that tells the warnings in words, or nothing where there are none."""
    return f"<br/>{sentence(warnings)}" if warnings else ""


def crop(image: Image, box: Box) -> str:
    """Return the face in the box as the address of a JPEG picture that lies in the address itself."""
    data = encode_jpeg(margin_crop(image, box, CROP_MARGIN, CROP_PX), quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
