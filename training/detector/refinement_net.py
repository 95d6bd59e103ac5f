"""The second stage's net: one small crop around a box, whether it shows a face, and where exactly."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

SIDE_PX = 64
POINTS = 7
"""The box's two corners and the five landmarks."""


def halving(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 3×3 convolution that halves the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(x + self.norm2(self.conv2(y)), inplace=True)


class RefinementNet(nn.Module):
    """(n, 3, 64, 64) BGR in 0–255 → a logit of being a face, (n,); points in parts of the crop, (n, 7, 2)."""

    def __init__(self, hidden: int = 74) -> None:
        super().__init__()
        self.body = nn.Sequential(
            halving(3, 16), halving(16, 32), Residual(32), halving(32, 64), Residual(64), halving(64, 96)
        )
        self.hidden = nn.Linear(96 * (SIDE_PX // 16) ** 2, hidden)
        self.head = nn.Linear(hidden, 1 + 2 * POINTS)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = F.relu(self.hidden(self.body((x - 127.5) / 64.0).flatten(1)))
        numbers = self.head(features)
        return numbers[:, 0], 0.5 + numbers[:, 1:].unflatten(1, (POINTS, 2))
