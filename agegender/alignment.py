"""From a face in a picture to the crop that an estimator asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.scaling import halved
from agegender.types import Box, Face, Image, Point

# Where the five landmarks of a frontal face lie in the aligned crop, as parts of its side. The shape is
# ArcFace's well-known template for 112×112 crops (Deng et al., 2019), made 1.13 times as large and moved
# up, so that the crop shows what FairFace's pictures show, from hairline to chin, and little beyond.
TEMPLATE = tuple(
    ((x - 56.0) * 1.13 / 112 + 0.5, (y - 64.0) * 1.13 / 112 + 0.42)
    for x, y in (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    )
)

# The middle of the box that YuNet draws around such a face, and the root of its area, in the same units:
# where a box without landmarks is laid. Medians over FairFace's training faces with 60 to 120 pixels of
# border repeated around each picture, whose own edges would cut the box short; real photographs agree.
TEMPLATE_BOX_CENTER = (0.5, 0.435)
TEMPLATE_BOX_SIDE = 0.94


def similarity(source: Sequence[Point], target: Sequence[Point]) -> NDArray[np.float64]:
    """Return the 2×3 matrix of rotation, scale and shift that best maps `source` onto `target`.

    As many points of each, at least 2 and not all the same. Least squares, without reflection: in two
    dimensions Umeyama's solution (1991) is a single complex number.
    """
    z, w = [complex(*point) for point in source], [complex(*point) for point in target]
    z_mean, w_mean = sum(z) / len(z), sum(w) / len(w)
    centered = [point - z_mean for point in z]
    size = sum(point.real**2 + point.imag**2 for point in centered)
    turn = sum(a.conjugate() * (b - w_mean) for a, b in zip(centered, w, strict=True)) / max(size, 1e-12)
    shift = w_mean - turn * z_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def face_matrix(face: Face) -> NDArray[np.float64]:
    """Return the 2×3 matrix that maps the face, in pixels of its image, onto the unit square.

    From the five landmarks where there are some, else from the box alone, taken as upright.
    """
    if face.landmarks:
        return similarity(face.landmarks, TEMPLATE)
    (x, y), side = face.box.center, max(1.0, (face.box.width * face.box.height) ** 0.5)
    scale = TEMPLATE_BOX_SIDE / side
    return np.array(
        [[scale, 0, TEMPLATE_BOX_CENTER[0] - scale * x], [0, scale, TEMPLATE_BOX_CENTER[1] - scale * y]]
    )


def align(image: Image, face: Face, size_px: int, margin: float = 0.0) -> Image:
    """Return the face upright and centred, an RGB crop of shape (size_px, size_px, 3).

    `margin` widens the view by that part of its side on each side. Where the face leaves the image
    the border pixels are repeated.
    """
    matrix, scale = face_matrix(face), size_px / (1 + 2 * margin)
    matrix[:, 2] += margin + matrix[:, :2].sum(1) / 2
    matrix *= scale
    matrix[:, 2] -= 0.5  # from corners of pixels to their centres, which is what OpenCV counts from
    return warp(image, matrix, size_px)


def warp(image: Image, matrix: NDArray[np.float64], size_px: int) -> Image:
    """Return the (size_px, size_px, 3) crop that the 2×3 `matrix` (image → crop) cuts out.

    Bilinear, with the border repeated; a region twice as large as the crop, or more, is halved first, so
    that fine texture does not turn into noise.
    """
    height, width = image.shape[:2]
    (a, b, x), (c, d, y) = matrix.tolist()  # plain numbers: arrays of two take longer than the warping itself
    shrink = 1 / max(math.hypot(a, c), 1e-9) + 1e-6  # 7.9999 of rounding errors is 8
    more = 3 + int(min(shrink, max(width, height)))  # of the last block a part may have to go
    across, down = cv2.invertAffineTransform(matrix).tolist()
    left, right = _reach(across, size_px, more, width)
    top, bottom = _reach(down, size_px, more, height)
    region = image[top:bottom, left:right]
    x, y = x + a * left + b * top, y + c * left + d * top
    while shrink >= 2 and min(region.shape[:2]) >= 2:
        region, shrink = halved(region), shrink / 2
        x, y = x + (a + b) / 2, y + (c + d) / 2  # pixel 0's centre has moved
        a, b, c, d = a * 2, b * 2, c * 2, d * 2
    to_crop = np.array(((a, b, x), (c, d, y)))
    return cv2.warpAffine(  # type: ignore[return-value]
        region, to_crop, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _reach(way: Sequence[float], size_px: int, more_px: int, most_px: int) -> tuple[int, int]:
    """Return from which pixel on, and up to before which, a crop shows the image in one direction.

    `way` are the numbers by which x and y in the crop, and 1, count.
    """
    x, y, start = (way[0] * size_px, way[1] * size_px, way[2])
    first = math.floor(start + min(x, 0.0) + min(y, 0.0)) - 2
    last = math.ceil(start + max(x, 0.0) + max(y, 0.0)) + more_px
    first = min(max(first, 0), most_px - 1)
    return first, min(max(last, first + 1), most_px)


def margin_square(box: Box, margin: float) -> tuple[float, float, float]:
    """Return left, top and side, in pixels, of the square that `margin_crop` cuts out."""
    (x, y), side = box.center, max(1.0, max(box.width, box.height) * (1 + 2 * margin))
    return x - side / 2, y - side / 2, side


def margin_crop(image: Image, box: Box, margin: float, size_px: int) -> Image:
    """Return the square around `box`, grown by `margin` of its longer side on each side.

    An RGB crop of shape (size_px, size_px, 3); where it leaves the image the border pixels are repeated.
    """
    left, top, side = margin_square(box, margin)
    scale = size_px / side
    matrix = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]], dtype=np.float64)
    matrix[:, 2] += scale / 2 - 0.5
    return warp(image, matrix, size_px)
