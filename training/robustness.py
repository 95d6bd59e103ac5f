"""Measure the pipeline on the evaluation pictures with something worn, in bad light, mirrored and lit anew.

    python -m training.robustness DATA [LIMIT]

DATA is a folder with fairface-val.csv and .tar and utkface-val.csv and .tar; of each set at most LIMIT
pictures are taken, or all. Everything is drawn into the picture where YuNet sees the face, by another hand
than in training (`training.occlusions`), and the changed picture goes through the whole pipeline.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.estimation.alignment import TEMPLATE, similarity
from agegender.types import Face, Image

MASK = ((0.5, 0.44), (0.72, 0.5), (0.84, 0.56), (0.82, 0.78), (0.62, 0.98))
"""One half of a mask, from the ridge of the nose to the chin, in the aligned crop."""
MASK_RGB = (170, 205, 225)
LENS_PARTS = (0.36, 0.3)
"""Half the width and half the height of a dark lens, in parts of the distance between the eyes."""


def mask(image: Image, face: Face) -> Image:
    """Draw a light blue mask over nose, mouth and chin."""
    to_image = similarity(TEMPLATE, face.landmarks)
    half = np.array(MASK)
    outline = np.concatenate([half, (half * (-1, 1) + (1, 0))[::-1]])
    return _filled(image, outline @ to_image[:, :2].T + to_image[:, 2], MASK_RGB)


def sunglasses(image: Image, face: Face) -> Image:
    """Draw two black lenses and what joins them over the eyes."""
    eyes = np.array(face.landmarks[:2])
    across = eyes[1] - eyes[0]
    down = np.array((-across[1], across[0]))
    angles = np.linspace(0, 2 * np.pi, 40)[:, None]
    lens = LENS_PARTS[0] * np.cos(angles) * across + LENS_PARTS[1] * np.sin(angles) * down
    bar = np.array([eyes[0] - 0.06 * down, eyes[1] - 0.06 * down, eyes[1] + 0.03 * down, eyes[0] + 0.03 * down])
    for outline in (eyes[0] + 0.06 * down + lens, eyes[1] + 0.06 * down + lens, bar):
        image = _filled(image, outline, (15, 15, 15))
    return image


def overexposed(image: Image, _face: Face) -> Image:
    """Let four times the light in: what was light is white."""
    return _light(image, 4.0)


def dark(image: Image, _face: Face) -> Image:
    """Leave three tenths of each value."""
    return np.rint(0.3 * image.astype(np.float32)).astype(np.uint8)


def mirrored(image: Image, _face: Face) -> Image:
    """Turn left and right around."""
    return np.ascontiguousarray(image[:, ::-1])


def lit_anew(image: Image, face: Face) -> Image:
    """Let a warm lamp shine from the left and take some of the light away on the right."""
    ramp = np.clip((np.arange(image.shape[1]) - face.box.left) / max(1.0, face.box.width), -0.5, 1.5)
    light = (1.35 - 0.7 * ramp)[None, :, None] * np.array((1.05, 1.0, 0.88))
    return np.clip(image * light, 0, 255).astype(np.uint8)


def _light(image: Image, gain: float) -> Image:
    values = np.clip((np.arange(256) / 255) ** 2.2 * gain, 0, 1) ** (1 / 2.2)
    return np.asarray(cv2.LUT(image, np.rint(255 * values).astype(np.uint8)), dtype=np.uint8)


def _filled(image: Image, outline: NDArray[np.float64], color: tuple[int, int, int]) -> Image:
    points = np.rint(16 * outline).astype(np.int32)
    return np.asarray(cv2.fillPoly(image.copy(), [points], color, cv2.LINE_AA, 4), dtype=np.uint8)
