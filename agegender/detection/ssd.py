"""OpenCV's res10 SSD, the detector of the classic application."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np

from agegender.errors import ModelError
from agegender.types import Box, Face, Image


class SSD:
    """OpenCV's res10 SSD (2017): boxes without landmarks, which may extend beyond the image.

    `weights` is the TensorFlow file, `graph` its text description; raises `ModelError` if they cannot be
    read. `score` is the minimum confidence of a face. The whole picture is squeezed into 300×300 pixels, so
    faces lower than about a tenth of it are lost: the net's boxes are designed for that size, and at 512 they
    are a tenth of a face off and close-ups fall to pieces (measured on FairFace's training pictures).
    """

    SIZE_PX = 300
    MEAN_BGR = (104.0, 177.0, 123.0)  # as in OpenCV's samples/dnn/face_detector
    # Fraction of its box above YuNet's, which has the same sides and chin: medians over 2,267 of FairFace's
    # training pictures, with 60 pixels of border repeated around them.
    BOX_ABOVE = 0.07

    def __init__(self, weights: Path, graph: Path, *, score: float = 0.7) -> None:
        self.name = "ssd"
        self.score = score
        try:
            self._net = cv2.dnn.readNetFromTensorflow(str(weights), str(graph))
        except cv2.error as error:
            raise ModelError(f"{weights.name} is not a TensorFlow model that OpenCV can read.") from error
        self._lock = threading.Lock()  # a cv2 net holds state between setInput and forward

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Find the faces in an RGB image, most confident first; () if there are none."""
        height, width = image.shape[:2]
        bgr = np.ascontiguousarray(image[:, :, ::-1])
        blob = cv2.dnn.blobFromImage(bgr, 1.0, (self.SIZE_PX, self.SIZE_PX), self.MEAN_BGR)
        with self._lock:
            self._net.setInput(blob)
            # Rows of picture, class, confidence, and a box in fractions of the sides.
            rows = np.array(self._net.forward(), dtype=np.float64).reshape(-1, 7)[:, 2:]
        rows = rows[(rows[:, 0] >= self.score) & (rows[:, 1:3] < rows[:, 3:5]).all(axis=1)]
        rows[:, 1:] *= (width, height, width, height)
        rows[:, 2] += self.BOX_ABOVE * (rows[:, 4] - rows[:, 2])
        return tuple(Face(Box(*row[1:]), row[0]) for row in sorted(rows.tolist(), reverse=True))
