"""The two Caffe nets of Levi and Hassner (2015), the estimator of the classic application."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.errors import ModelError
from agegender.estimation.age import from_ranges
from agegender.estimation.apparent import batches
from agegender.imaging.geometry import margin_crop
from agegender.types import Estimate, Face, Gender, Image


class LeviHassner:
    """The two Caffe nets of Levi and Hassner (CVPR workshops, 2015), one for age and one for gender.

    `paths` maps age_net.caffemodel, age_deploy.prototxt, gender_net.caffemodel and gender_deploy.prototxt to
    their files. Raises `ModelError` if they cannot be read.
    """

    SIZE_PX = 227
    # Mean of Adience's faces, which the authors subtracted.
    MEAN_BGR = np.array([78.42634, 87.76891, 114.89585], dtype=np.float32)
    # Adience's pictures show hair, ears and neck, not a detector's tight box. In units of the box's longer
    # side, on each side, so that it does not depend on the size of the face.
    MARGIN = 0.4

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.name = "levi-hassner"
        self._age = _read_caffe(paths["age_deploy.prototxt"], paths["age_net.caffemodel"])
        self._gender = _read_caffe(paths["gender_deploy.prototxt"], paths["gender_net.caffemodel"])
        self._lock = threading.Lock()  # a cv2 net holds state between setInput and forward

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        """Estimate (age, gender) for each face of the RGB image, in order; () for no faces."""
        estimates: list[Estimate] = []
        for batch in batches(faces):
            crops = [margin_crop(image, face.box, self.MARGIN, self.SIZE_PX) for face in batch]
            blob = np.stack(crops)[..., ::-1] - self.MEAN_BGR  # RGB to the nets' BGR
            ranges, genders = self._forward(np.ascontiguousarray(blob.transpose(0, 3, 1, 2)))
            estimates += [  # class order: that of RANGES, and (Male, Female)
                (from_ranges(of_range), Gender(female))
                for of_range, (_, female) in zip(ranges, genders.tolist(), strict=True)
            ]
        return tuple(estimates)

    def _forward(self, blob: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities, (n, 8) and (n, 2), for (n, 3, 227, 227) faces."""
        with self._lock:
            self._age.setInput(blob)
            self._gender.setInput(blob)
            # Copied, because the next call reuses the memory.
            return np.array(self._age.forward(), np.float32), np.array(self._gender.forward(), np.float32)


def _read_caffe(graph: Path, weights: Path) -> cv2.dnn.Net:
    try:
        net = cv2.dnn.readNetFromCaffe(str(graph), str(weights))
        # A missing or mismatched weights file is detected only on a forward pass.
        net.setInput(np.zeros((1, 3, LeviHassner.SIZE_PX, LeviHassner.SIZE_PX), dtype=np.float32))
        net.forward()
    except cv2.error as error:
        raise ModelError(f"{weights.name} is not a Caffe model that OpenCV can run.") from error
    return net
