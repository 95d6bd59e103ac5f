"""The prepared training faces: their crops as the app makes them, and as training makes them worse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from agegender.estimation.alignment import align
from agegender.types import Box, Face
from training.augment import training_crop
from training.calibration import HELD_OUT

SIDE_PX = 112
OPEN_END_YEARS = 1000.0
"""Stands for infinity where an interval of age is open: its logistic is 1, and its gradient 0, not NaN."""
REPEATS = {60.0: 2, 70.0: 3}
"""How often a pass shows the faces of the oldest groups, which are few."""


class Faces:
    """The prepared training pictures with their landmarks, boxes and labels."""

    def __init__(self, work: Path) -> None:
        arrays = np.load(work / "faces.npz")
        self.landmarks, self.boxes = (
            arrays["landmarks"].astype(np.float64),
            arrays["boxes"].astype(np.float64),
        )
        self.pictures = np.load(work / "pictures.npy", mmap_mode="r")[: len(self.boxes)]
        low, high = arrays["age_min"].copy(), arrays["age_max"] + 1
        low[low == 0] = -OPEN_END_YEARS
        high[high > 100] = OPEN_END_YEARS
        self.low, self.high = torch.from_numpy(low), torch.from_numpy(high)
        self.female = torch.from_numpy(arrays["female"].astype(np.float32))

    def __len__(self) -> int:
        return len(self.boxes)

    def plain_crop(self, index: int, margin: float = 0.0, mirrored: bool = False) -> np.ndarray:
        """Return the crop, made no worse; `agegender.estimators.Apparent.VIEWS` are those of the app."""
        face = Face(Box(*self.boxes[index]), 1.0, tuple(map(tuple, self.landmarks[index])))
        return align(self.pictures[index], face, SIDE_PX, margin)[:, :: -1 if mirrored else 1]

    def plain_crops(self, indices: np.ndarray, margin: float = 0.0, mirrored: bool = False) -> Tensor:
        """Return several of them, as the net wants them."""
        crops = [self.plain_crop(index, margin, mirrored) for index in indices]
        return to_net(torch.from_numpy(np.stack(crops)))


class TrainingCrops(Dataset[tuple[int, np.ndarray]]):
    """(index, crop made worse at random) of the faces to train on, another one in each pass."""

    def __init__(self, faces: Faces, size_px: int, number: int) -> None:
        self.faces = faces
        self.size_px = size_px
        self.number = number
        low = faces.low[: len(faces) - HELD_OUT].tolist()
        self.chosen = [index for index, years in enumerate(low) for _ in range(REPEATS.get(years, 1))]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, place: int) -> tuple[int, np.ndarray]:
        index, faces, rng = self.chosen[place], self.faces, np.random.default_rng((self.number, place))
        picture, landmarks, box = faces.pictures[index], faces.landmarks[index], faces.boxes[index]
        mild = self.size_px == SIDE_PX  # the last passes, on crops nearer to what the net will be asked
        return index, training_crop(picture, landmarks, box, self.size_px, rng, mild)


def to_net(crops: Tensor) -> Tensor:
    """(n, side, side, 3) bytes → (n, 3, side, side) floats, channels last in memory."""
    return crops.permute(0, 3, 1, 2).float()
