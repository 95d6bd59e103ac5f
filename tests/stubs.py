"""Stand-in for models: a detector and an estimator in one, with scripted results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from agegender.types import Age, Box, Estimate, Face, Gender, Image

AGE = Age((0, 0, 0, 0.2, 0.7, 0.1, 0, 0), 28.6, 21.7, 37.2)
GENDER = Gender(0.97)
ON_THE_LEFT = Box(10, 10, 58, 60)


class Stub:
    """Detects `faces` in each picture for which `sees` is true, and estimates each of them with `says`.

    Boxes with no side beyond 1 are in fractions of the picture's sides. It counts its `calls`, can be slow
    (`seconds`), can do something first (`then`), and raises `error` if set.
    """

    name = "stub"
    score = 0.7

    def __init__(
        self,
        *faces: Face | Box,
        seconds: float = 0.0,
        sees: Callable[[Image], bool] = lambda _: True,
        says: Callable[[Face], Estimate] = lambda _: (AGE, GENDER),
    ) -> None:
        self.faces = tuple(face if isinstance(face, Face) else Face(face, 0.9) for face in faces)
        self.seconds = seconds
        self.sees = sees
        self.says = says
        self.then: Callable[[], object] = lambda: None
        self.error: Exception | None = None
        self.calls = self.running = self.most_running = 0

    def detect(self, image: Image) -> tuple[Face, ...]:
        self.calls += 1
        self.then()
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        time.sleep(self.seconds)
        self.running -= 1
        if self.error:
            raise self.error
        return tuple(in_pixels(face, image) for face in self.faces) if self.sees(image) else ()

    def estimate(self, _image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        return tuple(self.says(face) for face in faces)


def in_pixels(face: Face, image: Image) -> Face:
    """Convert a face in fractions of a picture's sides to its pixels; any other is unchanged."""
    if max(face.box.right, face.box.bottom) > 1:
        return face
    return replace(face, box=face.box.moved(image.shape[1], image.shape[0]))


def has_colours(image: Image) -> bool:
    """Tell a picture from one of a single colour."""
    return bool(image.min() < image.max())
