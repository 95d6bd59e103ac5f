"""Scaling, warping and cropping RGB images without aliasing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.types import Box, Image

LONG_SHAPE = 1.9
"""Aspect ratio from which pictures, such as panoramas and tall screenshots, are searched in parts."""


def scale_down(image: Image, width_px: int, height_px: int) -> Image:
    """Scale the RGB image down to `width_px` by `height_px`, neither larger than it is.

    Halves it as often as possible and does the rest bilinearly: seven times as fast as averaging over
    fractional pixels. Returns the image itself if it already has that size.
    """
    height, width = image.shape[:2]
    if (width, height) == (width_px, height_px):
        return image
    while width >= 2 * width_px and height >= 2 * height_px:
        image = halved(image)
        height, width = image.shape[:2]
    return cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def halved(image: Image) -> Image:
    """Average two by two pixels of the RGB image; an odd last column or row is cut off."""
    height, width = (side // 2 for side in image.shape[:2])
    whole = image[: 2 * height, : 2 * width]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]  # cv2 names no dtype


def at_most(image: Image, long_side_px: int) -> Image:
    """Scale an RGB image down to this long side, keeping its aspect ratio; smaller ones stay as they are."""
    height, width = image.shape[:2]
    scale = min(1.0, long_side_px / max(width, height))
    return scale_down(image, max(1, round(width * scale)), max(1, round(height * scale)))


def warp(image: Image, matrix: NDArray[np.float64], size_px: int) -> Image:
    """Warp the image by the 2×3 `matrix` (image → crop) into a (size_px, size_px, 3) crop.

    Bilinear, with repeated border; a region at least twice as large as the crop is halved first, so that fine
    texture does not turn into noise.
    """
    height, width = image.shape[:2]
    (a, b, x), (c, d, y) = matrix.tolist()  # plain floats: arrays of two take longer than the warp
    shrink = 1 / max(math.hypot(a, c), 1e-9) + 1e-6  # so that 7.9999 counts as 8
    more = 3 + int(min(shrink, max(width, height)))  # part of the last block may be cut off
    across, down = cv2.invertAffineTransform(matrix).tolist()
    left, right = _reach(across, size_px, more, width)
    top, bottom = _reach(down, size_px, more, height)
    region = image[top:bottom, left:right]
    x, y = x + a * left + b * top, y + c * left + d * top
    while shrink >= 2 and min(region.shape[:2]) >= 2:
        region, shrink = halved(region), shrink / 2
        x, y = x + (a + b) / 2, y + (c + d) / 2  # the centre of pixel 0 has moved
        a, b, c, d = a * 2, b * 2, c * 2, d * 2
    to_crop = np.array(((a, b, x), (c, d, y)))
    return cv2.warpAffine(  # type: ignore[return-value]
        region, to_crop, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _reach(way: Sequence[float], size_px: int, more_px: int, most_px: int) -> tuple[int, int]:
    """The half-open range of image pixels that a crop shows in one direction.

    `way` holds the coefficients of the crop's x and y, and the constant term.
    """
    x, y, start = (way[0] * size_px, way[1] * size_px, way[2])
    first = math.floor(start + min(x, 0.0) + min(y, 0.0)) - 2
    last = math.ceil(start + max(x, 0.0) + max(y, 0.0)) + more_px
    first = min(max(first, 0), most_px - 1)
    return first, min(max(last, first + 1), most_px)


def margin_square(box: Box, margin: float) -> tuple[float, float, float]:
    """Left, top and side, in pixels, of the square that `margin_crop` cuts out."""
    (x, y), side = box.center, max(1.0, max(box.width, box.height) * (1 + 2 * margin))
    return x - side / 2, y - side / 2, side


def margin_crop(image: Image, box: Box, margin: float, size_px: int) -> Image:
    """Crop the square around `box`, extended by `margin` of its longer side on each side.

    RGB, (size_px, size_px, 3); where it leaves the image, border pixels are repeated.
    """
    left, top, side = margin_square(box, margin)
    scale = size_px / side
    matrix = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]], dtype=np.float64)
    matrix[:, 2] += scale / 2 - 0.5
    return warp(image, matrix, size_px)


CROP_PX = 160


CROP_MARGIN = 0.3
