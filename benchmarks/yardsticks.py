"""Detectors for comparison only: OpenCV's cascade, and YuNet-n on an enlarged picture."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from agegender.types import Box, Detector, Face, Image


class Haar:
    """The cascade of Lienhart (2002) in OpenCV's wheel: boxes without landmarks, frontal faces only."""

    name = "haar"
    # YuNet's box in units of Haar's square: width and height. Medians over FairFace's training pictures.
    BOX_WIDTH, BOX_HEIGHT = 0.825, 1.08
    # The score is a logistic of the last stage's sum: half of its false detections on photographs are below
    # 0.5.
    STAGE_MIDDLE, STAGE_STEEPNESS = 55.3, 6.0

    def __init__(self) -> None:
        folder = Path(cv2.__file__).parent / "data"
        self._cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_alt2.xml"))

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Faces of an RGB image, in no particular order."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        squares, _, sums = self._cascade.detectMultiScale3(grey, minNeighbors=3, outputRejectLevels=True)
        faces = []
        for (left, top, side, _), stage in zip(squares, sums, strict=True):
            x, y = left + side / 2, top + side / 2
            halves = self.BOX_WIDTH * side / 2, self.BOX_HEIGHT * side / 2
            score = 1 / (1 + math.exp(-self.STAGE_STEEPNESS * (float(stage) - self.STAGE_MIDDLE)))
            faces.append(Face(Box(x - halves[0], y - halves[1], x + halves[0], y + halves[1]), score))
        return tuple(face for face in faces if face.score >= 0.5)


class Enlarged:
    """YuNet-n on the picture enlarged by a quarter, in pixels of the original."""

    LARGER = 1.25

    def __init__(self, detector: Detector) -> None:
        self.name = f"{detector.name}, larger"
        self._detector = detector

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Faces of an RGB image, most confident first."""
        larger = np.asarray(cv2.resize(image, None, fx=self.LARGER, fy=self.LARGER), np.uint8)
        x, y = image.shape[1] / larger.shape[1], image.shape[0] / larger.shape[0]
        return tuple(face.moved(x, y) for face in self._detector.detect(larger))
