"""What each cell of the three grids is to say of a scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.detector.material import SIDE_PX, Faces
from training.detector.net import STRIDES

SIZES_PX = ((0.0, 44.0), (30.0, 112.0), (72.0, 1e9))
"""Which faces, by the root of their box's area, each grid looks for; where two overlap, both do."""


def cells_of(stride: int) -> NDArray[np.float32]:
    """Return the points of a grid, (cells, 2): x and y in pixels, along rows."""
    side = SIDE_PX // stride
    y, x = np.mgrid[:side, :side]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32) * stride


CELLS = np.concatenate([cells_of(stride) for stride in STRIDES])
CELL_STRIDES = np.concatenate([np.full((SIDE_PX // stride) ** 2, stride, np.float32) for stride in STRIDES])


def targets(faces: Faces, unjudged: NDArray[np.float32]) -> tuple[NDArray[np.int64], Faces]:
    """Return what each cell says: 1 a face, 0 none, −1 not judged, (cells,), and which face, (cells, 14).

    A face is for the cells near its middle, in the grids of its size; a smaller one before a larger one.
    """
    says = np.zeros(len(CELLS), np.int64)
    which = np.zeros((len(CELLS), 14), np.float32)
    for left, top, right, bottom in unjudged.tolist():
        inside = ((left - 4, top - 4) < CELLS).all(axis=1) & ((right + 4, bottom + 4) > CELLS).all(axis=1)
        says[inside] = -1
    sizes = np.sqrt((faces[:, 2] - faces[:, 0]) * (faces[:, 3] - faces[:, 1]))
    for index in np.argsort(-sizes):
        center, size = (faces[index, :2] + faces[index, 2:4]) / 2, sizes[index]
        for stride, (low, high) in zip(STRIDES, SIZES_PX, strict=True):
            if low <= size < high:
                radius = max(0.55 * stride, min(1.5 * stride, 0.3 * size))
                near = (np.abs(CELLS - center) <= radius).all(axis=1) & (stride == CELL_STRIDES)
                says[near], which[near] = 1, faces[index]
    return says, which
