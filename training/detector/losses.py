"""How far the net is from what its cells should say."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.detector.targets import CELL_STRIDES, CELLS

WEIGHTS = torch.tensor([1.0, 1.0, 4.0, 40.0])
"""How much fit, objectness, box and landmarks count."""


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
