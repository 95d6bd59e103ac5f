"""Where chips go in a scene, and what becomes of the faces in them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agegender.types import Image
from training.detector.material import CHIP_PX, SIDE_PX, Chip, Faces

SMALLEST_PX = 10.0
SEEN_PART = 0.55
"""Smaller faces, and those of which less is to be seen, are neither taught nor counted as mistakes."""
MIRRORED = [1, 0, 2, 4, 3]
"""The order of the landmarks in a mirror image: right and left change places."""


def moved(faces: Faces, matrix: NDArray[np.float64]) -> Faces:
    """Return the faces where a 2×3 similarity, perhaps with a reflection, puts them.

    A face is about an ellipse, so a turned one has the box of the turned ellipse.
    """
    halves = (faces[:, 2:4] - faces[:, :2]) / 2
    centers = (faces[:, :2] + faces[:, 2:4]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    halves = np.sqrt(halves**2 @ (matrix[:, :2] ** 2).T)
    landmarks = faces[:, 4:].reshape(-1, 5, 2) @ matrix[:, :2].T + matrix[:, 2]
    if np.linalg.det(matrix[:, :2]) < 0:
        landmarks = landmarks[:, MIRRORED]
    return np.concatenate([centers - halves, centers + halves, landmarks.reshape(-1, 10)], axis=1).astype(
        np.float32
    )


def placement(
    center_xy: tuple[float, float], target_xy: tuple[float, float], scale: float, rng: Generator
) -> NDArray[np.float64]:
    """Return a matrix that brings a point to another, scaled, turned and perhaps mirrored."""
    angle = np.deg2rad(rng.uniform(-50, 50) if rng.random() < 0.3 else rng.normal(0, 9))
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    return np.column_stack([matrix, np.array(target_xy) - matrix @ center_xy])


def outline(chip: Chip, rng: Generator) -> NDArray[np.float32]:
    """Return how much of each pixel is put into the scene: all, soft at the edges, or the head alone."""
    kind = rng.random()
    if kind < 0.35:
        return np.ones((CHIP_PX, CHIP_PX), np.float32)
    y, x = np.mgrid[:CHIP_PX, :CHIP_PX].astype(np.float32)
    if kind < 0.65:
        edge = np.minimum(np.minimum(x, CHIP_PX - 1 - x), np.minimum(y, CHIP_PX - 1 - y))
        return np.clip(edge / rng.uniform(3, 25), 0, 1)
    left, top, right, bottom = chip.faces[0, :4]
    radius = np.hypot(
        (x - (left + right) / 2) / ((right - left) / 2 * rng.uniform(1.15, 1.7)),
        (y - (top + bottom) / 2) / ((bottom - top) / 2 * rng.uniform(1.1, 1.6)),
    )
    return np.clip((1 - radius) / rng.uniform(0.02, 0.3), 0, 1)


class Scene:
    """A picture that grows, with the faces that are to be found and the boxes where nothing is judged."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.faces: list[Faces] = []
        self.unjudged: list[NDArray[np.float32]] = []

    def put(self, chip: Chip, matrix: NDArray[np.float64], alpha: NDArray[np.float32] | None) -> None:
        """Put a chip in; faces that it covers for the most part are no longer to be found."""
        window = reached(matrix) if alpha is not None else (0, 0, SIDE_PX, SIDE_PX)
        left, top, right, bottom = window
        if right <= left or bottom <= top:
            return
        inside = matrix - np.array([[0, 0, left], [0, 0, top]])
        size, scale = (right - left, bottom - top), np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        image, transform = chip.image, inside
        if scale < 0.6:  # bilinear sampling alone would skip pixels
            side_px = max(8, round(CHIP_PX * scale))
            image = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            larger = CHIP_PX / side_px
            shift = matrix[:, :2].sum(axis=1) * (larger - 1) / 2  # pixels have their middles at whole numbers
            transform = np.column_stack([inside[:, :2] * larger, inside[:, 2] + shift])
        border = cv2.BORDER_REPLICATE
        warped = cv2.warpAffine(image, transform, size, flags=cv2.INTER_LINEAR, borderMode=border)
        if alpha is None:
            self.image, self.faces = warped, []  # type: ignore[assignment]
        else:
            mask = cv2.warpAffine(alpha, inside, size, flags=cv2.INTER_LINEAR)
            self._cover(mask, left, top)  # type: ignore[arg-type]
            below = self.image[top:bottom, left:right]
            below[:] = cv2.blendLinear(warped, np.ascontiguousarray(below), mask, 1 - mask)
        for face in moved(chip.faces, matrix):
            seen = clipped(face[:4])
            part = area(seen) / max(area(face[:4]), 1e-6)
            if area(face[:4]) < SMALLEST_PX**2 or part < SEEN_PART:
                if part > 0:
                    self.unjudged.append(seen)
            else:
                self.faces.append(face)

    def _cover(self, mask: NDArray[np.float32], left_px: int, top_px: int) -> None:
        still_seen = []
        for face in self.faces:
            left, top, right, bottom = clipped(face[:4]).astype(int)
            over = mask[
                max(0, top - top_px) : max(0, bottom + 1 - top_px),
                max(0, left - left_px) : max(0, right + 1 - left_px),
            ]
            hidden = over.sum() / max(1, (bottom + 1 - top) * (right + 1 - left))
            if hidden < 0.35:
                still_seen.append(face)
            elif hidden < 0.9:
                self.unjudged.append(clipped(face[:4]))
        self.faces = still_seen


def reached(matrix: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return the left, top, right and bottom pixel between which a chip comes to lie in the scene."""
    corners = (
        np.array([(x, y) for x in (-1, CHIP_PX) for y in (-1, CHIP_PX)]) @ matrix[:, :2].T + matrix[:, 2]
    )
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)) + 1, SIDE_PX).astype(int).tolist()
    return left, top, right, bottom


def clipped(box: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(box, 0, SIDE_PX - 1)


def area(box: NDArray[np.float32]) -> float:
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def size_of(chip: Chip) -> float:
    """Return the root of the area of the main face's box."""
    return float(np.sqrt(area(chip.faces[0, :4])))


def center_of(chip: Chip) -> tuple[float, float]:
    left, top, right, bottom = chip.faces[0, :4].tolist()
    return (left + right) / 2, (top + bottom) / 2
