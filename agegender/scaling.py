"""Making pictures smaller: quickly, and without fine texture turning into noise."""

from __future__ import annotations

import cv2

from agegender.types import Image


def scale_down(image: Image, width_px: int, height_px: int) -> Image:
    """Return the RGB image with `width_px` by `height_px` pixels, neither more than it has.

    Averages over whole blocks of pixels, and goes the rest of the way, less than a half, bilinearly: four
    times as fast as to average over broken parts of pixels. At most a block less one pixel is cut off at
    the right and at the bottom. The image itself comes back where it has that size.
    """
    height, width = image.shape[:2]
    if (width, height) == (width_px, height_px):
        return image
    block = max(1, min(width // width_px, height // height_px))
    if block > 1:
        whole = width // block, height // block
        image = cv2.resize(  # type: ignore[assignment]  # cv2 names no dtype
            image[: whole[1] * block, : whole[0] * block], whole, interpolation=cv2.INTER_AREA
        )
    return cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
