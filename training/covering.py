"""Fit the occlusion detector of `agegender.estimation.covering`.

    python -m training.covering WORK

WORK comes from `training.prepare`. A mask or sunglasses are drawn into one half of `COUNT` training faces
(`training.occlusions`); a logistic regression separates them from the other half. Prints the table of
weights, and the fraction of held-out faces taken for covered, both as they are and with something drawn in,
by the training's own drawing code and by the separate one in `training.robustness`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray

from agegender.estimation.alignment import align
from agegender.estimation.covering import CELLS, features
from agegender.estimation.quality import SEEN_PX
from agegender.types import Box, Face, Image
from training import occlusions, robustness
from training.faces import Faces

COUNT = 12_000
DECAY = 1e-3
UNIT = 0.01
"""Unit of the integers printed."""
Redraw = Callable[[Image, Face], Image]


def by_training(way: Callable[[Image, occlusions.Frame, Generator], Image], seed: int) -> Redraw:
    """Draw in the way that training does."""
    return lambda image, face: way(image, occlusions.frame_of(face.landmarks), np.random.default_rng(seed))


def features_of(faces: Faces, index: int, redraw: Redraw | None = None) -> NDArray[np.float32]:
    """Features of a face, optionally with something drawn into its picture."""
    face = Face(Box(*faces.boxes[index]), 1.0, tuple(map(tuple, faces.landmarks[index])))
    image = np.ascontiguousarray(faces.pictures[index])
    return features(align(redraw(image, face) if redraw else image, face, SEEN_PX))


def fitted(rows: NDArray[np.float32], covered: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Weights of a logistic regression, symmetric in both halves of the face, and its intercept."""
    middle, spread = rows.mean(0), rows.std(0) + 0.05
    tables, target = torch.from_numpy((rows - middle) / spread), torch.from_numpy(covered)
    weights = torch.zeros(tables.shape[1:], requires_grad=True)
    constant = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, constant], max_iter=200)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        even = (weights + weights.flip(-1)) / 2
        found = F.binary_cross_entropy_with_logits((tables * even).flatten(1).sum(1) + constant, target)
        total: torch.Tensor = found + DECAY * even.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    even = ((weights + weights.flip(-1)) / 2).detach().numpy() / spread
    even = (even + even[..., ::-1]) / 2
    return even, float(constant.detach()) - float((even * middle).sum())


def main(work: Path) -> None:
    cv2.setNumThreads(1)
    faces, rng = Faces(work), np.random.default_rng(1)
    ways = (occlusions.mask, occlusions.sunglasses)
    chosen = rng.choice(faces.trained, COUNT, replace=False)
    rows = np.stack(
        [
            features_of(faces, index, by_training(ways[place // 2 % 2], place) if place % 2 else None)
            for place, index in enumerate(chosen)
        ]
    )
    weights, constant = fitted(rows, (np.arange(COUNT) % 2).astype(np.float32))
    whole = np.rint(weights / UNIT).astype(int)
    print(
        f"CONSTANT = {constant:.2f}\nWEIGHTS_PERCENT =",
        np.array2string(whole[..., : CELLS // 2], separator=", "),
    )
    drawn: dict[str, Redraw | None] = {
        "as they are": None,
        **{f"{way.__name__}, as in training": by_training(way, 0) for way in occlusions.WAYS},
        **{f"{name}, by another hand": redraw for name, redraw in robustness.DRAWN.items()},
    }
    for name, redraw in drawn.items():
        held_out = np.stack([features_of(faces, index, redraw) for index in faces.held_out])
        logits = (held_out * (UNIT * whole)).reshape(len(held_out), -1).sum(1) + constant
        parts = (float(np.mean(logits > np.log(p / (1 - p)))) for p in (0.5, 0.7, 0.8, 0.9, 0.95))
        print(f"{name:28} taken for covered at 0.5, 0.7, 0.8, 0.9, 0.95:", *(f"{part:.3f}" for part in parts))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
