"""Face quality: cheap measures, and warnings where such faces are estimated less well.

The thresholds come from faces held out of training, as they are and degraded on purpose: each is where the
error becomes clearly larger (`python -m training.quality` prints them). Measures without such an effect have
no warning.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.estimation.alignment import align, face_matrix
from agegender.estimation.covering import probability_covered
from agegender.types import WARNINGS, Face, Image

SEEN_PX = 64
"""Side of the aligned crop that is measured; finer detail does not matter."""

# Below each of these, estimates are worse by at least 0.75 years of age or four points of gender. Covered
# faces are worse from the start: that limit is where one held-out face in a hundred counts as covered.
LEAST_PX = 18.0
LEAST_SHARPNESS = 0.014
LEAST_LIGHT = 37.0
LEAST_UNBURNT = 0.58
LEAST_FRONTALITY = 0.25
LEAST_UNCOVERED = 0.1
LEAST_INSIDE = 0.85

FACE_SQUARE = np.array([[(0.15, 0.1), (0.85, 0.1), (0.85, 0.85), (0.15, 0.85)]])
"""What must be visible of the aligned square: ear to ear, brows to chin; the rest is hair and background."""

BRIGHTEST = 115
"""Rank from the top of the 95th-percentile brightness among the inner 48×48 pixels."""

BURNT = 250
"""Grey level, of 255, from which a pixel is overexposed."""

# Second differences along a row, a column and both diagonals.
WAYS = tuple(
    np.array(way, dtype=np.float32)
    for way in (
        [[0, 0, 0], [1, -2, 1], [0, 0, 0]],
        [[0, 1, 0], [0, -2, 0], [0, 1, 0]],
        [[1, 0, 0], [0, -2, 0], [0, 0, 1]],
        [[0, 0, 1], [0, -2, 0], [1, 0, 0]],
    )
)

WORDS = {
    "small": "small",
    "blurred": "blurred",
    "dark": "poorly lit",
    "overexposed": "overexposed",
    "turned away": "turned away",
    "covered": "partly covered",
    "cut off": "cut off by the picture's edge",
    "tilted": "perhaps on its side or upside down",
}
"""How each warning completes the sentence 'The face is …'."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measurements of a face.

    `height_px` is the height of its box. `sharpness` is the strength of the finest detail relative to
    contrast, in the direction where it is weakest. `light` is the 95th-percentile brightness, 0 to 255: eyes
    and reflections are bright on any skin. `unburnt` is the fraction of pixels not overexposed. `frontal` is
    1 for a face that looks into the camera, near 0 for a profile; `uncovered` is the probability that neither
    a mask nor sunglasses cover it; both are None without landmarks. `inside` is the fraction of `FACE_SQUARE`
    within the picture.
    """

    height_px: float
    sharpness: float
    light: float
    unburnt: float
    frontal: float | None
    uncovered: float | None
    inside: float


def measure(image: Image, face: Face) -> Quality:
    """Measure a face in an RGB image."""
    crop = align(image, face, SEEN_PX)
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    edge = SEEN_PX // 8
    inner = grey[edge:-edge, edge:-edge]
    return Quality(
        face.box.height,
        sharpness(inner),
        float(np.partition(inner, -BRIGHTEST, axis=None)[-BRIGHTEST]),
        float(np.mean(inner < BURNT)),
        frontality(face) if face.landmarks else None,
        1 - probability_covered(crop) if face.landmarks else None,
        inside(image, face),
    )


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Strength of the finest detail of a grey crop relative to contrast, in its weakest direction.

    The least variance of second differences along rows, columns and diagonals, because motion blurs in one
    direction only.
    """
    details = (cv2.filter2D(grey, cv2.CV_32F, way)[1:-1, 1:-1] for way in WAYS)
    weakest = min(cv2.meanStdDev(detail)[1].item() for detail in details)
    return weakest**2 / max(1.0, cv2.meanStdDev(grey)[1].item() ** 2)


def inside(image: Image, face: Face) -> float:
    """Fraction of the face's aligned square that is within the picture, 0 to 1."""
    height_px, width_px = image.shape[:2]
    corners = cv2.transform(FACE_SQUARE, cv2.invertAffineTransform(face_matrix(face)))
    picture = np.array([[(0, 0), (width_px, 0), (width_px, height_px), (0, height_px)]], dtype=np.float32)
    common, _ = cv2.intersectConvexConvex(corners.astype(np.float32), picture)
    return float(common / max(1e-6, cv2.contourArea(corners.astype(np.float32))))


def warnings_of(image: Image, face: Face, tilted: bool = False) -> tuple[str, ...]:
    """The `types.WARNINGS` that apply to a face in an RGB image, in their order.

    `tilted` says that it remained unclear which way up the face is.
    """
    seen = measure(image, face)
    holds = (
        seen.height_px < LEAST_PX,
        seen.sharpness < LEAST_SHARPNESS,
        seen.light < LEAST_LIGHT,
        seen.unburnt < LEAST_UNBURNT,
        seen.frontal is not None and seen.frontal < LEAST_FRONTALITY,
        seen.uncovered is not None and seen.uncovered < LEAST_UNCOVERED,
        seen.inside < LEAST_INSIDE,
        tilted,
    )
    return tuple(name for name, held in zip(WARNINGS, holds, strict=True) if held)


def sentence(warnings: Collection[str]) -> str:
    """Put one or more warnings into words: 'The face is small and turned away.'"""
    *others, last = (words for warning, words in WORDS.items() if warning in warnings)
    return f"The face is {', '.join(others)}{' and ' if others else ''}{last}."


UNKNOWN_VIEW = 0.5
"""Frontality assumed for a face without landmarks."""


def frontality(face: Face) -> float:
    """Frontality, from 1 for a face that looks into the camera down to 0.1 for a profile.

    Measured as the position of the nose between the eyes, along the line through them; tilting the head does
    not change it. `UNKNOWN_VIEW` without landmarks.
    """
    if not face.landmarks:
        return UNKNOWN_VIEW
    (right_x, right_y), (left_x, left_y), (nose_x, nose_y) = face.landmarks[:3]
    across = (left_x - right_x, left_y - right_y)
    length = math.hypot(*across)
    if length == 0:
        return 0.1
    nose = ((nose_x - right_x) * across[0] + (nose_y - right_y) * across[1]) / length**2
    return min(1.0, max(0.1, 1 - abs(2 * nose - 1)))
