"""Measure the bundled models and write the figures of the model card, the README and the About page.

    python -m training.card DATA [LIMIT]   # measure, write models/figures.json, models/plots and the tables
    python -m training.card                # rewrite tables and plots from models/figures.json

DATA is a folder with fairface-val.csv and .tar, and the same for utkface and congress; LIMIT is the maximum
number of pictures of each set, all by default. Nothing in it is random. In the files of `CARDS`, tables are
between `<!-- table: NAME -->` and `<!-- end -->`, and single figures between `<!-- figure: SET KEY -->` and
`<!-- end -->`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from agegender.analyzer import Analyzer, build_analyzer
from agegender.evaluation import card as measured
from agegender.evaluation import charts
from agegender.evaluation.datasets import Dataset, Kind, open_dataset
from agegender.evaluation.metrics import figures
from agegender.evaluation.report import figures_object, report_object
from agegender.evaluation.run import Degradation, Result, evaluate, spread
from agegender.evaluation.tables import SETS
from agegender.models.manifest import load_manifest
from training import robustness
from training.tables import TABLES, in_prose

ROOT = Path(__file__).parents[1]
PLOTS = ROOT / "models" / "plots"
CARDS = (ROOT / "models" / "README.md", ROOT / "README.md")
KINDS: tuple[Kind, ...] = ("fairface", "utkface", "congress")
WORSE = 600
"""Number of pictures of each set, evenly spread, for degradations and other detectors."""
HARDER = {
    "box alone": Degradation(box_only=True),
    "40 px": Degradation(face_px=40),
    "24 px": Degradation(face_px=24),
}


def measure(data: Path, limit: int | None = None) -> dict[str, object]:
    """The content of models/figures.json."""
    start_s, analyzer = time.time(), build_analyzer("yunet", "apparent")
    others = {"bundled": build_analyzer("bundled", "apparent")}
    reports: dict[str, object] = {}
    parts: dict[str, dict[str, dict[str, object]]] = {
        part: defaultdict(dict) for part in ("harder", "robustness", "consistency", "detectors")
    }
    for kind in KINDS:
        with open_dataset(kind, data / f"{kind}-val.tar") as dataset:
            count = min(limit or len(dataset.samples), len(dataset.samples))

            def results(
                title: str,
                analyzer: Analyzer = analyzer,
                degradation: Degradation | None = None,
                dataset: Dataset = dataset,
                count: int = min(count, WORSE),
            ) -> list[Result]:
                return list(tqdm(evaluate(dataset, analyzer, count, degradation), title, count, disable=None))

            plain = results(kind, count=count)
            reports[kind] = report_object(dataset, analyzer.models, plain)
            if kind == "congress":
                continue
            some = spread(plain, WORSE)
            for part, name in (("harder", "as found"), ("robustness", "as found"), ("detectors", "YuNet")):
                parts[part][name][kind] = figures_object(figures(kind, some))
            for name, degradation in HARDER.items():
                worse = results(f"{kind}, {name}", degradation=degradation)
                parts["harder"][name][kind] = figures_object(figures(kind, worse))
            for part, found in robustness.measure(dataset, analyzer, some, len(some)).items():
                for name, figure in found.items():
                    parts[part][name][kind] = figure
            for name, other in others.items():
                found_so = results(f"{kind}, {name}", other)
                parts["detectors"][name][kind] = figures_object(figures(kind, found_so))
    return {"made": made(analyzer, limit, time.time() - start_s), "reports": reports, **parts}


def made(analyzer: Analyzer, limit: int | None, seconds: float) -> dict[str, object]:
    """How the figures were produced."""
    manifest = load_manifest()
    return {
        "command": f"python -m training.card DATA {limit or ''}".strip(),
        "seconds": round(seconds),
        "cores": os.cpu_count(),
        "detector": analyzer.detector.name,
        "estimator": analyzer.estimator.name,
        "sha256": {file.name: file.sha256 for name in ("yunet", "apparent") for file in manifest[name].files},
    }


def rewritten(text: str, card: measured.Card) -> str:
    """The text of a card with its tables and figures replaced."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]](card)}\n{match[3]}"

    def figure(match: re.Match[str]) -> str:
        return f"{match[1]}{in_prose(card, match[2])}{match[3]}"

    text = re.sub(r"(<!-- table: (.+?) -->)\n.*?(<!-- end -->)", table, text, flags=re.S)
    return re.sub(r"(<!-- figure: (.+?) -->).*?(<!-- end -->)", figure, text)


def draw(card: measured.Card) -> None:
    """Draw the charts of the model card, in models/plots."""
    PLOTS.mkdir(exist_ok=True)
    for kind, report in card.reports.items():
        if kind in SETS:
            genders, ages = report.gender_calibration.bins, report.age_calibration
            for what, chart in charts.drawn(SETS[kind], genders, ages, report.confusion).items():
                (PLOTS / f"{kind}-{what}.svg").write_text(charts.svg(chart), encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    if arguments:
        found = measure(Path(arguments[0]), *map(int, arguments[1:]))
        content = json.dumps(found, indent=1, ensure_ascii=False)
        measured.FIGURES.write_text(content + "\n", encoding="utf-8")
    card = measured.read()
    draw(card)
    for path in CARDS:
        path.write_text(rewritten(path.read_text(encoding="utf-8"), card), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(__doc__)
    main(sys.argv[1:])
