"""Train the net on FairFace's training faces.

    python -m torch.distributed.run --nproc-per-node 2 -m training.train WORK [--passes N] [--decay PART]
        [--weights FILE --rate RATE --early N]

WORK is what `training.prepare` filled. After each pass `checkpoint.pt` is written there, from which the same
command goes on, also with another number of passes. The learning rate rises over the first pass, stays,
and falls to nothing over the last `--decay` of all passes; the weights that count are their running
average. `--weights` takes the weights of an exported file to begin with, `--early` is the number of passes on
smaller crops. A process a core, each with its part of every batch, is faster than threads are, above all
where something else wants a core for a while.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from agegender.alignment import align
from agegender.types import Box, Face
from training.augment import training_crop
from training.calibration import HELD_OUT
from training.net import FaceNet, age_loss, years_pmf
from training.unfold import load_exported

BATCH = 128
WEIGHT_DECAY = 0.05
SMOOTHING = 0.025
GENDER_WEIGHT = 1.5
AVERAGING = 0.998
OPEN_END_YEARS = 1000.0
"""Stands for infinity where an interval of age is open: its logistic is 1, and its gradient 0, not NaN."""
OLD_YEARS = (70.0, 75.0, 80.0, 85.0, 90.0, OPEN_END_YEARS)
OLD_PARTS = (0.36, 0.27, 0.2, 0.11, 0.06)
"""How the people of FairFace's open group, from 70 on, are taken to be spread over these years: about as
the world's people of that age are (United Nations, World Population Prospects 2022). The label alone says
nothing of how far beyond 70 to go, so that a net that learns from it stays close to 70."""
REPEATS = {60.0: 2, 70.0: 3}
"""How often a pass shows the faces of the oldest groups, which are few."""
SIDE_PX = 112
EARLY_SIDE_PX = 96
"""The first passes see smaller crops: three quarters of the time a face."""


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

    def plain_crop(self, index: int) -> np.ndarray:
        """Return the crop as the app would make it."""
        face = Face(Box(*self.boxes[index]), 1.0, tuple(map(tuple, self.landmarks[index])))
        return align(self.pictures[index], face, SIDE_PX)

    def plain_crops(self, indices: np.ndarray) -> Tensor:
        """Return several of them, as the net wants them."""
        return to_net(torch.from_numpy(np.stack([self.plain_crop(index) for index in indices])))


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
        return index, training_crop(picture, landmarks, box, self.size_px, rng)


def to_net(crops: Tensor) -> Tensor:
    """(n, side, side, 3) bytes → (n, 3, side, side) floats, channels last in memory."""
    return crops.permute(0, 3, 1, 2).float()


def rate(step: int, steps_a_pass: int, passes: int, decay: float) -> float:
    """Return the part of the full learning rate that a step gets: up, level, down."""
    total = steps_a_pass * passes
    return min(1.0, (step + 1) / steps_a_pass, (total - step) / (total * decay))


@torch.no_grad()
def held_out(net: FaceNet, faces: Faces) -> str:
    """Return how the net does on the held-out faces."""
    net.eval()
    indices = np.arange(len(faces) - HELD_OUT, len(faces))
    outputs = torch.cat([net(faces.plain_crops(chunk)) for chunk in np.array_split(indices, 20)])
    edges = torch.tensor([0, 3, 10, 20, 30, 40, 50, 60, 70, 100])
    cumulative = F.pad(years_pmf(outputs).cumsum(1), (1, 0))
    guess = (cumulative[:, edges[1:]] - cumulative[:, edges[:-1]]).argmax(1)
    truth = torch.bucketize(faces.high[indices].clamp(max=100), edges[1:])
    gender = ((outputs[:, -1] > 0).float() == faces.female[indices]).float().mean()
    near = (guess - truth).abs()
    return (
        f"held out: gender {gender:.4f} group {(near == 0).float().mean():.4f} "
        f"±1 {(near <= 1).float().mean():.4f} nll {age_loss(outputs, *ages(faces, indices)).mean():.4f} "
        f"bce {F.binary_cross_entropy_with_logits(outputs[:, -1], faces.female[indices]):.4f}"
    )


def average_gradients(net: FaceNet, processes: int) -> None:
    """Give every process the mean of all processes' gradients, in one message."""
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients]) / processes
    distributed.all_reduce(together)
    for gradient, part in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def ages(faces: Faces, indices: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
    return faces.low[indices], faces.high[indices]


def spread_age_loss(outputs: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return the loss of each face's age, (n,), where those of the open group are spread over its years."""
    loss = age_loss(outputs, low, high)
    old = low == OLD_YEARS[0]
    if not old.any():
        return loss
    parts = [
        part * age_loss(outputs[old], low[old] - low[old] + first, low[old] - low[old] + last)
        for part, first, last in zip(OLD_PARTS, OLD_YEARS, OLD_YEARS[1:], strict=False)
    ]
    return loss.masked_scatter(old, torch.stack(parts).sum(0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--passes", type=int, default=28)
    parser.add_argument("--decay", type=float, default=0.29)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--early", type=int, default=18)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--bfloat16", action="store_true", help="for cores that have it: AVX-512 or AMX")
    options = parser.parse_args()
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank, processes = distributed.get_rank(), distributed.get_world_size()
    cv2.setNumThreads(1)
    torch.manual_seed(1)
    faces = Faces(options.work)
    net = FaceNet().to(memory_format=torch.channels_last)
    if options.weights:
        load_exported(net, options.weights, faces.plain_crops(np.arange(512)))
    average = copy.deepcopy(net).eval()
    plain = [p for p in net.parameters() if p.ndim <= 1]
    weights = [p for p in net.parameters() if p.ndim > 1]
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}],
        lr=options.rate,
    )
    first = 0
    checkpoint = options.work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["passes"]
    steps_a_pass = len(TrainingCrops(faces, SIDE_PX, 0)) // BATCH
    for number in range(first, options.passes):
        start, losses = time.time(), []
        size_px = EARLY_SIDE_PX if number < options.early else SIDE_PX
        net.train()
        torch.manual_seed(100 * number + rank)
        crops_of_pass = TrainingCrops(faces, size_px, number)
        sampler = DistributedSampler(crops_of_pass, seed=number, drop_last=True)
        loader = DataLoader(crops_of_pass, BATCH // processes, sampler=sampler, num_workers=1, drop_last=True)
        for index, (chosen, crops) in enumerate(loader):
            step = number * steps_a_pass + index
            for group in optimizer.param_groups:
                group["lr"] = options.rate * rate(step, steps_a_pass, options.passes, options.decay)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bfloat16):
                outputs = net(to_net(crops)).float()
            target = faces.female[chosen] * (1 - 2 * SMOOTHING) + SMOOTHING
            gender = F.binary_cross_entropy_with_logits(outputs[:, -1], target)
            age = spread_age_loss(outputs, *ages(faces, chosen)).mean()
            optimizer.zero_grad()
            (age + GENDER_WEIGHT * gender).backward()
            average_gradients(net, processes)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            keep = min(AVERAGING, (step + 1) / (step + 10))
            with torch.no_grad():
                for mean, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
                    if mean.dtype.is_floating_point:
                        mean.lerp_(new, 1 - keep)
            losses.append((age.item(), gender.item()))
        if rank != 0:
            continue
        state = {"net": net.state_dict(), "average": average.state_dict(), "passes": number + 1}
        torch.save({**state, "optimizer": optimizer.state_dict()}, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").replace(checkpoint)
        age_mean, gender_mean = np.mean(losses, axis=0)
        print(
            f"pass {number + 1}/{options.passes} {size_px} px {time.time() - start:.0f} s "
            f"age {age_mean:.4f} gender {gender_mean:.4f} | {held_out(average, faces)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
