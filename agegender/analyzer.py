"""The one pipeline that every door uses: detect, align, estimate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2

from agegender.detection.cascade import bundled
from agegender.detection.coarse_to_fine import CoarseToFineDetector
from agegender.detection.ssd import SSD
from agegender.detection.yunet import YuNet
from agegender.errors import ModelError
from agegender.estimation.apparent import Apparent
from agegender.estimation.levi_hassner import LeviHassner
from agegender.estimation.quality import warnings_of
from agegender.imaging.io import decode, decode_at_least, read
from agegender.models import store
from agegender.models.download import Progress
from agegender.models.manifest import load_manifest
from agegender.types import Analysis, Detector, Estimator, Face, Image, Reading

DETECTORS = ("auto", "yunet", "bundled", "ssd")
ESTIMATORS = ("apparent", "levi-hassner")


class Analyzer:
    """A detector and an estimator put together. May be called from many threads at once.

    `notes` are sentences for whoever chose: which detector `auto` took instead of the best one, and why.
    """

    def __init__(self, detector: Detector, estimator: Estimator, notes: tuple[str, ...] = ()) -> None:
        self.detector = detector
        self.estimator = estimator
        self.notes = notes

    @property
    def models(self) -> tuple[str, str]:
        """The names of its detector and its estimator."""
        return self.detector.name, self.estimator.name

    def __call__(self, image: Image, found: Sequence[Face] | None = None) -> Analysis:
        """Return what is read from an upright RGB image, faces from left to right.

        `found` are its faces where they are known already.
        """
        start = time.perf_counter()
        found = self.detector.detect(image) if found is None else found
        faces = sorted(found, key=lambda face: (face.box.left, face.box.top))
        estimates = self.estimator.estimate(image, faces)
        readings = tuple(
            Reading(face, age, gender, warnings_of(image, face))
            for face, (age, gender) in zip(faces, estimates, strict=True)
        )
        height_px, width_px = image.shape[:2]
        return Analysis(width_px, height_px, readings, time.perf_counter() - start)


def build_analyzer(
    detector: str = "auto", estimator: str = "apparent", progress: Progress | None = None
) -> Analyzer:
    """Return an analyzer of models by name, fetched where they are not here yet.

    `auto` takes YuNet, or the bundled detector where YuNet cannot be had. Raises `ModelError` for an
    unknown name and for a model that cannot be had.
    """
    for role, name, known in (("detector", detector, DETECTORS), ("estimator", estimator, ESTIMATORS)):
        if name not in known:
            raise ModelError(f"There is no {role} called {name!r}. There are: {', '.join(known)}.")
    cv2.setNumThreads(1)  # as with nets: a second thread would take from another visitor what it gives to one
    found, notes = _build_detector(detector, progress)
    return Analyzer(found, _build_estimator(estimator, progress), notes)


def _build_detector(name: str, progress: Progress | None) -> tuple[Detector, tuple[str, ...]]:
    if name == "auto":
        try:
            return _build_detector("yunet", progress)
        except ModelError as error:
            note = f"Using the built-in face detector, which misses a few more faces: {error}"
            return _build_detector("bundled", progress)[0], (note,)
    if name == "yunet":
        return CoarseToFineDetector(YuNet(_fetch(name, progress)["yunet_n_dynamic.onnx"])), ()
    if name == "bundled":
        return bundled(_fetch(name, progress)), ()
    files = _fetch("ssd", progress)
    return SSD(files["opencv_face_detector_uint8.pb"], files["opencv_face_detector.pbtxt"]), ()


def _build_estimator(name: str, progress: Progress | None) -> Estimator:
    if name == "apparent":
        return Apparent(_fetch(name, progress)["apparent.onnx"])
    return LeviHassner(_fetch("levi-hassner", progress))


def _fetch(name: str, progress: Progress | None) -> Mapping[str, Path]:
    return store.fetch(load_manifest()[name], progress)


LOOK_PX = 1280
"""The long side of a picture that is enough to find faces: no detector looks closer."""


SHARP_PX = 128
"""The sides of a face that fills what is cut out of it: 126 pixels for the 227 of Levi and Hassner, 105
for the 112 of the bundled net, 100 for a card. Of a larger one less than all is used."""


def analyze_file(source: bytes | Path, analyzer: Analyzer) -> tuple[Image, Analysis]:
    """Return the RGB picture, maybe smaller than in its file, and its analysis in the file's own pixels.

    A large JPEG is decoded at half its size or less while all its faces are sharp so, and whole where one is
    not. Raises `ImageError` as `images.decode` does.
    """
    data = source if isinstance(source, bytes) else read(source)
    decoded = decode_at_least(data, LOOK_PX)
    image, whole_wh = decoded.image, decoded.whole_wh
    if image.shape[1] == whole_wh[0]:
        return image, replace(analyzer(image), notes=decoded.notes)
    faces = analyzer.detector.detect(image)
    if any(min(face.box.width, face.box.height) < SHARP_PX for face in faces):
        larger = whole_wh[0] / image.shape[1]
        faces = tuple(face.moved(larger, larger) for face in faces)
        image = decode(data)
    return image, replace(analyzer(image, faces).resized(*whole_wh), notes=decoded.notes)
