"""Train the second stage on the crops that `training.detector.candidates` gathered.

    python -m training.detector.refinement_train WORK [--passes N]

After each pass `refinement.pt` is written into WORK, from which the same command goes on. The learning rate
falls as half a cosine; the weights that count are their running average.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from agegender.types import Image
from training.augment import erase
from training.checkpoints import adamw, follow, load, save, set_rate
from training.detector.candidates import STORED_PX
from training.detector.measure import to_net
from training.detector.placing import MIRRORED
from training.detector.refinement_net import SIDE_PX, RefinementNet
from training.detector.scenes import made_worse

BATCH = 256
RATE = 2e-3
WEIGHT_DECAY = 0.01
POINTS_WEIGHT = 40.0
BETA = 0.01
"""Of the smooth L1 loss of the points: how far off, in parts of the crop, counts as hardly off."""


class Candidates(Dataset[tuple[NDArray[np.uint8], np.float32, NDArray[np.float32]]]):
    """(crop, whether it is a face, its points), each pass with other shifts and in other light."""

    def __init__(self, work: Path, held_out: bool, number: int = 0) -> None:
        self.images = np.load(work / "candidates.npy", mmap_mode="r")
        with np.load(work / "candidates.npz") as arrays:
            self.is_face, self.points = arrays["is_face"], arrays["points"]
            self.scores, chosen = arrays["score"], arrays["held_out"] == held_out
        self.chosen = np.flatnonzero(chosen)
        self.held_out = held_out
        self.number = number

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, place: int) -> tuple[NDArray[np.uint8], np.float32, NDArray[np.float32]]:
        index, rng = self.chosen[place], np.random.default_rng((31, self.number, place))
        image, points = np.ascontiguousarray(self.images[index]), self.points[index] * STORED_PX
        border = (STORED_PX - SIDE_PX) // 2
        if self.held_out:
            image, points = image[border:-border, border:-border], points - border
        else:
            image, points = shifted(image, points, rng)
            image = erase(made_worse(image, rng), rng) if rng.random() < 0.3 else made_worse(image, rng)
        return np.ascontiguousarray(image), self.is_face[index], (points / SIDE_PX).astype(np.float32)


def shifted(image: Image, points: NDArray[np.float32], rng: Generator) -> tuple[Image, NDArray[np.float32]]:
    """Return the crop and its points as another first stage might have placed them, or mirrored."""
    angle, scale = np.deg2rad(rng.normal(0, 7)), np.exp(rng.normal(0, 0.09))
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        matrix[0] *= -1
        points = np.concatenate([points[:2], points[2:][MIRRORED]])
        points = np.concatenate([[[points[1, 0], points[0, 1]], [points[0, 0], points[1, 1]]], points[2:]])
    shift = np.full(2, SIDE_PX / 2) + rng.normal(0, 2.5, 2) - matrix @ np.full(2, STORED_PX / 2)
    matrix = np.column_stack([matrix, shift])
    points = points @ matrix[:, :2].T + matrix[:, 2]
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    border = cv2.BORDER_REPLICATE
    warped = cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.uint8), points


def losses(logits: Tensor, points: Tensor, is_face: Tensor, truth: Tensor) -> Tensor:
    """Return the two losses: of being a face, and of the points of those that are."""
    known = (is_face > 0.5)[:, None, None] & ~truth.isnan()
    apart = F.smooth_l1_loss(points[known], truth[known], beta=BETA)
    return torch.stack([F.binary_cross_entropy_with_logits(logits, is_face), apart])


@torch.no_grad()
def answers(net: RefinementNet, data: Candidates) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what the net says of all crops, and what is true: logits, points, faces or not, true points."""
    net.eval()
    parts = [(*net(to_net(images)), is_face, truth) for images, is_face, truth in DataLoader(data, 512)]
    logits, points, is_face, truth = (torch.cat(column) for column in zip(*parts, strict=True))
    return logits, points, is_face, truth


def held_out(net: RefinementNet, data: Candidates) -> str:
    """Return how the net does on crops that it never saw: recall where so many wrong ones get through."""
    logits, points, is_face, truth = answers(net, data)
    faces, others = logits[is_face > 0.5], logits[is_face <= 0.5].sort(descending=True).values
    recalls = [
        f"{part:.1%}: {(faces > others[round(part * len(others))]).float().mean():.4f}"
        for part in (0.001, 0.003, 0.01, 0.03)
    ]
    apart = (points - truth)[is_face > 0.5][:, 2:].norm(dim=2).mean(1)
    eyes = (truth[:, 2] - truth[:, 3])[is_face > 0.5].norm(dim=1).clamp(min=1 / SIDE_PX)
    return f"recall at {' '.join(recalls)} of the others | landmarks {(apart / eyes).nanmedian():.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--passes", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    cv2.setNumThreads(1)
    unseen = Candidates(options.work, True)
    net = RefinementNet().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    optimizer = adamw(net, WEIGHT_DECAY)
    checkpoint = options.work / "refinement.pt"
    for number in range(load(checkpoint, net, average, optimizer, "passes"), options.passes):
        start, sums = time.time(), []
        data = Candidates(options.work, False, number)
        shuffled = torch.Generator().manual_seed(number)
        loader = DataLoader(data, BATCH, shuffle=True, drop_last=True, num_workers=1, generator=shuffled)
        net.train()
        for index, (images, is_face, truth) in enumerate(loader):
            step, steps = number * len(loader) + index, options.passes * len(loader)
            set_rate(
                optimizer, RATE * min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / steps))
            )
            logits, points = net(to_net(images))
            parts = losses(logits, points, is_face, truth)
            optimizer.zero_grad()
            (parts[0] + POINTS_WEIGHT * parts[1]).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            follow(average, net, step)
            sums.append(parts.detach().numpy())
        save(checkpoint, net, average, optimizer, passes=number + 1)
        print(
            f"pass {number + 1}/{options.passes} {time.time() - start:.0f} s "
            f"losses {np.mean(sums, axis=0).round(4)} | {held_out(average, unseen)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
