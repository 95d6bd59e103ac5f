"""Which card belongs to which face of a picture: pointing at one of them makes both stand out."""

from __future__ import annotations

from agegender.types import Analysis, Box

# What Streamlit wraps the boxes in is laid over the picture as well, or it would take a place below it.
STYLE = (
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
    return f"<style>{STYLE}{''.join(links)}</style><div class='face-boxes'>{''.join(boxes)}</div>"


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
