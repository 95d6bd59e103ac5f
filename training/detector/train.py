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
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from agegender.detectors import decode_grid, non_maximum_suppression
from training.detector.net import STRIDES, DetectorNet
from training.detector.scenes import SIDE_PX, Faces, Material, scene

BATCH = 16
RATE = 2e-3
WEIGHT_DECAY = 0.01
AVERAGING = 0.998
WARM_STEPS = 300
REPORT_STEPS = 500
HELD_OUT_SCENES = 240

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


def to_net(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)


def joined(outputs: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what all grids say together: logits of fit and objectness, boxes and landmarks in pixels."""
    kinds = [torch.cat(outputs[kind::4], dim=1) for kind in range(4)]
    cells, strides = torch.from_numpy(CELLS), torch.from_numpy(CELL_STRIDES)[:, None]
    centers = cells + kinds[2][:, :, :2] * strides
    halves = torch.exp(kinds[2][:, :, 2:].clamp(max=6)) * strides / 2
    landmarks = cells.repeat(1, 5) + kinds[3] * strides
    return kinds[0][..., 0], kinds[1][..., 0], torch.cat([centers - halves, centers + halves], 2), landmarks


def giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the IoU and the generalised IoU (Rezatofighi et al., 2019) of (n, 4) boxes, pair by pair."""

    def areas(boxes: Tensor) -> Tensor:
        return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)

    shared = areas(torch.cat([torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])], 1))
    union = areas(a) + areas(b) - shared
    around = areas(torch.cat([torch.minimum(a[:, :2], b[:, :2]), torch.maximum(a[:, 2:], b[:, 2:])], 1))
    iou = shared / union.clamp(min=1e-6)
    return iou, iou - (around - union) / around.clamp(min=1e-6)


def losses(outputs: list[Tensor], says: Tensor, which: Tensor) -> Tensor:
    """Return the four losses, each a mean over the cells of faces: fit, objectness, box, landmarks."""
    fit, objects, boxes, landmarks = joined(outputs)
    positive, judged = says == 1, says >= 0
    count = positive.sum().clamp(min=1)
    truth = which[positive]
    iou, generalised = giou(boxes[positive], truth[:, :4])
    sides = (truth[:, 2:4] - truth[:, :2]).clamp(min=1).prod(1).sqrt()[:, None]
    apart = F.smooth_l1_loss(landmarks[positive] / sides, truth[:, 4:] / sides, beta=0.02, reduction="none")
    return (
        torch.stack(
            [
                F.binary_cross_entropy_with_logits(fit[positive], iou.detach().clamp(0, 1), reduction="sum"),
                F.binary_cross_entropy_with_logits(objects[judged], says[judged].float(), reduction="sum"),
                (1 - generalised).sum(),
                apart.mean(1).sum(),
            ]
        )
        / count
    )


WEIGHTS = torch.tensor([1.0, 1.0, 4.0, 40.0])
"""How much fit, objectness, box and landmarks count."""


def found(outputs: list[NDArray[np.float32]], score: float) -> NDArray[np.float64]:
    """Return the faces of one scene as the app would find them, rows of score, box and landmarks."""
    grids = [outputs[4 * i : 4 * i + 4] for i in range(len(STRIDES))]
    rows = np.concatenate(
        [
            decode_grid(grid, stride, SIDE_PX // stride, score)
            for grid, stride in zip(grids, STRIDES, strict=True)
        ]
    )
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    return rows[non_maximum_suppression(rows[:, 1:5], 0.3)]


@torch.no_grad()
def held_out(net: DetectorNet, material: Material) -> str:
    """Return how the net does on scenes of chips that it never saw: recall and inventions by score."""
    net.eval()
    thresholds = (0.3, 0.5, 0.7)
    total, hits, invented, errors = 0, dict.fromkeys(thresholds, 0), dict.fromkeys(thresholds, 0), []
    for number in range(HELD_OUT_SCENES):
        image, faces, unjudged = scene(material, np.random.default_rng((8, number)), held_out=True)
        outputs = net(to_net(torch.from_numpy(image)[None]))
        arrays = [
            (output.sigmoid() if index % 4 < 2 else output).numpy() for index, output in enumerate(outputs)
        ]
        rows = found(arrays, thresholds[0])
        total += len(faces)
        overlaps = pairwise_iou(rows[:, 1:5], np.concatenate([faces[:, :4], unjudged]))
        for threshold in thresholds:
            sure = overlaps[rows[:, 0] >= threshold]
            hits[threshold] += int((sure[:, : len(faces)] > 0.4).any(axis=0).sum())
            invented[threshold] += int((sure < 0.3).all(axis=1).sum())
        for row, overlap in zip(rows, overlaps[:, : len(faces)], strict=True):
            if row[0] >= 0.5 and overlap.size and overlap.max() > 0.4:
                points, truth = row[5:].reshape(5, 2), faces[overlap.argmax(), 4:].reshape(5, 2)
                eyes = max(1.0, float(np.hypot(*(truth[0] - truth[1]))))
                errors.append(float(np.hypot(*(points - truth).T).mean()) / eyes)
    parts = [
        f"{threshold}: recall {hits[threshold] / total:.3f} "
        f"invented {invented[threshold] / HELD_OUT_SCENES:.3f}"
        for threshold in thresholds
    ]
    return f"{' | '.join(parts)} | landmarks {np.median(errors) if errors else math.nan:.4f}"


def pairwise_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the IoU of each of n boxes with each of m, (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-6)


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
    decayed = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
    )
    first, checkpoint = 0, options.work / "detector.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["steps"]
    loader = DataLoader(Scenes(options.work, first * BATCH), BATCH, num_workers=1, prefetch_factor=4)
    start, sums = time.time(), []
    for step, (images, says, which) in zip(range(first, options.steps), loader, strict=False):
        net.train()
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate(step, options.steps)
        parts = losses(net(to_net(images)), says, which)
        optimizer.zero_grad()
        (parts * WEIGHTS).sum().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        keep = min(AVERAGING, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(new, 1 - keep)
        sums.append(parts.detach().numpy())
        if (step + 1) % REPORT_STEPS == 0 or step + 1 == options.steps:
            state = {"net": net.state_dict(), "average": average.state_dict(), "steps": step + 1}
            torch.save({**state, "optimizer": optimizer.state_dict()}, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)
            print(
                f"step {step + 1}/{options.steps} {time.time() - start:.0f} s "
                f"losses {np.mean(sums, axis=0).round(3)} | {held_out(average, material)}",
                flush=True,
            )
            start, sums = time.time(), []


if __name__ == "__main__":
    main()
