"""The values that travel through the pipeline: frozen, comparable, made of floats and tuples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""RGB pixels, shape (height, width, 3), upright."""

Point = tuple[float, float]
"""(x, y) in pixels of the image, from the top left corner."""

RANGES = ("0–2", "4–6", "8–12", "15–20", "25–32", "38–43", "48–53", "60–100")
"""The eight age ranges of the Adience benchmark (Eidinger, Enbar and Hassner, 2014), in years."""

WARNINGS = ("small", "blurred", "dark", "turned away", "cut off")
"""What a reading may be trusted less for; see `agegender.estimation.quality`."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the image, which it may leave on any side."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels from left to right, never negative."""
        return max(0.0, self.right - self.left)

    @property
    def height(self) -> float:
        """Pixels from top to bottom, never negative."""
        return max(0.0, self.bottom - self.top)

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    @property
    def center(self) -> Point:
        """The middle of the box."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def moved(self, x: float, y: float, left: float = 0.0, top: float = 0.0) -> Box:
        """Return the box in a picture that is `x` times as wide and `y` times as high, then shifted."""
        return Box(self.left * x + left, self.top * y + top, self.right * x + left, self.bottom * y + top)

    def intersection(self, other: Box) -> Box:
        """Return what both boxes cover; of zero area where they do not meet."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def iou(self, other: Box) -> float:
        """Return intersection over union, 0 to 1; 0 where both are empty."""
        shared = self.intersection(other).area
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Face:
    """A face that a detector found.

    `score` is the detector's own confidence, 0 to 1. `landmarks` are five points, in this order: the
    person's right eye (left in the picture), left eye, nose tip, right and left corner of the mouth;
    or none, when the detector gives none.
    """

    box: Box
    score: float
    landmarks: tuple[Point, ...] = ()

    def moved(self, x: float, y: float, left: float = 0.0, top: float = 0.0) -> Face:
        """Return the face in a picture that is `x` times as wide and `y` times as high, then shifted."""
        landmarks = tuple((u * x + left, v * y + top) for u, v in self.landmarks)
        return Face(self.box.moved(x, y, left, top), self.score, landmarks)


@dataclass(frozen=True, slots=True)
class Age:
    """An apparent age.

    `probabilities` belong to `RANGES` and sum to 1; `years` is the expected age; the true one is
    meant to lie between `low` and `high` (years) in 80 % of cases.
    """

    probabilities: tuple[float, ...]
    years: float
    low: float
    high: float

    @property
    def range(self) -> str:
        """The one of the eight ranges in the middle: older ones are as likely as younger ones.

        Of all eight it is off by the fewest ranges on average. The most probable one, where that is another,
        is right a little more often, and further off where it is wrong.
        """
        return RANGES[sum(below < 0.5 for below in accumulate(self.probabilities[:-1]))]

    @property
    def range_probability(self) -> float:
        """How probable `range` is, 0 to 1."""
        return self.probabilities[RANGES.index(self.range)]


@dataclass(frozen=True, slots=True)
class Gender:
    """An apparent gender, of the two labels that the training data know; `p_female` is 0 to 1."""

    p_female: float

    @property
    def label(self) -> str:
        """'Female' or 'Male', whichever is more probable."""
        return "Female" if self.p_female >= 0.5 else "Male"

    @property
    def probability(self) -> float:
        """How probable `label` is, 0.5 to 1."""
        return max(self.p_female, 1.0 - self.p_female)


Estimate = tuple[Age, Gender]


@dataclass(frozen=True, slots=True)
class Reading:
    """A face with what was estimated of it; `warnings` are those of `WARNINGS` that hold."""

    face: Face
    age: Age
    gender: Gender
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that was read from one picture; `readings` is empty when no face was found.

    `notes` are sentences about the file, for a person: that its last rows are missing, for example.
    """

    width_px: int
    height_px: int
    readings: tuple[Reading, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    def resized(self, width_px: int, height_px: int) -> Analysis:
        """Return the analysis in the pixels of the same picture made `width_px` by `height_px`."""
        x, y = width_px / self.width_px, height_px / self.height_px
        readings = tuple(replace(reading, face=reading.face.moved(x, y)) for reading in self.readings)
        return replace(self, width_px=width_px, height_px=height_px, readings=readings)


class Detector(Protocol):
    """Finds faces. Safe to call from many threads at once."""

    name: str

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Return the faces of an RGB image, most confident first; () where there are none."""
        ...


class Estimator(Protocol):
    """Estimates age and gender of faces already found. Safe to call from many threads at once."""

    name: str

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        """Return one (age, gender) for each face of the RGB image, in order; () for no faces."""
        ...
