"""The one pipeline behind the app, the command line and the library: detect, align, estimate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from agegender.detection.cascade import bundled
from agegender.detection.coarse_to_fine import CoarseToFineDetector
from agegender.detection.long_pictures import detect_any_shape
from agegender.detection.orientation import Upright, turned_face, upright
from agegender.detection.second_opinion import SecondOpinion
from agegender.detection.ssd import SSD
from agegender.detection.yunet import YuNet
from agegender.errors import ImageError, ModelError
from agegender.estimation.apparent import Apparent
from agegender.estimation.levi_hassner import LeviHassner
from agegender.estimation.quality import warnings_of
from agegender.imaging import workers
from agegender.imaging.io import Decoded
from agegender.models import store
from agegender.models.download import Progress
from agegender.models.manifest import load_manifest
from agegender.types import Analysis, Detector, Estimator, Face, Image, Reading

DETECTORS = ("auto", "yunet", "bundled", "ssd")
ESTIMATORS = ("apparent", "levi-hassner")


SURE_UPRIGHT = {"yunet": 0.905, "bundled": 0.993, "ssd": 0.995}
"""By detector, a score that hardly any face reaches unless upright (`python -m benchmarks.turned`)."""


class Analyzer:
    """A detector combined with an estimator. May be called from many threads at once.

    `notes` are sentences for the user: which detector `auto` fell back to, and why. `names` are arguments
    from which `build_analyzer` builds the same one, in another process as well, or None. `sure_upright` is
    the score from which a face is certainly upright; if no face reaches it, the picture's quarter turns are
    tried too. Without it, pictures are taken as they are.
    """

    def __init__(
        self,
        detector: Detector,
        estimator: Estimator,
        notes: tuple[str, ...] = (),
        names: tuple[str, str] | None = None,
        sure_upright: float | None = None,
    ) -> None:
        self.detector = detector
        self.estimator = estimator
        self.notes = notes
        self.names = names
        self.sure_upright = sure_upright

    @property
    def models(self) -> tuple[str, str]:
        """Names of its detector and its estimator."""
        return self.detector.name, self.estimator.name

    def __call__(self, image: Image, found: Sequence[Face] | None = None) -> Analysis:
        """Analyse an RGB image; faces are ordered from left to right.

        `found` are its faces if known already, from a picture that is upright.
        """
        start = time.perf_counter()
        standing = self.find(image) if found is None else Upright(image, tuple(found))
        return self.read(standing, start)

    def find(self, image: Image) -> Upright:
        """Turn the RGB image upright and find its faces."""
        if self.sure_upright is None:
            return Upright(image, detect_any_shape(image, self.detector))
        return upright(image, self.detector, self.sure_upright)

    def read(self, standing: Upright, start_s: float | None = None) -> Analysis:
        """Estimate the faces of a picture, in the pixels it had before it was turned.

        `start_s` is when the work on it began, on `time.perf_counter`'s clock.
        """
        start_s = time.perf_counter() if start_s is None else start_s
        image, back = standing.image, (360 - standing.turned_degrees) % 360
        height_px, width_px = image.shape[:2]
        estimates = self.estimator.estimate(image, standing.faces)
        readings = [
            Reading(
                turned_face(face, back, width_px, height_px),
                *estimate,
                warnings_of(image, face, tilted=face in standing.unsure),
            )
            for face, estimate in zip(standing.faces, estimates, strict=True)
        ]
        readings.sort(key=lambda reading: (reading.face.box.left, reading.face.box.top))
        if back in (90, 270):
            width_px, height_px = height_px, width_px
        seconds = time.perf_counter() - start_s
        return Analysis(width_px, height_px, tuple(readings), seconds, standing.turned_degrees)


def build_analyzer(
    detector: str = "auto", estimator: str = "apparent", progress: Progress | None = None
) -> Analyzer:
    """Build an analyzer from models by name, downloading them if needed.

    `auto` takes YuNet, or the bundled detector if YuNet cannot be had. Raises `ModelError` for an unknown
    name and for a model that cannot be had.
    """
    for role, name, known in (("detector", detector, DETECTORS), ("estimator", estimator, ESTIMATORS)):
        if name not in known:
            raise ModelError(f"There is no {role} called {name!r}. There are: {', '.join(known)}.")
    cv2.setNumThreads(1)  # as for the nets: a second thread only takes from another visitor
    notes: tuple[str, ...] = ()
    if detector == "auto":
        detector = "yunet"
        try:
            _fetch("yunet", progress)
        except ModelError as error:
            detector = "bundled"
            notes = (f"Using the built-in face detector, which misses a few more faces: {error}",)
    found, reader = _build_detector(detector, progress), _build_estimator(estimator, progress)
    return Analyzer(found, reader, notes, (detector, estimator), SURE_UPRIGHT[detector])


def _build_detector(name: str, progress: Progress | None) -> Detector:
    if name == "yunet":
        second = SecondOpinion(_fetch("bundled", progress)["refinement.onnx"])
        return CoarseToFineDetector(YuNet(_fetch(name, progress)["yunet_n_dynamic.onnx"]), second=second)
    if name == "bundled":
        return bundled(_fetch(name, progress))
    files = _fetch("ssd", progress)
    return SSD(files["opencv_face_detector_uint8.pb"], files["opencv_face_detector.pbtxt"])


def _build_estimator(name: str, progress: Progress | None) -> Estimator:
    if name == "apparent":
        return Apparent(_fetch(name, progress)["apparent.onnx"])
    return LeviHassner(_fetch("levi-hassner", progress))


def _fetch(name: str, progress: Progress | None) -> Mapping[str, Path]:
    return store.fetch(load_manifest()[name], progress)


LOOK_PX = 1280
"""Long side at which to detect faces: no detector looks closer."""


SHARP_PX = 128
"""Side of a face above which its resolution exceeds every use.

A crop filled by such a face takes 126 pixels of it for the 227 of Levi and Hassner, 105 for the 112 of the
bundled net, 100 for a card.
"""


Decode = Callable[[bytes | Path, int], Decoded]
"""Decodes a file at a given minimum long side: in a worker, or `io.decode_at_least`."""

UNSHARP = "The picture is too large to be read whole, so what is seen of small faces is less certain."


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A file, its picture decoded large enough to find faces, and the function that decodes more of it."""

    source: bytes | Path
    decoded: Decoded
    decode: Decode


def look(source: bytes | Path, decode: Decode = workers.decode_at_least) -> Look:
    """Take a first look at a file; raises `ImageError` if it cannot be read."""
    return Look(source, decode(source, LOOK_PX), decode)


def analyze_file(
    source: bytes | Path | Look, analyzer: Analyzer, decode: Decode = workers.decode_at_least
) -> tuple[Image, Analysis]:
    """Return the RGB picture, possibly smaller than in its file, and its analysis in the file's own pixels.

    A worker decodes it in a process with limits, unless `decode` says otherwise: `io.decode_at_least` decodes
    trusted files in this process. A large JPEG is decoded at half its size or less if all of its faces are
    sharp enough then, and larger if one is not. Raises `ImageError` as `io.decode` does.
    """
    first = source if isinstance(source, Look) else look(source, decode)
    image, whole_wh, notes = first.decoded.image, first.decoded.whole_wh, first.decoded.notes
    if image.shape[1] == whole_wh[0]:
        return image, replace(analyzer(image), notes=notes)
    standing = analyzer.find(image)
    smallest_px = min((min(face.box.width, face.box.height) for face in standing.faces), default=SHARP_PX)
    if smallest_px < SHARP_PX:
        try:
            larger = first.decode(first.source, int(max(image.shape) * SHARP_PX / max(1.0, smallest_px)))
        except ImageError:  # the smaller version could be read
            notes = (*notes, UNSHARP)
        else:
            image = larger.image
            standing = standing.enlarged(image)
    return image, replace(analyzer.read(standing).resized(*whole_wh), notes=notes)
