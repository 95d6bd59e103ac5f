"""Edits of a single face: lighting, sharpness, size, rotation, occlusion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.estimation.alignment import TEMPLATE, face_matrix
from agegender.types import Face, Image, Point

Cover = Literal["Nothing", "Mask", "Sunglasses"]

MARGIN = 0.8
"""Context kept around a face, in units of its box's longer side: all that the nets look at."""

LARGEST_PX = 256
"""Faces are scaled down to this height, more than the nets need."""

COVERS: dict[Cover, tuple[int, int, int]] = {"Mask": (168, 200, 214), "Sunglasses": (12, 12, 14)}


@dataclass(frozen=True, slots=True)
class Changes:
    """Edits applied to a face before it is estimated; none by default.

    `light` and `contrast` are changes in per cent, `blur` is in per cent of the maximum, `size` in per cent
    of the face's own, `turn` in degrees clockwise, and `jpeg` is a JPEG quality.
    """

    light: int = 0
    contrast: int = 0
    blur: int = 0
    size: int = 100
    turn: int = 0
    jpeg: int = 100
    cover: Cover = "Nothing"


@dataclass(frozen=True, slots=True)
class Slider:
    """The range of one of the `Changes`, from `first` to `last`, which may be the smaller one."""

    label: str
    unit: str
    first: int
    last: int
    step: int


SLIDERS = {
    "light": Slider("Light", " %", -90, 90, 10),
    "contrast": Slider("Contrast", " %", -90, 90, 10),
    "blur": Slider("Blur", " %", 0, 100, 10),
    "size": Slider("Size", " %", 5, 100, 5),
    "turn": Slider("Turn", "°", -180, 180, 15),
    "jpeg": Slider("JPEG quality", "", 5, 100, 5),
}

Cut = tuple[Image, Face]
"""An RGB image and a face in it."""


def cut_out(image: Image, face: Face, largest_px: int = LARGEST_PX) -> Cut:
    """Cut out the part of an RGB image around a face, scaled down if need be, and the face in it."""
    (x, y), side = face.box.center, max(face.box.width, face.box.height)
    reach, (height_px, width_px) = side * (0.5 + MARGIN), image.shape[:2]
    left, top = max(0, math.floor(x - reach)), max(0, math.floor(y - reach))
    right, bottom = min(width_px, math.ceil(x + reach)), min(height_px, math.ceil(y + reach))
    part, found = image[top:bottom, left:right], face.moved(1, 1, -left, -top)
    return scaled((part, found), min(1.0, largest_px / side))


def scaled(cut: Cut, scale: float) -> Cut:
    """Scale the image, usually down, and the face in it."""
    image, face = cut
    if scale == 1.0:
        return cut
    height_px, width_px = (max(1, round(side * scale)) for side in image.shape[:2])
    small = cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8), face.moved(width_px / image.shape[1], height_px / image.shape[0])


def changed(cut: Cut, changes: Changes) -> Cut:
    """Apply the changes to the image; returns it and the face at its new position."""
    image, face = cut
    if changes.light or changes.contrast:
        image = _lit(image, 1 + changes.light / 100, 1 + changes.contrast / 100)
    if changes.cover != "Nothing":
        image = covered(image, _outline(face, changes.cover), COVERS[changes.cover])
    if changes.blur:
        sigma = max(face.box.width, 1) * 0.12 * changes.blur / 100
        image = cv2.GaussianBlur(image, (0, 0), sigma).astype(np.uint8)
    image, face = scaled((image, face), changes.size / 100)
    if changes.turn:
        image, face = _turned(image, face, changes.turn)
    if changes.jpeg < 100:
        image = _saved(image, changes.jpeg)
    return image, face


def _saved(image: Image, quality: int) -> Image:
    """Round-trip the RGB image through JPEG."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert read is not None
    return np.ascontiguousarray(read[..., ::-1], dtype=np.uint8)


def _lit(image: Image, light: float, contrast: float) -> Image:
    middle = float(image.mean())
    lit = ((image.astype(np.float32) - middle) * contrast + middle) * light
    pixels: Image = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
    return pixels


def _turned(image: Image, face: Face, degrees: float) -> Cut:
    height_px, width_px = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(face.box.center, -degrees, 1.0)
    turned = cv2.warpAffine(
        image, matrix, (width_px, height_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    landmarks = tuple((float(x), float(y)) for x, y in moved(face.landmarks, matrix))
    return turned.astype(np.uint8), replace(face, landmarks=landmarks)


def moved(points: Sequence[Point], matrix: NDArray[Any]) -> list[list[float]]:
    """Map points by a 2×3 matrix."""
    return [(matrix @ (x, y, 1.0)).tolist() for x, y in points]


def landmarks_of(face: Face) -> tuple[Point, ...]:
    """The five landmarks, or where they would be for a detector that gives none."""
    if face.landmarks:
        return face.landmarks
    back = cv2.invertAffineTransform(face_matrix(face))
    return tuple((float(x), float(y)) for x, y in moved(TEMPLATE, back))


def _outline(face: Face, cover: Cover) -> list[NDArray[np.int32]]:
    """Outlines of a mask or of sunglasses, in pixels."""
    right, left, nose, mouth_right, mouth_left = (np.array(point) for point in landmarks_of(face))
    across, mouth = left - right, (mouth_right + mouth_left) / 2
    down = mouth - (right + left) / 2
    if cover == "Sunglasses":
        glasses = [
            [eye + across * x + down * y for x, y in ((-0.4, -0.3), (0.4, -0.3), (0.3, 0.3), (-0.3, 0.3))]
            for eye in (right, left)
        ]
        bridge = [right - down * 0.12, left - down * 0.12, left - down * 0.02, right - down * 0.02]
        return [np.rint(points).astype(np.int32) for points in (*glasses, bridge)]
    mask = [
        nose - down * 0.15,
        mouth_left + across * 0.4 - down * 0.45,
        mouth_left + across * 0.35 + down * 0.3,
        mouth + across * 0.25 + down * 0.75,
        mouth - across * 0.25 + down * 0.75,
        mouth_right - across * 0.35 + down * 0.3,
        mouth_right - across * 0.4 - down * 0.45,
    ]
    return [np.rint(mask).astype(np.int32)]


def covered(image: Image, outlines: list[NDArray[np.int32]], colour: Sequence[float]) -> Image:
    """Copy of the RGB image with the outlines filled."""
    drawn = np.array(image, order="C")
    for outline in outlines:
        cv2.fillPoly(drawn, [outline], tuple(colour), cv2.LINE_AA)
    return drawn
