"""Which frame of an animation to read: the first that shows something, as many fade in from black."""

from __future__ import annotations

import numpy as np
import PIL.Image

MOVING = ("WEBP", "AVIF", "PNG")
"""Formats beside GIF whose frames follow each other in time; several pictures of a TIFF are pages."""

MIN_CONTRAST = 24.0
"""Standard deviation of brightness, 0 to 255: photographs have 40 to 70."""

RISE = 1.0
"""By less it does not become clearer from frame to frame."""

MAX_FRAMES = 150
MAX_PIXELS = 100_000_000
"""So much is looked at before the best so far is taken: five seconds at 30 frames a second."""


def seek_first_frame(picture: PIL.Image.Image) -> str | None:
    """Go to the first frame that shows something, and return a note where that is not the very first.

    That is the first with `MIN_CONTRAST`, or after it the last of those that show ever more; where none has
    so much, the first that has nearly as much as any.
    """
    if not _moves(picture) or (contrast := _contrast(picture)) >= MIN_CONTRAST:
        return None
    contrasts = [contrast]
    for number in range(1, min(MAX_FRAMES, 1 + MAX_PIXELS // (picture.width * picture.height))):
        try:
            picture.seek(number)
        except EOFError:
            break
        contrasts.append(_contrast(picture))
        if contrasts[-2] >= MIN_CONTRAST and contrasts[-1] <= contrasts[-2] + RISE:
            break
    chosen = next(number for number, each in enumerate(contrasts) if each >= max(contrasts) - RISE)
    picture.seek(chosen)
    told = f"The picture moves: read was frame {chosen + 1}, the first that shows something."
    return told if chosen else None


def _moves(picture: PIL.Image.Image) -> bool:
    """Return whether a picture may have more frames; of a GIF that is known but once all are read."""
    moving = picture.format in MOVING and getattr(picture, "is_animated", False)
    return picture.format == "GIF" or moving


def _contrast(picture: PIL.Image.Image) -> float:
    small = picture.resize((64, 64), PIL.Image.Resampling.NEAREST).convert("RGB").convert("L")
    return float(np.asarray(small).std())
