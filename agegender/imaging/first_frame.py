"""Choice of frame from an animation: the first that shows something, as many fade in from black."""

from __future__ import annotations

import numpy as np
import PIL.Image

MOVING = ("WEBP", "AVIF", "PNG")
"""Formats other than GIF with animations; several pictures in a TIFF are pages."""

MIN_CONTRAST = 24.0
"""Standard deviation of brightness, 0 to 255: photographs have 40 to 70."""

RISE = 1.0
"""Minimum increase of contrast that counts as still fading in."""

MAX_FRAMES = 150
MAX_PIXELS = 100_000_000
"""Pixels examined before the best frame so far is used: five seconds at 30 frames per second."""


def seek_first_frame(picture: PIL.Image.Image) -> str | None:
    """Seek the first frame that shows something, and return a note unless it is the very first.

    That is the first with `MIN_CONTRAST`, or the last of those after it that get ever clearer; if none has
    that much, the first with nearly as much as any.
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
    """Return whether a picture may have more frames; for GIF this is only known once all are read."""
    moving = picture.format in MOVING and getattr(picture, "is_animated", False)
    return picture.format == "GIF" or moving


def _contrast(picture: PIL.Image.Image) -> float:
    small = picture.resize((64, 64), PIL.Image.Resampling.NEAREST).convert("RGB").convert("L")
    return float(np.asarray(small).std())
