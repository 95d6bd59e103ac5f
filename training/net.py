"""The net: plain residual blocks, a mixture of logistic distributions over age, one logit for gender."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

COMPONENTS = 3
SCALE_MIN_YEARS = 1.0
STRETCHED_YEARS = 50.0


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut (ResNet-D's: average, then 1×1)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.norm2.weight)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool = (
                nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False) if stride == 2 else nn.Identity()
            )
            self.shortcut = nn.Sequential(
                pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class FaceNet(nn.Module):
    """(n, 3, side, side) RGB in 0–255 → (n, 3 × COMPONENTS + 1): weights, locations, scales; gender."""

    def __init__(
        self,
        stem: int = 32,
        widths: tuple[int, ...] = (48, 96, 192, 320),
        depths: tuple[int, ...] = (1, 2, 3, 1),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True)
        )
        blocks: list[nn.Module] = []
        inputs = stem
        for width, depth in zip(widths, depths, strict=True):
            for index in range(depth):
                blocks.append(Block(inputs, width, 2 if index == 0 else 1))
                inputs = width
        self.body = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs, 3 * COMPONENTS + 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.bias[COMPONENTS : 2 * COMPONENTS] = torch.linspace(-1.0, 1.0, COMPONENTS)

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(self.stem((x - 127.5) / 64.0)).float().mean((2, 3))
        return self.head(self.dropout(features))


def logistics(
    outputs: Tensor, temperature: float, stretch: float = 0.0, widening: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Log weights, locations and scales (years) of the mixture, each (n, COMPONENTS).

    `temperature` widens every scale, to calibrate an overconfident net. Beyond `STRETCHED_YEARS`, `stretch`
    moves locations outwards by that fraction of the distance and widens them as much, and `widening` adds
    that fraction of the scale for each 20 years.
    """
    weights, locations, scales = outputs[:, : 3 * COMPONENTS].split(COMPONENTS, dim=1)
    scales = temperature * (SCALE_MIN_YEARS + 6 * F.softplus(scales))
    years = 35 + 20 * locations
    beyond = (years - STRETCHED_YEARS).clamp(min=0)
    scales = scales * (1 + stretch * (beyond > 0)) * (1 + widening * beyond / 20)
    return F.log_softmax(weights, dim=1), years + stretch * beyond, scales


def age_loss(outputs: Tensor, low_years: Tensor, high_years: Tensor, temperature: float = 1.0) -> Tensor:
    """−log P(low ≤ age < high) for each face, (n,).

    For a logistic F, log(F(b) − F(a)) = log σ(b) + log σ(−a) + log(1 − exp(a − b)), without cancellation.
    """
    log_weights, locations, scales = logistics(outputs, temperature)
    a = (low_years[:, None] - locations) / scales
    b = (high_years[:, None] - locations) / scales
    inside = F.logsigmoid(b) + F.logsigmoid(-a) + torch.log(-torch.expm1((a - b).clamp(max=-1e-6)))
    return -torch.logsumexp(log_weights + inside, dim=1)


def years_pmf(
    outputs: Tensor, temperature: float = 1.0, stretch: float = 0.0, widening: float = 0.0
) -> Tensor:
    """P(k ≤ age < k + 1) for k below 100, (n, 100); the first and the last are open-ended."""
    log_weights, locations, scales = logistics(outputs, temperature, stretch, widening)
    edges = torch.arange(1, 100, dtype=torch.float32, device=outputs.device)
    below = torch.sigmoid((edges[None, :, None] - locations[:, None]) / scales[:, None])
    cumulative = (log_weights.exp()[:, None] * below).sum(2)
    ends = torch.zeros_like(cumulative[:, :1])
    return torch.cat([cumulative, ends + 1], dim=1) - torch.cat([ends, cumulative], dim=1)
