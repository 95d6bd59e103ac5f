"""Put the mean of the weights of several trainings where `training.export` looks for them.

    python -m training.mean WORK CHECKPOINT CHECKPOINT …

Trainings that began from the same weights lie in one valley, and its middle is as a rule better
than its sides (Wortsman et al., 2022, "Model soups"). The running averages count, normalisations and
all; the result goes into WORK as `checkpoint.pt`, fit to export and not to be trained further.
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
