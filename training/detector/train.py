"""Train the detector on made-up scenes.

    python -m training.detector.train WORK [--steps N]

WORK is what `training.detector.prepare` filled. Every few minutes `detector.pt` is written there, from which
the same command goes on. The learning rate rises over the first 300 steps and then falls as half a cosine;
the weights that count are their running average.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from training.checkpoints import adamw, follow, load, save, set_rate
from training.detector.losses import WEIGHTS, losses
from training.detector.material import Faces, Material
from training.detector.measure import held_out, to_net
from training.detector.net import DetectorNet
from training.detector.scenes import scene
from training.detector.targets import targets

BATCH = 16
RATE = 2e-3
WEIGHT_DECAY = 0.01
WARM_STEPS = 300
REPORT_STEPS = 500


class Scenes(IterableDataset[tuple[NDArray[np.uint8], NDArray[np.int64], Faces]]):
    """Scenes without end, with their targets; numbered, so that a resumed training sees others."""

    def __init__(self, work: Path, first: int) -> None:
        self.work = work
        self.first = first

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], Faces]]:
        cv2.setNumThreads(1)
        material, number = Material(self.work), self.first
        while True:
            image, faces, unjudged = scene(material, np.random.default_rng((7, number)))
            yield image, *targets(faces, unjudged)
            number += 1


def rate(step: int, steps: int) -> float:
    """Return the part of the full learning rate that a step gets."""
    return min(1.0, (step + 1) / WARM_STEPS) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=9000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    material = Material(options.work)
    net = DetectorNet().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    optimizer = adamw(net, WEIGHT_DECAY)
    checkpoint = options.work / "detector.pt"
    first = load(checkpoint, net, average, optimizer, "steps")
    loader = DataLoader(Scenes(options.work, first * BATCH), BATCH, num_workers=1, prefetch_factor=4)
    start, sums = time.time(), []
    for step, (images, says, which) in zip(range(first, options.steps), loader, strict=False):
        net.train()
        set_rate(optimizer, RATE * rate(step, options.steps))
        parts = losses(net(to_net(images)), says, which)
        optimizer.zero_grad()
        (parts * WEIGHTS).sum().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        follow(average, net, step)
        sums.append(parts.detach().numpy())
        if (step + 1) % REPORT_STEPS == 0 or step + 1 == options.steps:
            save(checkpoint, net, average, optimizer, steps=step + 1)
            print(
                f"step {step + 1}/{options.steps} {time.time() - start:.0f} s "
                f"losses {np.mean(sums, axis=0).round(3)} | {held_out(average, material)}",
                flush=True,
            )
            start, sums = time.time(), []


if __name__ == "__main__":
    main()
