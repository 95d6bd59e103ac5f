"""Shared by the trainings: optimizer, running average of the weights, checkpoint to resume from."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

AVERAGING = 0.998
"""Decay of the running average per step, after the first few hundred."""


def adamw(net: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the net's parameters, without decay for norms and biases."""
    decayed = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    plain = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, step: int) -> None:
    """Update the running average of the weights after a step; faster during the first ones."""
    keep = min(AVERAGING, (step + 1) / (step + 10))
    for mean, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(new, 1 - keep)


def save(
    path: Path, net: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, **done: int
) -> None:
    """Write the checkpoint, replacing the one before; `done` is the progress."""
    state = {"net": net.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state | done, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def load(path: Path, net: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, done: str) -> int:
    """Load the checkpoint and return its progress; 0 if there is none."""
    if not path.exists():
        return 0
    state = torch.load(path)
    net.load_state_dict(state["net"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state[done])
