"""Run the whole pipeline (detect, align, estimate) on labelled pictures."""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.analyzer import Analyzer
from agegender.detection.orientation import turned
from agegender.errors import AgeGenderError
from agegender.estimation.age import probability_below
from agegender.estimation.quality import warnings_of
from agegender.evaluation.datasets import FAIRFACE_AGES, Dataset, Kind, Sample
from agegender.imaging.io import decode
from agegender.types import Age, Face, Image, Reading

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 2

PADDING_PX = {"utkface": 40}
"""Border added, by repeating edge pixels, where pictures are cropped so tightly that detectors miss faces."""

FAIRFACE_STARTS = [first for first, _ in FAIRFACE_AGES]


@runtime_checkable
class YearsEstimator(Protocol):
    """An estimator with a distribution over single years of age, not only over the eight ranges."""

    def years_pmf(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float32]:
        """Distributions over years of age, (n, 100), for n faces of the RGB image."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """The result for one picture. `reading` is None if no face was found or `problem` says why there is none.

    `group` is the index in `FAIRFACE_AGES` of the estimated age, None for other data sets. `below` is the
    estimated probability of an age below the true one, if that is known to the year.
    """

    sample: Sample
    reading: Reading | None = None
    group: int | None = None
    problem: str = ""
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Degradation:
    """What makes the pictures harder.

    Before detection, `turned_degrees` (0, 90, 180 or 270) turns the picture clockwise, and `redraw` changes
    it, given the location of its face. Between detection and estimation, `box_only` drops the landmarks, and
    `face_px` scales the picture down until the face's box is about that many pixels high, if it is higher.
    """

    box_only: bool = False
    face_px: int | None = None
    turned_degrees: int = 0
    redraw: Callable[[Image, Face], Image] | None = None


def evaluate(
    dataset: Dataset, analyzer: Analyzer, limit: int | None = None, degradation: Degradation | None = None
) -> Iterator[Result]:
    """Yield a result for each picture, in order; `limit` takes a sample spread over the whole set.

    If a picture has several faces, only the one nearest to the middle is estimated. A picture in which no
    face was found before drawing into it is left as it is.
    """

    def judge(item: tuple[Sample, bytes | AgeGenderError]) -> Result:
        sample, content = item
        try:
            if isinstance(content, AgeGenderError):
                raise content
            return _judged(sample, decode(content), dataset.kind, analyzer, degradation or Degradation())
        except AgeGenderError as error:
            return Result(sample, problem=str(error))

    def contents() -> Iterator[tuple[Sample, bytes | AgeGenderError]]:
        for sample in spread(dataset.samples, limit):
            try:
                yield sample, dataset.files.read(sample.name)
            except AgeGenderError as error:
                yield sample, error

    return _map_in_order(judge, contents())


def judge_readings(
    dataset: Dataset, readings: Mapping[str, Sequence[Reading] | str], limit: int | None = None
) -> Iterator[Result]:
    """Results, as from `evaluate`, for pictures that were analysed before.

    `readings` maps picture names in the data set to their readings, or to why they could not be read. They
    hold no distribution over years, so groups and intervals derive from the eight ranges.
    """
    for sample in spread(dataset.samples, limit):
        found = readings.get(sample.name, "The picture is not in these results.")
        if isinstance(found, str):
            yield Result(sample, problem=found)
        elif not found:
            yield Result(sample)
        else:
            yield _compared(sample, dataset.kind, found[0], None)


def spread(samples: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` samples, evenly spaced, as neighbours are often alike."""
    count = len(samples) if limit is None else min(limit, len(samples))
    return [samples[i * len(samples) // count] for i in range(count)]


def central_face(image: Image, faces: Sequence[Face]) -> Face:
    """The face, of one or more, that is nearest to the middle of the picture."""
    x, y = image.shape[1] / 2, image.shape[0] / 2
    return min(faces, key=lambda face: (face.box.center[0] - x) ** 2 + (face.box.center[1] - y) ** 2)


def scaled_down(image: Image, face: Face, face_px: int) -> tuple[Image, Face]:
    """Scale the picture down until the face's box is about `face_px` high; return it and the face in it.

    Both are unchanged if the box is no higher than that.
    """
    height_px, width_px = image.shape[:2]
    if face.box.height <= face_px:
        return image, face
    part = face_px / face.box.height
    small_wh = max(1, round(width_px * part)), max(1, round(height_px * part))
    small = np.asarray(cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return small, face.moved(small_wh[0] / width_px, small_wh[1] / height_px)


def without_border(image: Image, face: Face, border_px: int) -> tuple[Image, Face]:
    """Crop `border_px` off each side; return the picture and the face in it."""
    height_px, width_px = image.shape[:2]
    inner = image[border_px : height_px - border_px, border_px : width_px - border_px]
    return inner, face.moved(1, 1, -border_px, -border_px)


def _judged(sample: Sample, image: Image, kind: Kind, analyzer: Analyzer, degradation: Degradation) -> Result:
    padding_px = PADDING_PX.get(kind, 0)
    if padding_px:
        image = np.pad(image, ((padding_px, padding_px), (padding_px, padding_px), (0, 0)), mode="edge")
    if degradation.turned_degrees:
        image = turned(image, degradation.turned_degrees)
    standing = analyzer.find(image)
    if standing.faces and degradation.redraw:
        standing = analyzer.find(
            degradation.redraw(standing.image, central_face(standing.image, standing.faces))
        )
    if not standing.faces:
        return Result(sample)
    image, face = standing.image, central_face(standing.image, standing.faces)
    unsure = face in standing.unsure
    padded_px = len(image)
    if degradation.box_only:
        face = replace(face, landmarks=())
    if degradation.face_px:
        image, face = scaled_down(image, face, degradation.face_px)
    ((age, gender),) = analyzer.estimator.estimate(image, [face])
    # The added border shows nothing of the face.
    border_px = round(padding_px * len(image) / padded_px)
    warnings = warnings_of(*without_border(image, face, border_px), unsure)
    reading = Reading(face, age, gender, warnings)
    return _compared(sample, kind, reading, _years_pmf(analyzer.estimator, image, face))


def _compared(sample: Sample, kind: Kind, reading: Reading, pmf: NDArray[np.float32] | None) -> Result:
    if kind in ("adience", "congress"):
        return Result(sample, reading)
    if kind == "fairface":
        return Result(sample, reading, _fairface_group(pmf, reading.age))
    true = sample.ages[0] if sample.ages else None
    return Result(sample, reading, below=None if true is None else probability_below(true, reading.age, pmf))


def _years_pmf(estimator: object, image: Image, face: Face) -> NDArray[np.float32] | None:
    """Distribution over years, (100,), if the estimator has one."""
    return estimator.years_pmf(image, [face])[0] if isinstance(estimator, YearsEstimator) else None


def _fairface_group(pmf: NDArray[np.float32] | None, age: Age) -> int:
    """FairFace group of the median age, chosen in the same way as the reported one of the eight ranges."""
    if pmf is not None:
        return int((np.add.reduceat(pmf, FAIRFACE_STARTS).cumsum()[:-1] < 0.5).sum())
    return bisect(FAIRFACE_STARTS, max(0.0, age.years + 0.5)) - 1  # year k of life spans [k, k + 1)


def _map_in_order(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Map in order with threads that run only a few items ahead."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
