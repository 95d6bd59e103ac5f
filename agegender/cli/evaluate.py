"""agegender evaluate: accuracy of the pipeline on a labelled data set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from agegender.analyzer import Analyzer
from agegender.batch.parts import manifest_of
from agegender.batch.readings import readings_of
from agegender.cli import console, outputs
from agegender.detection.orientation import TURNS
from agegender.errors import DatasetError
from agegender.evaluation.calibration import age_calibration, gender_calibration
from agegender.evaluation.datasets import KINDS, Dataset, Kind, open_dataset
from agegender.evaluation.groups import confusion
from agegender.evaluation.report import Models, report_lines, report_object
from agegender.evaluation.run import Degradation, Result, evaluate, judge_readings

NAMES: dict[Kind, str] = {
    "fairface": "FairFace",
    "utkface": "UTKFace",
    "congress": "Congress",
    "adience": "Adience",
}


MADE_HARDER = "Results of a batch cannot be made harder: drop --box-only, --face-px and --turned."


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    one.description = "Measure accuracy on a labelled data set, through the whole pipeline."
    one.add_argument("--dataset", required=True, choices=KINDS, help="its layout and its usual figures")
    one.add_argument(
        "path", type=Path, metavar="PATH", help="its folder, a tar archive of it, or its label file"
    )
    one.add_argument("--json", action="store_true", help="print JSON instead of tables")
    one.add_argument(
        "--plots",
        type=Path,
        metavar="FOLDER",
        help="save charts (SVG) of calibration and of confused ages there",
    )
    one.add_argument(
        "--limit", type=_count, metavar="N", help="at most N pictures, spread over the whole set"
    )
    one.add_argument(
        "--box-only",
        action="store_true",
        help="make it harder: align each face by its box, without landmarks",
    )
    one.add_argument(
        "--face-px",
        type=_count,
        metavar="N",
        help="make it harder: scale pictures down until the detected face is about N pixels high",
    )
    one.add_argument(
        "--turned",
        type=int,
        choices=TURNS,
        default=0,
        help="make it harder: turn pictures clockwise by so many degrees, without an orientation tag",
    )
    one.add_argument(
        "--batch",
        type=Path,
        metavar="FOLDER",
        help="use the results of `agegender batch` on its pictures",
    )
    console.add_model_names(one)
    one.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print a data set's figures, and save charts if requested."""
    if options.plots:
        console.require("evaluate", "altair", "vl_convert")
        outputs.make_folder(options.plots, "--plots")
    if options.batch and (options.box_only or options.face_px or options.turned):
        raise DatasetError(MADE_HARDER)
    analyzer, results = None if options.batch else console.build(options), list[Result]()
    degradation = Degradation(options.box_only, options.face_px, options.turned)
    with open_dataset(options.dataset, options.path) as dataset:
        total = min(options.limit or len(dataset.samples), len(dataset.samples))
        models, judged = _judged(dataset, options, analyzer, degradation)
        for result in console.bar(judged, total):
            results.append(result)
            if result.problem:
                console.complain(f"{result.sample.name}: {result.problem}")
    if options.json:
        console.say(json.dumps(report_object(dataset, models, results, degradation), indent=2))
    else:
        for line in report_lines(dataset, models, results, degradation):
            console.say(line)
    if options.plots:
        for name, svg in drawn(dataset.kind, results).items():
            outputs.write_bytes(options.plots / name, svg.encode())
            console.complain(f"{options.plots / name}: drawn")
    return console.FAILED if any(result.problem for result in results) else console.DONE


def _judged(
    dataset: Dataset, options: argparse.Namespace, analyzer: Analyzer | None, degradation: Degradation
) -> tuple[Models, Iterator[Result]]:
    """Names of the models that read the pictures, and the result for each picture."""
    if analyzer:
        return analyzer.models, evaluate(dataset, analyzer, options.limit, degradation)
    made_by = manifest_of(options.batch).get("made_by", {})
    readings = readings_of(options.batch, [sample.name for sample in dataset.samples])
    names = str(made_by.get("detector", "unknown")), str(made_by.get("estimator", "unknown"))
    return names, judge_readings(dataset, readings, options.limit)


def drawn(kind: Kind, results: list[Result]) -> dict[str, str]:
    """SVG charts by file name; charts without data are left out."""
    from agegender.evaluation import charts  # lazy: Altair takes a second to import

    genders, intervals = gender_calibration(kind, results).bins, age_calibration(results)
    found = charts.drawn(NAMES[kind], genders, intervals, confusion(kind, results))
    return {f"{kind}-{what}.svg": charts.svg(chart) for what, chart in found.items()}


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise ValueError
    return count
