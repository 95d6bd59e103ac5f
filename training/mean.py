"""Average the weights of several trainings into a checkpoint for `training.export`.

    python -m training.mean WORK CHECKPOINT CHECKPOINT …

Trainings from the same initial weights end up in one valley, whose middle is usually better than its sides
(Wortsman et al., 2022, "Model soups"). Averages the running averages, normalisations included; the result is
written to WORK as `checkpoint.pt`, for export but not for further training.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def main(work: Path, checkpoints: list[Path]) -> None:
    states = [torch.load(path)["average"] for path in checkpoints]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0) if first.is_floating_point() else first
        for name, first in states[0].items()
    }
    torch.save({"average": mean}, work / "checkpoint.pt")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]])
