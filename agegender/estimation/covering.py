"""Occlusion: the probability that a mask or sunglasses cover a face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.types import Image

CELLS = 8
"""The aligned face is divided into this many rows and columns of cells."""
INNER = slice(12, 54)
"""Rows and columns of a 64-pixel crop that show hardly anything but the face."""

CONSTANT = 0.24
WEIGHTS_PERCENT = np.array(
    [
        [
            [-7, 2, -9, 5],
            [5, 3, -2, -1],
            [-2, 34, 7, 6],
            [-7, -11, -1, -47],
            [-6, -12, 16, 9],
            [4, 0, 8, 36],
            [-2, 10, 3, -27],
            [-1, -10, 3, 16],
        ],
        [
            [-6, 18, 9, -7],
            [12, -5, -7, 13],
            [-28, -45, -8, 5],
            [21, 1, -21, -23],
            [-4, -14, -9, -11],
            [-4, -5, -1, 44],
            [10, -13, -16, 21],
            [-5, 16, -11, 14],
        ],
        [
            [-23, 7, 14, -1],
            [-12, -15, -42, 13],
            [-20, 19, 40, 111],
            [20, 13, 24, 11],
            [-5, -36, -35, 48],
            [-4, 16, 5, 23],
            [-8, -4, 0, 21],
            [-5, 2, -9, -18],
        ],
        [
            [-15, -9, -16, 2],
            [-27, -39, 62, -1],
            [56, 40, -222, -59],
            [-31, 57, 195, 186],
            [23, 30, 26, -85],
            [8, -71, -128, -156],
            [12, 39, -34, -91],
            [-26, -4, 31, 32],
        ],
    ]
)
"""Weights of `features` for the left half of the face, mirrored for the right.

Printed by `python -m training.covering`, which fits them on training faces with and without drawn masks and
sunglasses.
"""


def probability_covered(crop: Image) -> float:
    """Probability, 0 to 1, that something covers the face, by logistic regression.

    `crop` is the aligned face, RGB, (64, 64, 3).
    """
    weights = np.concatenate([WEIGHTS_PERCENT, WEIGHTS_PERCENT[..., ::-1]], axis=-1) / 100
    logit = float((features(crop) * weights).sum()) + CONSTANT
    return float(1 / (1 + np.exp(-logit)))


def features(crop: Image) -> NDArray[np.float32]:
    """Features of an aligned face, RGB (64, 64, 3), as (4, CELLS, CELLS).

    For each cell: how much lighter than the face it is, the absolute value of that, the distance of its
    colour from the face's, and its amount of detail. In CIELAB, with lightness in units of the face's own
    variation.
    """
    lab = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2LAB), dtype=np.float32)
    inner = lab[INNER, INNER].reshape(-1, 3)
    light, red, blue = np.median(inner, axis=0)
    spread = inner[:, 0].std() + 8
    squares = np.dstack([lab, lab[..., 0] ** 2])
    cells = cv2.resize(squares, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    lighter = (cells[..., 0] - light) / spread
    colour = np.hypot(cells[..., 1] - red, cells[..., 2] - blue) / 12
    detail = np.sqrt(np.maximum(0, cells[..., 3] - cells[..., 0] ** 2)) / spread
    return np.stack([lighter, np.abs(lighter), colour, detail]).astype(np.float32)
