"""How well a face can be seen: cheap measures, and the warnings where faces like it are read worse.

The thresholds come from faces held out of training, as they are and made worse on purpose: each lies where
the error begins to be clearly larger (`python -m training.quality`, which prints them). A measure that did
not show a larger error has no warning.
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
"""The side of the aligned crop that is measured: detail that is finer does not matter."""

# Below each of these a face is read worse by 0.75 years of age or four points of gender, or more. Covered
# ones are so from the first on: there the limit is where one held-out face in a hundred counts as covered.
LEAST_PX = 18.0
LEAST_SHARPNESS = 0.014
LEAST_LIGHT = 37.0
LEAST_UNBURNT = 0.58
LEAST_FRONTALITY = 0.25
LEAST_UNCOVERED = 0.1
LEAST_INSIDE = 0.85

FACE_SQUARE = np.array([[(0.15, 0.1), (0.85, 0.1), (0.85, 0.85), (0.15, 0.85)]])
"""What has to be seen of the aligned square: ear to ear, brows to chin; the rest is hair and background."""

BRIGHTEST = 115
"""The brightness of a face is this percentile of its inner 48×48 pixels: one in twenty is brighter."""

BURNT = 250
"""From this lightness on, of 255, a pixel shows nothing any more but that there was light."""

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
"""What is said of a face with each of the warnings, after 'The face is'."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured of a face.

    `height_px` is its box's. `sharpness` is how strong the finest detail is, per contrast, in the direction
    in which it is weakest. `light` is how bright the brightest twentieth is, 0 to 255: eyes and reflections
    are bright in any skin. `unburnt` is the part that is not so light that nothing shows. `frontal` is 1 for
    a face that looks into the camera, near 0 for a profile; `uncovered` is how probable it is that neither a
    mask nor sunglasses cover it; both are None without landmarks. `inside` is the part of `FACE_SQUARE` that
    lies within the picture.
    """

    height_px: float
    sharpness: float
    light: float
    unburnt: float
    frontal: float | None
    uncovered: float | None
    inside: float


def measure(image: Image, face: Face) -> Quality:
    """Return what is measured of a face in an RGB image."""
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
    """Return how strong the finest detail of a grey crop is, per contrast, where it is weakest.

    That is the variance of the second differences along a row, a column or a diagonal, whichever is least:
    a movement blurs in one direction only.
    """
    details = (cv2.filter2D(grey, cv2.CV_32F, way)[1:-1, 1:-1] for way in WAYS)
    weakest = min(cv2.meanStdDev(detail)[1].item() for detail in details)
    return weakest**2 / max(1.0, cv2.meanStdDev(grey)[1].item() ** 2)


def inside(image: Image, face: Face) -> float:
    """Return which part of the face's aligned square lies within the picture, 0 to 1."""
    height_px, width_px = image.shape[:2]
    corners = cv2.transform(FACE_SQUARE, cv2.invertAffineTransform(face_matrix(face)))
    picture = np.array([[(0, 0), (width_px, 0), (width_px, height_px), (0, height_px)]], dtype=np.float32)
    common, _ = cv2.intersectConvexConvex(corners.astype(np.float32), picture)
    return float(common / max(1e-6, cv2.contourArea(corners.astype(np.float32))))


def warnings_of(image: Image, face: Face, tilted: bool = False) -> tuple[str, ...]:
    """Return those of `types.WARNINGS` that hold for a face in an RGB image, in their order.

    `tilted` is whether it stayed unsure which way up the face is.
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
    """Return the warnings, of which there is at least one, in words: 'The face is small and turned away.'"""
    *others, last = (words for warning, words in WORDS.items() if warning in warnings)
    return f"The face is {', '.join(others)}{' and ' if others else ''}{last}."


UNKNOWN_VIEW = 0.5
"""How frontal a face counts whose detector gives no landmarks."""


def frontality(face: Face) -> float:
    """Return 1 for a face that looks into the camera, down to 0.1 for a profile.

    That is where the nose lies between the eyes, along the line through them; tilting the head does no
    harm. `UNKNOWN_VIEW` without landmarks.
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
