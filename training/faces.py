"""The prepared training faces: their crops as the app makes them, and as training makes them worse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from agegender.estimation.alignment import align
from agegender.types import Box, Face
from training.augment import training_crop
from training.calibration import HELD_OUT

SIDE_PX = 112
OPEN_END_YEARS = 1000.0
"""Stands for infinity where an interval of age is open: its logistic is 1, and its gradient 0, not NaN."""
WIDEST_YEARS = 12
"""Portraits of Congress with a wider interval of ages are not trained on: they gave nothing."""


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
        self.race, self.congress = arrays["race"], arrays["congress"]
        number = np.arange(len(self.boxes))
        self.held_out = number[-HELD_OUT:]
        narrow = self.congress & (arrays["age_max"] - arrays["age_min"] < WIDEST_YEARS)
        self.held_out_congress = number[narrow & (number % 5 == 0)]
        self.trained = np.flatnonzero(
            (narrow & (number % 5 > 0)) | (~self.congress & (number < number[-HELD_OUT]))
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def plain_crop(self, index: int, margin: float = 0.0, mirrored: bool = False) -> np.ndarray:
        """Return the crop, made no worse: without a margin and not mirrored, as the app reads it."""
        face = Face(Box(*self.boxes[index]), 1.0, tuple(map(tuple, self.landmarks[index])))
        return align(self.pictures[index], face, SIDE_PX, margin)[:, :: -1 if mirrored else 1]

    def plain_crops(self, indices: np.ndarray, margin: float = 0.0, mirrored: bool = False) -> Tensor:
        """Return several of them, as the net wants them."""
        crops = [self.plain_crop(index, margin, mirrored) for index in indices]
        return to_net(torch.from_numpy(np.stack(crops)))


def weights(faces: Faces, p_female: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how often a pass shows each of `faces.trained`, on average.

    More often: the old; members of Congress, above all the old and the women; rare combinations of age, race
    and gender; and faces whose gender a teacher (`p_female`) does not see as it is labelled.
    """
    low, female = faces.low.numpy()[faces.trained], faces.female.numpy()[faces.trained] > 0.5
    high, congress = faces.high.numpy()[faces.trained], faces.congress[faces.trained]
    cells = np.char.add(np.char.add(low.astype(str), faces.race[faces.trained]), female.astype(str))
    _, cell, counts = np.unique(cells, return_inverse=True, return_counts=True)
    rare = np.clip((300 / counts[cell]) ** 0.3, 0.7, 1.6)
    shown = np.where(low == 60, 1.3, np.where(low == 70, 2.5, 1.0)) * rare
    middle = (low + high) / 2
    of_congress = np.where(middle >= 66, 12.0, np.where(middle >= 58, 8.0, 3.0)) * np.where(female, 1.5, 1.0)
    seen = np.where(female, p_female[faces.trained], 1 - p_female[faces.trained])
    hard = np.where((seen > 0.1) & (seen < 0.9), 1.4, 1.0)
    return np.where(congress, of_congress, shown * hard)


class TrainingCrops(Dataset[tuple[int, np.ndarray]]):
    """(index, two crops made worse at random) of the faces to train on, others in each pass.

    A pass shows half of the faces, twice each, as often as `shown` says on average.
    """

    def __init__(self, faces: Faces, size_px: int, number: int, shown: NDArray[np.float64]) -> None:
        self.faces = faces
        self.size_px = size_px
        self.number = number
        order = np.random.default_rng((number // 2, 8)).permutation(len(shown))
        ends = np.cumsum(shown[order] / 2) + (0.25 if number % 2 else 0.75)
        count = np.floor(ends) - np.floor(np.concatenate([[ends[0] - shown[order[0]] / 2], ends[:-1]]))
        self.chosen = np.repeat(faces.trained[order], count.astype(int)).tolist()

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, place: int) -> tuple[int, np.ndarray]:
        index, faces, rng = self.chosen[place], self.faces, np.random.default_rng((self.number, place))
        picture, landmarks, box = faces.pictures[index], faces.landmarks[index], faces.boxes[index]
        mild = self.size_px == SIDE_PX  # the last passes, on crops nearer to what the net will be asked
        crops = [training_crop(picture, landmarks, box, self.size_px, rng, mild) for _ in range(2)]
        return index, np.stack(crops)


def to_net(crops: Tensor) -> Tensor:
    """(n, side, side, 3) bytes → (n, 3, side, side) floats, channels last in memory."""
    return crops.permute(0, 3, 1, 2).float()
