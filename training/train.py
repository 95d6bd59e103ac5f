"""Train the net on the training faces of FairFace and of Congress.

    python -m torch.distributed.run --nproc-per-node 2 -m training.train WORK [--sides 96x18 112x10]
        [--decay PART] [--rate RATE] [--weights CHECKPOINT] [--teacher PART] [--consistency WEIGHT]
        [--mixup PART] [--seed NUMBER] [--bfloat16]

WORK is what `training.prepare` filled. After each pass `checkpoint.pt` is written there, from which the same
command goes on, also with other passes. `--sides` are crops' sides in pixels and how many passes each is for.
The learning rate rises over the first pass, stays, and falls to nothing over the last `--decay` of all
passes; the weights that count are their running average. `--weights` takes another training's to begin with;
`--teacher` is how much of the targets are what `training.teacher` wrote down, but for the ages of the old and
of Congress, where labels know more. Each face comes in two crops, which should be read alike: `--consistency`
is how much that counts. `--mixup` is in how many batches faces are laid over one another. A process a core,
each with its part of every batch, is faster than threads are, above all where something else wants a core for
a while.
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

from training.calibration import OLD_PARTS, OLD_YEARS
from training.checkpoints import adamw, follow, load, save, set_rate
from training.faces import SIDE_PX, Faces, TrainingCrops, to_net, weights
from training.net import FaceNet, age_loss, years_pmf
from training.teacher import EDGES_YEARS

BATCH = 128
WEIGHT_DECAY = 0.05
SMOOTHING = 0.025
GENDER_WEIGHT = 1.5
RANK_TRUST = 0.7
"""How much of its rank's distance from the mean of the oldest is believed of a face."""
SIDES = ("96x18", f"{SIDE_PX}x10")
"""The first passes see smaller crops: three quarters of the time a face."""


def rate(step: int, steps_a_pass: int, passes: int, decay: float) -> float:
    """Return the part of the full learning rate that a step gets: up, level, down."""
    total = steps_a_pass * passes
    return min(1.0, (step + 1) / steps_a_pass, (total - step) / (total * decay))


@torch.no_grad()
def held_out(net: FaceNet, faces: Faces, bfloat16: bool) -> str:
    """Return how the net does on the held-out faces, and by how much it is wrong about Congress's ages."""
    net.eval()
    every = np.concatenate([faces.held_out, faces.held_out_congress])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        every_output = torch.cat(
            [net(faces.plain_crops(chunk)).float() for chunk in np.array_split(every, 24)]
        )
    outputs, indices = every_output[: len(faces.held_out)], faces.held_out
    edges = torch.tensor([3, 10, 20, 30, 40, 50, 60, 70])
    below = years_pmf(every_output).cumsum(1)
    apart = (
        (below[: len(indices), edges - 1] < 0.5).sum(1)
        - torch.bucketize(faces.low[indices], edges, right=True)
    ).abs()
    right = ((outputs[:, -1] > 0) == (faces.female[indices] > 0.5)).float()
    low, race = faces.low[indices], faces.race[indices]
    years = 100 - below[len(indices) :].sum(1) + 0.5
    middle = torch.stack(ages(faces, faces.held_out_congress)).mean(0)
    bias = [
        f"{(years - middle)[(middle // 10).clamp(4, 7) == decade].mean():+.1f}" for decade in (4, 5, 6, 7)
    ]
    return (
        f"held out: gender {right.mean():.4f} (0-9 {right[low < 10].mean():.3f}, "
        f"Black {right[race == 'Black'].mean():.3f}) group {(apart == 0).float().mean():.4f} "
        f"(60 {(apart == 0)[low == 60].float().mean():.3f}, 70 {(apart == 0)[low == 70].float().mean():.3f}) "
        f"±1 {(apart <= 1).float().mean():.4f} nll {age_loss(outputs, *ages(faces, indices)).mean():.4f} "
        f"bce {F.binary_cross_entropy_with_logits(outputs[:, -1], faces.female[indices]):.4f} "
        f"Congress {' '.join(bias)}"
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


def old_ranked(faces: Faces, bins: Tensor) -> None:
    """Give each face of FairFace's open group years of its own, by its rank in what a teacher says.

    The ranks' years are spread as `OLD_PARTS` say, and drawn to their mean as the teacher's ranks are rough.
    """
    trained = faces.trained[~faces.congress[faces.trained]]
    old = trained[faces.low.numpy()[trained] == OLD_YEARS[0]]
    score = (bins[old] * torch.tensor(EDGES_YEARS[:-1], dtype=torch.float32)).sum(1)
    rank = (score.argsort().argsort() + 0.5) / len(score)
    parts = np.concatenate([[0], np.cumsum(OLD_PARTS)])
    middle = torch.from_numpy(np.interp(rank.numpy(), parts, OLD_YEARS)).float()
    middle = middle.mean() + RANK_TRUST * (middle - middle.mean())
    faces.low[old], faces.high[old] = (middle - 9).clamp(min=70), middle + 11


def bins_of(outputs: Tensor) -> Tensor:
    """Return the probabilities of the ages between `EDGES_YEARS`, (n, 10)."""
    cumulative = F.pad(years_pmf(outputs).cumsum(1), (1, 0))
    edges = torch.tensor(EDGES_YEARS)
    return (cumulative[:, edges[1:]] - cumulative[:, edges[:-1]]).clamp(min=1e-5)


def taught_age_loss(outputs: Tensor, bins: Tensor) -> Tensor:
    """Return the cross-entropy of each face's age, (n,), with the probabilities that a teacher gave."""
    return -(bins * bins_of(outputs).log()).sum(1)


def disagreement(outputs: Tensor) -> Tensor:
    """Return how differently the two crops of each face are read: Jensen and Shannon's divergence, the mean.

    `outputs` are those of n faces' first crops and then of their second ones.
    """
    p = torch.sigmoid(outputs[:, -1:]).clamp(1e-4, 1 - 1e-4)
    divergence = torch.zeros(())
    for parts in (torch.cat([p, 1 - p], 1), bins_of(outputs)):
        first, second = parts.chunk(2)
        mean = ((first + second) / 2).log()
        divergence = divergence + sum((q * (q.log() - mean)).sum(1).mean() for q in (first, second))
    return divergence


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
    parser.add_argument("--consistency", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0, help="for another course of the same training")
    parser.add_argument("--mixup", type=float, default=0.0)
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
    taught = np.load(options.work / "teacher.npz")
    bins, p_female = torch.from_numpy(taught["bins"]), torch.from_numpy(taught["p_female"])
    shown = weights(faces, p_female.numpy())
    old_ranked(faces, bins)
    trust = torch.where((faces.low >= 60) | torch.from_numpy(faces.congress), 0.0, options.teacher)
    steps_a_pass = round(shown.sum() / BATCH)
    sides_px = sides(options.sides)
    for number, size_px in list(enumerate(sides_px))[first:]:
        start, losses = time.time(), []
        net.train()
        torch.manual_seed(options.seed + 100 * number + rank)
        crops_of_pass = TrainingCrops(faces, size_px, options.seed + number, shown)
        sampler = DistributedSampler(crops_of_pass, seed=number, drop_last=True)
        loader = DataLoader(
            crops_of_pass, BATCH // 2 // processes, sampler=sampler, num_workers=1, drop_last=True
        )
        for index, (chosen, pairs) in enumerate(loader):
            step = number * steps_a_pass + index
            set_rate(optimizer, options.rate * rate(step, steps_a_pass, len(sides_px), options.decay))
            chosen, pixels = chosen.repeat(2), to_net(pairs.transpose(0, 1).flatten(0, 1))
            other, part = torch.arange(len(chosen)), 1.0
            mixed = torch.rand(()) < options.mixup
            if mixed:
                other, part = torch.randperm(len(chosen)), float(torch.rand(()) * 0.4 + 0.6)
                pixels = torch.lerp(pixels[other], pixels, part)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bfloat16):
                outputs = net(pixels).float()
            target = faces.female[chosen] * (1 - 2 * SMOOTHING) + SMOOTHING
            target = torch.lerp(target, p_female[chosen], options.teacher)
            target = torch.lerp(target[other], target, part)
            gender = F.binary_cross_entropy_with_logits(outputs[:, -1], target)

            def taught_age(of: Tensor, outputs: Tensor = outputs) -> Tensor:
                own, given = age_loss(outputs, *ages(faces, of)), taught_age_loss(outputs, bins[of])
                return torch.lerp(own, given, trust[of]).mean()

            age = taught_age(chosen)
            if mixed:
                age = torch.lerp(taught_age(chosen[other]), age, part)
            apart = torch.zeros(()) if mixed or not options.consistency else disagreement(outputs)
            optimizer.zero_grad()
            (age + GENDER_WEIGHT * gender + options.consistency * apart).backward()
            average_gradients(net, processes)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            follow(average, net, step)
            losses.append((age.item(), gender.item(), apart.item()))
        if rank != 0:
            continue
        save(checkpoint, net, average, optimizer, passes=number + 1)
        age_mean, gender_mean, apart_mean = np.mean(losses, axis=0)
        print(
            f"pass {number + 1}/{len(sides_px)} {size_px} px {time.time() - start:.0f} s "
            f"age {age_mean:.4f} gender {gender_mean:.4f} "
            f"apart {apart_mean:.4f} | {held_out(average, faces, options.bfloat16)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
