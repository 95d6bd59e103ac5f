"""Make faces unrecognisable."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from agegender.types import Face, Image

BLOCKS = 6
"""Blocks across and down a hidden face: too few to recognise anybody."""


def blur_faces(image: Image, faces: Iterable[Face]) -> Image:
    """Replace each face, hair and chin included, by a few plain blocks in a copy of the RGB image.

    Unlike a mere blur, averaging cannot be reversed.
    """
    blurred = np.array(image, order="C")
    height, width = blurred.shape[:2]
    for face in faces:
        box = face.box
        (x, y), half_width, half_height = box.center, 0.75 * box.width, 0.85 * box.height
        y -= 0.08 * box.height  # hair extends further above the box than the chin below it
        left, right = (int(np.clip(side, 0, width)) for side in (x - half_width, x + half_width + 1))
        top, bottom = (int(np.clip(side, 0, height)) for side in (y - half_height, y + half_height + 1))
        if left >= right or top >= bottom:
            continue
        region = blurred[top:bottom, left:right]
        # Blocks stay the same size where the face leaves the picture.
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
    """Number of blocks that hide the visible part of a face, each larger than a pixel."""
    return max(1, min(round(BLOCKS * visible_px / max(1.0, whole_px)), visible_px // 2))


def veil(image: Image) -> Image:
    """Reduce an RGB image to little more than its colours, at the same size.

    It keeps no more detail than a hidden face that fills it: nobody must be recognisable, although no faces
    were looked for.
    """
    height, width = image.shape[:2]
    scale = BLOCKS / max(1, min(height, width))
    blocks = max(1, min(round(width * scale), width // 2)), max(1, min(round(height * scale), height // 2))
    means = cv2.resize(image, blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
