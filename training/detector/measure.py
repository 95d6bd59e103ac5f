"""How the net does on scenes of chips that it never saw."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agegender.detection.candidates import Candidates, joined
from agegender.detection.yunet import decode_grid
from training.detector.material import SIDE_PX, Material
from training.detector.net import STRIDES, DetectorNet
from training.detector.scenes import scene

HELD_OUT_SCENES = 240


def to_net(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)


def found(outputs: list[NDArray[np.float32]], score: float) -> Candidates:
    """Return the faces of one scene as the app would find them."""
    grids = [outputs[4 * i : 4 * i + 4] for i in range(len(STRIDES))]
    parts = [
        decode_grid(grid, stride, SIDE_PX // stride, score)[0]
        for grid, stride in zip(grids, STRIDES, strict=True)
    ]
    return joined(parts).best_first(0.3)


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
        seen = found(arrays, thresholds[0])
        total += len(faces)
        overlaps = pairwise_iou(seen.boxes_xyxy, np.concatenate([faces[:, :4], unjudged]))
        for threshold in thresholds:
            sure = overlaps[seen.scores >= threshold]
            hits[threshold] += int((sure[:, : len(faces)] > 0.4).any(axis=0).sum())
            invented[threshold] += int((sure < 0.3).all(axis=1).sum())
        for score, points, overlap in zip(
            seen.scores, seen.landmarks, overlaps[:, : len(faces)], strict=True
        ):
            if score >= 0.5 and overlap.size and overlap.max() > 0.4:
                truth = faces[overlap.argmax(), 4:].reshape(5, 2)
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
