"""The values that flow through the pipeline: frozen, comparable, made of floats and tuples."""

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

WARNINGS = ("small", "blurred", "dark", "overexposed", "turned away", "covered", "cut off", "tilted")
"""Reasons to trust a reading less; see `agegender.estimation.quality`."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the image; any side may lie outside it.

    >>> Box(0, 0, 2, 2).iou(Box(0, 0, 2, 1))
    0.5
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels, never negative."""
        return max(0.0, self.right - self.left)

    @property
    def height(self) -> float:
        """Height in pixels, never negative."""
        return max(0.0, self.bottom - self.top)

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def center(self) -> Point:
        """The centre, (x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def moved(self, x: float, y: float, left: float = 0.0, top: float = 0.0) -> Box:
        """Scale by `x` horizontally and `y` vertically, then shift by `left` and `top` pixels."""
        return Box(self.left * x + left, self.top * y + top, self.right * x + left, self.bottom * y + top)

    def intersection(self, other: Box) -> Box:
        """The overlap of two boxes; its area is zero if they do not meet."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1; 0 if both are empty."""
        shared = self.intersection(other).area
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face.

    `score` is the detector's own confidence, 0 to 1. `landmarks` are five points in YuNet's order: the
    person's right eye (on the left of the picture), left eye, nose tip, right and left mouth corner; or
    () if the detector gives none.
    """

    box: Box
    score: float
    landmarks: tuple[Point, ...] = ()

    def moved(self, x: float, y: float, left: float = 0.0, top: float = 0.0) -> Face:
        """Scale by `x` horizontally and `y` vertically, then shift by `left` and `top` pixels."""
        landmarks = tuple((u * x + left, v * y + top) for u, v in self.landmarks)
        return Face(self.box.moved(x, y, left, top), self.score, landmarks)


@dataclass(frozen=True, slots=True)
class Age:
    """An apparent age.

    `probabilities` are those of `RANGES` and sum to 1; `years` is the expected age; `low` to `high` is an
    interval in years, meant to hold the true age in 80 % of cases.

    >>> Age((0, 0, 0, 0.1, 0.5, 0.4, 0, 0), 31.0, 24.0, 38.0).range
    '25–32'
    """

    probabilities: tuple[float, ...]
    years: float
    low: float
    high: float

    @property
    def range(self) -> str:
        """The range that holds the median.

        Of all eight it is off by the fewest ranges on average. The most probable range, where it differs, is
        right a little more often but further off when wrong.
        """
        return RANGES[sum(below < 0.5 for below in accumulate(self.probabilities[:-1]))]

    @property
    def range_probability(self) -> float:
        """Probability of `range`, 0 to 1."""
        return self.probabilities[RANGES.index(self.range)]


@dataclass(frozen=True, slots=True)
class Gender:
    """An apparent gender, one of the two labels in the training data; `p_female` is 0 to 1.

    >>> Gender(0.2).label, Gender(0.2).probability
    ('Male', 0.8)
    """

    p_female: float

    @property
    def label(self) -> str:
        """The more probable of 'Female' and 'Male'."""
        return "Female" if self.p_female >= 0.5 else "Male"

    @property
    def probability(self) -> float:
        """Probability of `label`, 0.5 to 1."""
        return max(self.p_female, 1.0 - self.p_female)


Estimate = tuple[Age, Gender]


@dataclass(frozen=True, slots=True)
class Reading:
    """A face and its estimates; `warnings` are those of `WARNINGS` that apply."""

    face: Face
    age: Age
    gender: Gender
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """The analysis of one picture; `readings` is empty if no face was found.

    `turned_degrees` is how far the picture must be turned clockwise to be upright: 0, 90, 180 or 270. Faces
    are in pixels of the picture as it is. `notes` are sentences for a person about the file, such as that its
    last rows are missing.
    """

    width_px: int
    height_px: int
    readings: tuple[Reading, ...]
    seconds: float
    turned_degrees: int = 0
    notes: tuple[str, ...] = ()

    def resized(self, width_px: int, height_px: int) -> Analysis:
        """The same analysis in the pixels of the picture resized to `width_px` by `height_px`."""
        x, y = width_px / self.width_px, height_px / self.height_px
        readings = tuple(replace(reading, face=reading.face.moved(x, y)) for reading in self.readings)
        return replace(self, width_px=width_px, height_px=height_px, readings=readings)


class Detector(Protocol):
    """Finds faces. Safe to call from many threads at once."""

    name: str

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Find the faces in an RGB image, most confident first; () if there are none."""
        ...


class Estimator(Protocol):
    """Estimates age and gender of detected faces. Safe to call from many threads at once."""

    name: str

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        """One (age, gender) per face of the RGB image, in order; () for no faces."""
        ...
