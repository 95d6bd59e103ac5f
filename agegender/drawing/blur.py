"""Making faces unrecognisable."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from agegender.types import Face, Image

BLOCKS = 6
"""Blocks across and down a hidden face: too few to recognise anybody."""


def blur_faces(image: Image, faces: Iterable[Face]) -> Image:
    """Return a copy of the RGB image in which the faces, hair and chin included, are a few plain blocks.

    What was averaged away cannot be brought back, as it could be from a mere blur.
    """
    blurred = np.array(image, order="C")
    height, width = blurred.shape[:2]
    for face in faces:
        box = face.box
        (x, y), half_width, half_height = box.center, 0.75 * box.width, 0.85 * box.height
        y -= 0.08 * box.height  # there is more hair above the box than chin below it
        left, right = (int(np.clip(side, 0, width)) for side in (x - half_width, x + half_width + 1))
        top, bottom = (int(np.clip(side, 0, height)) for side in (y - half_height, y + half_height + 1))
        if left >= right or top >= bottom:
            continue
        region = blurred[top:bottom, left:right]
        # Blocks are as large where the face leaves the picture as elsewhere.
        columns = block_count(right - left, 2 * half_width)
        rows = block_count(bottom - top, 2 * half_height)
        means = cv2.resize(region, (columns, rows), interpolation=cv2.INTER_AREA)
        blocks = cv2.resize(means, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
        across = (np.arange(left, right) + 0.5 - x) / max(half_width, 0.5)
        down = (np.arange(top, bottom) + 0.5 - y) / max(half_height, 0.5)
        inside = across**2 + down[:, None] ** 2 <= 1
        region[inside] = blocks[inside]
    return blurred


def block_count(visible_px: int, whole_px: float) -> int:
    """Number of blocks that hide the visible part of a face; none is as small as a pixel."""
    return max(1, min(round(BLOCKS * visible_px / max(1.0, whole_px)), visible_px // 2))


def veil(image: Image) -> Image:
    """Return an RGB picture of the same size in which little but colours is left of the image.

    No more than of a hidden face that fills it: nobody is to be recognised, and nobody was looked for.
    """
    height, width = image.shape[:2]
    scale = BLOCKS / max(1, min(height, width))
    blocks = max(1, min(round(width * scale), width // 2)), max(1, min(round(height * scale), height // 2))
    means = cv2.resize(image, blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
