"""The net: depthwise-separable convolutions, three grids, an answer for each of their cells.

Of YuNet's kind (Wu, Peng and Yu, 2023): the same outputs under the same names, so that one decoder reads
both.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDES = (8, 16, 32)
KINDS = ("cls", "obj", "bbox", "kps")
CHANNELS = (1, 1, 4, 10)
"""How many numbers a cell gives: how well its box fits, whether there is a face, the box, landmarks."""
PRIOR = 0.01
"""The part of all cells that a new net takes for faces, or the many empty ones would rule the first steps."""


class Unit(nn.Module):
    """A 3×3 convolution in each channel, a 1×1 over all; beside a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.norm1 = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.pointwise(F.relu(self.norm1(self.depthwise(x)))))
        return F.relu(x + y if self.residual else y)


def stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """Return units of which the first halves the size."""
    return nn.Sequential(Unit(inputs, outputs, 2), *(Unit(outputs, outputs) for _ in range(depth)))


def head(inputs: int, outputs: int) -> nn.Sequential:
    """Return what gives each cell its numbers."""
    last = nn.Conv2d(inputs, outputs, 1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(Unit(inputs, inputs), last)


class DetectorNet(nn.Module):
    """(n, 3, height, width) BGR in 0–255, sides multiples of 32 → the outputs, each (n, cells, numbers).

    They come stride by stride in the order of KINDS; `cls` and `obj` are logits until the net is exported.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
        )
        self.early = stage(16, 32, 1)
        self.stages = nn.ModuleList([stage(32, width, 2), stage(width, 96, 3), stage(96, 128, 3)])
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width))
            for inputs in (width, 96, 128)
        )
        self.merges = nn.ModuleList(Unit(width, width) for _ in STRIDES)
        self.heads = nn.ModuleList(head(width, sum(CHANNELS[:3])) for _ in STRIDES)
        self.landmarks = nn.ModuleList(head(width, CHANNELS[3]) for _ in STRIDES)
        for _, last in self.heads:
            nn.init.constant_(last.bias[1], float(torch.logit(torch.tensor(PRIOR))))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.early(self.stem((x - 127.5) / 64.0))
        features = []
        for part in self.stages:
            x = part(x)
            features.append(x)
        merged = None
        outputs: list[list[Tensor]] = []
        for index in reversed(range(len(STRIDES))):
            lateral = self.laterals[index](features[index])
            if merged is not None:
                lateral = lateral + F.interpolate(merged, scale_factor=2.0, mode="nearest")
            merged = self.merges[index](F.relu(lateral))
            cells = torch.cat([self.heads[index](merged), self.landmarks[index](merged)], dim=1)
            outputs.insert(0, list(cells.flatten(2).transpose(1, 2).split(CHANNELS, dim=2)))
        return [output for grid in outputs for output in grid]
