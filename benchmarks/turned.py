"""Results on pictures that are on their side or upside down without an orientation tag.

    python -m benchmarks.turned FAIRFACE UTKFACE [--detector NAME] [--limit N] [--json]

FAIRFACE and UTKFACE are data sets as for `agegender evaluate`. Their pictures are analysed as they are,
turned by 90, 180 and 270°, and as they are without the search for orientation. The last lines give the
slowdown from bytes to estimates caused by that search on upright pictures; both take turns picture by
picture.
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
    """Results on a data set's pictures turned clockwise by so many degrees.

    `found` is a fraction of all pictures and `gender` of those found; `years` is the mean error where exact
    ages are known, `tilted` the fraction of those found with that warning.
    """

    pictures: str
    turned_degrees: int
    searched: bool
    found: float
    gender: float
    years: float | None
    tilted: float


def row(dataset: Dataset, degrees: int, analyzer: Analyzer, limit: int | None) -> Row:
    """Analyse the pictures turned by `degrees`."""
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
    """Absolute error in years, None if the true age is a range."""
    ages, reading = result.sample.ages, result.reading
    return None if not ages or not reading or ages[0] != ages[1] else abs(reading.age.years - ages[0])


def times_as_long(dataset: Dataset, analyzer: Analyzer, without: Analyzer, limit: int | None) -> float:
    """Slowdown caused by the search for orientation on upright pictures."""
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
    """Print the table, or its rows with --json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fairface", type=Path)
    parser.add_argument("utkface", type=Path)
    parser.add_argument("--detector", choices=DETECTORS, default="auto")
    parser.add_argument("--limit", type=int, help="maximum number of pictures of each")
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
