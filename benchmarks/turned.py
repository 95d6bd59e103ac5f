"""What is read of pictures that lie on their side or upside down, which no tag tells.

    python -m benchmarks.turned FAIRFACE UTKFACE [--detector NAME] [--limit N] [--json]

FAIRFACE and UTKFACE are data sets as `agegender evaluate` takes them. Their pictures are read as they are,
turned by 90, 180 and 270°, and as they are without a look at their turn. The last lines tell how much longer
the way from bytes to estimates takes for those as they are with that look; both take turns by the picture.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from agegender.analyzer import DETECTORS, Analyzer, build_analyzer
from agegender.detection.orientation import TURNS
from agegender.evaluation.datasets import Dataset, Kind, open_dataset
from agegender.evaluation.run import PADDING_PX, Degradation, Result, evaluate, spread
from agegender.imaging.io import decode


@dataclass(frozen=True, slots=True)
class Row:
    """What was read of a data set's pictures turned clockwise by so many degrees.

    `found` and `gender` are parts of all, and of those found; `years` is the mean error where ages are known
    to the year, `tilted` the part of those found that it was said of.
    """

    pictures: str
    turned_degrees: int
    searched: bool
    found: float
    gender: float
    years: float | None
    tilted: float


def row(dataset: Dataset, degrees: int, analyzer: Analyzer, limit: int | None) -> Row:
    """Return what an analyzer reads of the pictures when they are turned."""
    results = list(evaluate(dataset, analyzer, limit, Degradation(turned_degrees=degrees)))
    read = [result for result in results if result.reading]
    right = [r.reading.gender.label == r.sample.gender for r in read if r.reading and r.sample.gender]
    errors = [error for result in read if (error := years_off(result)) is not None]
    tilted = [r.reading is not None and "tilted" in r.reading.warnings for r in read]
    return Row(
        dataset.kind,
        degrees,
        analyzer.sure_upright is not None,
        len(read) / max(1, len(results)),
        float(np.mean(right)),
        float(np.mean(errors)) if errors else None,
        float(np.mean(tilted)),
    )


def years_off(result: Result) -> float | None:
    """Return by how many years an estimate is off, None where the true age is a range."""
    ages, reading = result.sample.ages, result.reading
    return None if not ages or not reading or ages[0] != ages[1] else abs(reading.age.years - ages[0])


def times_as_long(dataset: Dataset, analyzer: Analyzer, without: Analyzer, limit: int | None) -> float:
    """Return how many times as long pictures that stand take with the look at their turn as without."""
    seconds = [0.0, 0.0]
    border_px = PADDING_PX.get(dataset.kind, 0)
    for number, sample in enumerate(spread(dataset.samples, limit)):
        data = dataset.files.read(sample.name)
        both = [(0, analyzer), (1, without)]
        for place, one in both if number % 2 else both[::-1]:
            start_s = time.thread_time()
            image = decode(data)
            if border_px:
                image = np.pad(image, ((border_px, border_px), (border_px, border_px), (0, 0)), mode="edge")
            one(image)
            seconds[place] += time.thread_time() - start_s
    return seconds[0] / seconds[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or with --json its rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fairface", type=Path)
    parser.add_argument("utkface", type=Path)
    parser.add_argument("--detector", choices=DETECTORS, default="auto")
    parser.add_argument("--limit", type=int, help="only so many pictures of each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    analyzer = build_analyzer(options.detector)
    without = Analyzer(analyzer.detector, analyzer.estimator)
    rows, times = [], {}
    sets: dict[Kind, Path] = {"fairface": options.fairface, "utkface": options.utkface}
    for kind, path in sets.items():
        with open_dataset(kind, path) as dataset:
            rows.append(row(dataset, 0, without, options.limit))
            rows += [row(dataset, degrees, analyzer, options.limit) for degrees in TURNS]
            times[kind] = times_as_long(dataset, analyzer, without, options.limit)
    if options.json:
        print(json.dumps({"rows": [asdict(one) for one in rows], "times as long": times}))
        return
    for one in rows:
        name = f"{one.pictures}, turned by {one.turned_degrees}°{'' if one.searched else ', not searched'}"
        years = "–" if one.years is None else f"{one.years:.2f}"
        print(
            f"{name:38} found {one.found:6.1%}  gender {one.gender:6.1%}  off by {years:>5} years  "
            f"said to be tilted {one.tilted:5.1%}"
        )
    for kind, ratio in times.items():
        print(f"{kind}, pictures that stand: {ratio:.3f} times as long as without the look")


if __name__ == "__main__":
    main()
