"""Train the net on FairFace's training faces.

    python -m torch.distributed.run --nproc-per-node 2 -m training.train WORK [--sides 96x18 112x10]
        [--decay PART] [--rate RATE] [--weights CHECKPOINT] [--teacher PART]

WORK is what `training.prepare` filled. After each pass `checkpoint.pt` is written there, from which the same
command goes on, also with other passes. `--sides` are crops' sides in pixels and how many passes each is for.
The learning rate rises over the first pass, stays, and falls to nothing over the last `--decay` of all
passes; the weights that count are their running average. `--weights` takes another training's to begin with;
`--teacher` is how much of the targets are what `training.teacher` wrote down. A process a core, each with its
part of every batch, is faster than threads are, above all where something else wants a core for a while.
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
from torch.utils.data import DataLoader, DistributedSampler

from training.calibration import HELD_OUT
from training.checkpoints import adamw, follow, load, save, set_rate
from training.faces import OPEN_END_YEARS, SIDE_PX, Faces, TrainingCrops, to_net
from training.net import FaceNet, age_loss, years_pmf
from training.teacher import EDGES_YEARS

BATCH = 128
WEIGHT_DECAY = 0.05
SMOOTHING = 0.025
GENDER_WEIGHT = 1.5
OLD_YEARS = (70.0, 75.0, 80.0, 85.0, 90.0, OPEN_END_YEARS)
OLD_PARTS = (0.36, 0.27, 0.2, 0.11, 0.06)
"""How the people of FairFace's open group, from 70 on, are taken to be spread over these years: about as
the world's people of that age are (United Nations, World Population Prospects 2022). The label alone says
nothing of how far beyond 70 to go, so that a net that learns from it stays close to 70."""
SIDES = ("96x18", f"{SIDE_PX}x10")
"""The first passes see smaller crops: three quarters of the time a face."""


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


def taught_age_loss(outputs: Tensor, bins: Tensor) -> Tensor:
    """Return the cross-entropy of each face's age, (n,), with the probabilities that a teacher gave."""
    cumulative = F.pad(years_pmf(outputs).cumsum(1), (1, 0))
    edges = torch.tensor(EDGES_YEARS)
    own = cumulative[:, edges[1:]] - cumulative[:, edges[:-1]]
    return -(bins * own.clamp(min=1e-5).log()).sum(1)


def sides(texts: list[str]) -> list[int]:
    """Return the side of the crops in each pass: ["96x2", "112x1"] → [96, 96, 112]."""
    pairs = [text.split("x") for text in texts]
    return [int(side) for side, passes in pairs for _ in range(int(passes))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--sides", nargs="+", default=SIDES)
    parser.add_argument("--decay", type=float, default=0.29)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--teacher", type=float, default=0.0)
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
        net.load_state_dict(torch.load(options.weights)["average"])
    average = copy.deepcopy(net).eval()
    optimizer = adamw(net, WEIGHT_DECAY)
    checkpoint = options.work / "checkpoint.pt"
    first = load(checkpoint, net, average, optimizer, "passes")
    steps_a_pass = len(TrainingCrops(faces, SIDE_PX, 0)) // BATCH
    sides_px = sides(options.sides)
    if options.teacher:
        taught = np.load(options.work / "teacher.npz")
        bins, p_female = torch.from_numpy(taught["bins"]), torch.from_numpy(taught["p_female"])
    for number, size_px in list(enumerate(sides_px))[first:]:
        start, losses = time.time(), []
        net.train()
        torch.manual_seed(100 * number + rank)
        crops_of_pass = TrainingCrops(faces, size_px, number)
        sampler = DistributedSampler(crops_of_pass, seed=number, drop_last=True)
        loader = DataLoader(crops_of_pass, BATCH // processes, sampler=sampler, num_workers=1, drop_last=True)
        for index, (chosen, crops) in enumerate(loader):
            step = number * steps_a_pass + index
            set_rate(optimizer, options.rate * rate(step, steps_a_pass, len(sides_px), options.decay))
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bfloat16):
                outputs = net(to_net(crops)).float()
            target = faces.female[chosen] * (1 - 2 * SMOOTHING) + SMOOTHING
            age = spread_age_loss(outputs, *ages(faces, chosen)).mean()
            if options.teacher:
                target = torch.lerp(target, p_female[chosen], options.teacher)
                age = torch.lerp(age, taught_age_loss(outputs, bins[chosen]).mean(), options.teacher)
            gender = F.binary_cross_entropy_with_logits(outputs[:, -1], target)
            optimizer.zero_grad()
            (age + GENDER_WEIGHT * gender).backward()
            average_gradients(net, processes)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            follow(average, net, step)
            losses.append((age.item(), gender.item()))
        if rank != 0:
            continue
        save(checkpoint, net, average, optimizer, passes=number + 1)
        age_mean, gender_mean = np.mean(losses, axis=0)
        print(
            f"pass {number + 1}/{len(sides_px)} {size_px} px {time.time() - start:.0f} s "
            f"age {age_mean:.4f} gender {gender_mean:.4f} | {held_out(average, faces)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
