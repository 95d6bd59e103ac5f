"""Print the figures of several files of the net side by side, on both sets: what 8 bits cost, for one.

    python -m training.compare DATA FILE …

DATA is a folder with fairface-val.csv and .tar and utkface-val.csv and .tar, FILE what `training.export` or
`training.quantize` wrote. For measuring alone: no choice is made by what this prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agegender.analyzer import Analyzer, build_analyzer
from agegender.estimation.apparent import Apparent
from agegender.evaluation.datasets import Kind, open_dataset
from agegender.evaluation.metrics import Figure, figures
from agegender.evaluation.run import evaluate

KINDS: tuple[Kind, ...] = ("fairface", "utkface")


def shown(figure: Figure) -> str:
    """Return a figure with one decimal more than the card has."""
    value = figure.value or 0.0
    return f"{value:.3f} {figure.unit}" if figure.unit != "%" else f"{100 * value:.2f} %"


def main(data: Path, files: list[Path]) -> None:
    detector = build_analyzer("yunet", "apparent").detector
    for kind in KINDS:
        with open_dataset(kind, data / f"{kind}-val.tar") as dataset:
            columns = [
                figures(kind, list(evaluate(dataset, Analyzer(detector, Apparent(file))))) for file in files
            ]
        for row in zip(*columns, strict=True):
            print(f"{kind}, {row[0].title:40}", *(f"{shown(figure):>10}" for figure in row))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(file) for file in sys.argv[2:]])
