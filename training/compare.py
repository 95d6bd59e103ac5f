"""Print the figures of several files of the net side by side, such as what 8 bits cost.

    python -m training.compare DATA FILE … [--two-views FILE …]

DATA is a folder with fairface-val.csv and .tar, and the same for utkface and congress; each FILE comes from
`training.export` or `training.quantize`; those of `--two-views` are from 0.1.0, which estimated each face
twice. For measuring only: no choice depends on what this prints.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from agegender.analyzer import Analyzer, build_analyzer
from agegender.estimation.apparent import Apparent
from agegender.evaluation.datasets import Kind, open_dataset
from agegender.evaluation.groups import groups
from agegender.evaluation.metrics import Figure, confidence, figures
from agegender.evaluation.run import Result, evaluate
from benchmarks.estimators import TwoViews

KINDS: tuple[Kind, ...] = ("fairface", "utkface", "congress")


def shown(figure: Figure) -> str:
    """Format a figure with one more decimal than the card."""
    value = figure.value or 0.0
    return f"{value:.3f} {figure.unit}" if figure.unit != "%" else f"{100 * value:.2f} %"


def main(data: Path, estimators: Sequence[Apparent]) -> None:
    detector = build_analyzer("yunet", "apparent").detector
    for kind in KINDS:
        with open_dataset(kind, data / f"{kind}-val.tar") as dataset:
            results = [list(evaluate(dataset, Analyzer(detector, estimator))) for estimator in estimators]
        columns = [rows(kind, of_file) for of_file in results]
        for title in columns[0]:
            print(f"{kind}, {title:64}", *(f"{column[title]:>10}" for column in columns))


def rows(kind: Kind, results: Sequence[Result]) -> dict[str, str]:
    """Figures by title, for everybody and for each group."""
    of_all = (*figures(kind, results), *confidence(kind, results))
    found = {figure.title: shown(figure) for figure in of_all}
    for group in groups(kind, results):
        found |= {
            f"{group.by} {group.name}: {f.title}": shown(f) for f in group.figures if f.value is not None
        }
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--two-views", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    main(options.data, [*map(TwoViews, options.two_views), *map(Apparent, options.files)])
