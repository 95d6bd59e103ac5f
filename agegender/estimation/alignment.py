"""Alignment: from a face in a picture to an estimator's crop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agegender.imaging.geometry import warp
from agegender.types import Face, Image, Point

# Landmark positions of a frontal face in the aligned crop, as fractions of its side. The shape is ArcFace's
# well-known template for 112×112 crops (Deng et al., 2019), enlarged 1.13 times and moved up so that the crop
# shows what FairFace's pictures show, from hairline to chin, and little beyond.
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

# Centre and square root of the area of the box that YuNet draws around such a face, in the same units: where
# a box without landmarks is placed. Medians over FairFace's training faces with 60 to 120 pixels of border
# repeated around each picture, whose own edges would otherwise cut the box short; real photographs agree.
TEMPLATE_BOX_CENTER = (0.5, 0.435)
TEMPLATE_BOX_SIDE = 0.94


def similarity(source: Sequence[Point], target: Sequence[Point]) -> NDArray[np.float64]:
    """The 2×3 similarity transform (rotation, scale, shift) that best maps `source` onto `target`.

    Takes equally many points of each, at least 2 and not all the same. Least squares without reflection: in
    two dimensions, Umeyama's solution (1991) is a single complex number.
    """
    z, w = [complex(*point) for point in source], [complex(*point) for point in target]
    z_mean, w_mean = sum(z) / len(z), sum(w) / len(w)
    centered = [point - z_mean for point in z]
    size = sum(point.real**2 + point.imag**2 for point in centered)
    turn = sum(a.conjugate() * (b - w_mean) for a, b in zip(centered, w, strict=True)) / max(size, 1e-12)
    shift = w_mean - turn * z_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def face_matrix(face: Face) -> NDArray[np.float64]:
    """The 2×3 matrix that maps the face, in pixels of its image, onto the unit square.

    Uses the five landmarks if there are any, otherwise the box alone, taken as upright.
    """
    if face.landmarks:
        return similarity(face.landmarks, TEMPLATE)
    (x, y), side = face.box.center, max(1.0, (face.box.width * face.box.height) ** 0.5)
    scale = TEMPLATE_BOX_SIDE / side
    return np.array(
        [[scale, 0, TEMPLATE_BOX_CENTER[0] - scale * x], [0, scale, TEMPLATE_BOX_CENTER[1] - scale * y]]
    )


def align(image: Image, face: Face, size_px: int, margin: float = 0.0) -> Image:
    """Crop the face upright and centred: RGB, (size_px, size_px, 3).

    `margin` widens the view by that fraction of its side on each side. Where the face leaves the image,
    border pixels are repeated.
    """
    matrix, scale = face_matrix(face), size_px / (1 + 2 * margin)
    matrix[:, 2] += margin + matrix[:, :2].sum(1) / 2
    matrix *= scale
    matrix[:, 2] -= 0.5  # from pixel corners to pixel centres, OpenCV's origin
    return warp(image, matrix, size_px)
