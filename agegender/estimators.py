"""Estimators, all of one protocol: an RGB image and its faces go in, ages and genders come out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender import ages
from agegender.alignment import align
from agegender.errors import ModelError
from agegender.imaging.geometry import margin_crop
from agegender.models.session import onnx_session
from agegender.types import Estimate, Face, Gender, Image

BATCH = 4
"""The most faces that go through a net at once: what more need between layers is so large that the memory for
it is asked for anew each time (`memory.LARGE_BYTES`), which takes longer than what they save."""


class Apparent:
    """The bundled net: aligned faces to a distribution over years of age, and a gender.

    Its ONNX file takes `faces`, RGB uint8 (n, size, size, 3), and gives `years_pmf`, float32 (n, years),
    and `p_female`, float32 (n,); scaling and calibration are inside. Each face is read in two views, of
    which the mean counts: of years the distributions', of gender the logits'.
    """

    VIEWS = ((0.04, False), (-0.04, True))
    """What is seen beyond the aligned crop on each side, in parts of it, and whether in the mirror: two
    readings that go wrong apart from each other (training/README.md)."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._session = onnx_session(path)
        self._size_px = int(self._session.get_inputs()[0].shape[1])

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        """Return one (age, gender) for each face of the RGB image, in order; () for no faces."""
        return tuple(
            (ages.from_years(pmf), Gender(female))
            for years_pmf, p_female in self.outputs(image, faces)
            for pmf, female in zip(years_pmf, p_female.tolist(), strict=True)
        )

    def years_pmf(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float32]:
        """Return how probable each year of age is for each face, (n, 100); see `ages.from_years`."""
        batches = [years_pmf for years_pmf, _ in self.outputs(image, faces)]
        return np.concatenate(batches) if batches else np.empty((0, 100), dtype=np.float32)

    def outputs(
        self, image: Image, faces: Sequence[Face]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield how probable each year of age is, (n, 100), and being female, (n,), some faces at a time."""
        for batch in _batches(faces):
            crops = [
                cv2.flip(crop, 1) if mirrored else crop  # many times as fast as to step backwards
                for margin, mirrored in self.VIEWS
                for crop in (align(image, face, self._size_px, margin) for face in batch)
            ]
            years_pmf, p_female = self._session.run(["years_pmf", "p_female"], {"faces": np.stack(crops)})
            views = len(self.VIEWS), len(batch)
            p_female = np.clip(p_female, 1e-6, 1 - 1e-6)
            logits = np.log(p_female / (1 - p_female)).reshape(views).mean(axis=0)
            yield years_pmf.reshape(*views, -1).mean(axis=0), 1 / (1 + np.exp(-logits))


class LeviHassner:
    """The two Caffe nets of Levi and Hassner (CVPR workshops, 2015), one for age and one for gender.

    `paths` has the files age_net.caffemodel, age_deploy.prototxt, gender_net.caffemodel and
    gender_deploy.prototxt by name. Raises `ModelError` when they cannot be read.
    """

    SIZE_PX = 227
    # The mean of Adience's faces, as the authors took it out.
    MEAN_BGR = np.array([78.42634, 87.76891, 114.89585], dtype=np.float32)
    # What Adience's pictures show around a face: hair, ears and neck, not a detector's tight box. Parts of
    # the box's longer side, on each side, so that it does not depend on how large the face is.
    MARGIN = 0.4

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.name = "levi-hassner"
        self._age = _read_caffe(paths["age_deploy.prototxt"], paths["age_net.caffemodel"])
        self._gender = _read_caffe(paths["gender_deploy.prototxt"], paths["gender_net.caffemodel"])
        self._lock = threading.Lock()  # a cv2 net keeps its input and its outputs to itself

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        """Return one (age, gender) for each face of the RGB image, in order; () for no faces."""
        estimates: list[Estimate] = []
        for batch in _batches(faces):
            crops = [margin_crop(image, face.box, self.MARGIN, self.SIZE_PX) for face in batch]
            blob = np.stack(crops)[..., ::-1] - self.MEAN_BGR  # RGB to the nets' BGR
            ranges, genders = self._forward(np.ascontiguousarray(blob.transpose(0, 3, 1, 2)))
            estimates += [  # the order of the nets' classes is that of RANGES, and (Male, Female)
                (ages.from_ranges(of_range), Gender(female))
                for of_range, (_, female) in zip(ranges, genders.tolist(), strict=True)
            ]
        return tuple(estimates)

    def _forward(self, blob: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (n, 8) and (n, 2) probabilities for (n, 3, 227, 227) faces."""
        with self._lock:
            self._age.setInput(blob)
            self._gender.setInput(blob)
            # Copied, as the next call writes into the same memory.
            return np.array(self._age.forward(), np.float32), np.array(self._gender.forward(), np.float32)


def _batches(faces: Sequence[Face]) -> Iterator[Sequence[Face]]:
    return (faces[start : start + BATCH] for start in range(0, len(faces), BATCH))


def _read_caffe(graph: Path, weights: Path) -> cv2.dnn.Net:
    try:
        net = cv2.dnn.readNetFromCaffe(str(graph), str(weights))
        # Weights that do not fit the graph, or none at all, are noticed no sooner than here.
        net.setInput(np.zeros((1, 3, LeviHassner.SIZE_PX, LeviHassner.SIZE_PX), dtype=np.float32))
        net.forward()
    except cv2.error as error:
        raise ModelError(f"{weights.name} is not a Caffe model that OpenCV can run.") from error
    return net
