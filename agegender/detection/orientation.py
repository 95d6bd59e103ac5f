"""Orientation: pictures turned without a tag, and people lying down in upright pictures.

Detectors find half of the faces that are sideways or upside down, and place landmarks as if they were
upright. Confidence tells them apart: of all four quarter turns it is highest for the upright one. The turns
are tried only if the picture as it is leaves doubt, all at once and at a small size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from agegender.detection.long_pictures import detect_any_shape
from agegender.imaging.geometry import LONG_SHAPE, at_most, margin_crop, margin_square
from agegender.types import Box, Detector, Face, Image

TURNS, UPSIDE_DOWN, OTHERS = (0, 90, 180, 270), (0, 180), (90, 180, 270)
"""Clockwise turns in degrees: all; those for a face not on its side; those left after the first pass."""

FACE_PX = 50
"""Height of the largest uncertain face when a picture's turns are tried.

On FairFace's training faces, the best turn was right as often as at twice the size.
"""

LEAST_PX, NOBODY_PX, MOST_PX = 96, 320, 640
"""Minimum and maximum long side when turns are tried, and the one used if nobody was found."""

WEAK = 0.6
"""Part of a face's score that says nothing: two doubtful faces count less than one confident one."""

CLEAR = 0.02
"""Difference in evidence between two turns below which it is unclear which one is right."""

ON_ITS_SIDE = 0.99
"""Fraction of the upright score from which hardly any face is sideways, though it may be upside down."""

AROUND, SAME_IOU = 0.6, 0.3
"""Margin around a face examined on its own, on each side, in units of its box; and IoU for the same face."""


@runtime_checkable
class ManyAtOnce(Protocol):
    """A detector that can search several small pictures of one shape in a single run."""

    def detect_each(self, images: Sequence[Image]) -> Sequence[tuple[Face, ...]]:
        """Find the faces in each RGB image, most confident first."""
        ...


@dataclass(frozen=True, slots=True)
class Upright:
    """An upright picture and its faces, in its own pixels.

    `image` is the RGB picture turned clockwise by `turned_degrees`, one of `TURNS`. `unsure` are those of the
    `faces` whose orientation is unclear.
    """

    image: Image
    faces: tuple[Face, ...]
    turned_degrees: int = 0
    unsure: frozenset[Face] = frozenset()

    def enlarged(self, whole: Image) -> Upright:
        """Apply the result to `whole`, the RGB picture before it was scaled down and turned."""
        image = turned(whole, self.turned_degrees) if self.turned_degrees else whole
        x, y = (
            large / small for large, small in zip(image.shape[1::-1], self.image.shape[1::-1], strict=True)
        )
        larger = {face: face.moved(x, y) for face in self.faces}
        unsure = frozenset(larger[face] for face in self.unsure)
        return Upright(image, tuple(larger.values()), self.turned_degrees, unsure)


def upright(image: Image, detector: Detector, sure: float) -> Upright:
    """Turn an RGB picture upright and find its faces, most confident first.

    `sure` is the score that hardly any face gets from the detector unless it is upright.
    """
    faces = detect_any_shape(image, detector)
    if any(face.score >= sure and is_upright(face) for face in faces):
        return _with_lying(image, faces, detector, sure)
    turns: tuple[int, ...] = TURNS if faces else OTHERS
    if any(face.score >= ON_ITS_SIDE * sure for face in faces):
        turns = UPSIDE_DOWN
    part = telling_part(image, faces)
    degrees, clear = best_turn(at_most(part, _look_px(part, faces)), detector, turns)
    if degrees:
        standing = turned(image, degrees)
        again = detect_any_shape(standing, detector)
        if shows(again) > shows(faces):
            return Upright(standing, again, degrees, frozenset() if clear else frozenset(again))
    return Upright(image, faces, 0, frozenset() if clear and not degrees else frozenset(faces))


def telling_part(image: Image, faces: Sequence[Face]) -> Image:
    """The part whose turns are tried: the whole picture or, if it is long, the best face's square."""
    height_px, width_px = image.shape[:2]
    side = min(height_px, width_px)
    if max(height_px, width_px) <= LONG_SHAPE * side:
        return image
    x, y = faces[0].box.center if faces else (width_px / 2, height_px / 2)
    left = round(min(max(0.0, x - side / 2), width_px - side))
    top = round(min(max(0.0, y - side / 2), height_px - side))
    return image[top : top + side, left : left + side]


def best_turn(image: Image, detector: Detector, turns: Sequence[int] = TURNS) -> tuple[int, bool]:
    """The turn that makes a small RGB picture upright, and whether that is clear.

    0 if nothing is found in any.
    """
    return best_of(turns, in_turns(image, detector, turns))


def best_of(turns: Sequence[int], found: Sequence[Sequence[Face]]) -> tuple[int, bool]:
    """The turn with the most evidence, or 0 if nothing was found, and whether that is clear."""
    shown = [shows(faces) for faces in found]
    best = shown.index(max(shown))
    if not shown[best]:
        return 0, False
    others = shown[:best] + shown[best + 1 :]
    return turns[best], shown[best] - max(others) >= CLEAR


def in_turns(image: Image, detector: Detector, turns: Sequence[int]) -> Sequence[tuple[Face, ...]]:
    """Faces found in turns of a small RGB picture, in pixels of the turned ones."""
    side_px = max(image.shape[:2])
    views: list[Image] = []
    for degrees in turns:
        part = turned(image, degrees)
        views.append(np.zeros((side_px, side_px, 3), np.uint8))
        views[-1][: part.shape[0], : part.shape[1]] = part
    if isinstance(detector, ManyAtOnce):
        return detector.detect_each(views)
    return [detector.detect(view) for view in views]


def shows(faces: Sequence[Face]) -> float:
    """Evidence that faces give for the turn in which they were found."""
    return math.hypot(*(max(0.0, face.score - WEAK) for face in faces if is_upright(face)))


def roll_degrees(face: Face) -> float:
    """Clockwise rotation of a face's landmarks, -180 to 180; 0 without landmarks."""
    if not face.landmarks:
        return 0.0
    (x1, y1), (x2, y2), _, (x3, y3), (x4, y4) = face.landmarks
    return math.degrees(math.atan2(x1 + x2 - x3 - x4, y3 + y4 - y1 - y2))


def is_upright(face: Face) -> bool:
    """Return whether the landmarks show an upright rather than a sideways face; true without any."""
    return abs(roll_degrees(face)) <= 45


def turned(image: Image, degrees: int) -> Image:
    """Turn the RGB picture clockwise by one of `TURNS`."""
    return np.ascontiguousarray(np.rot90(image, -degrees // 90))


def turned_face(face: Face, degrees: int, width_px: int, height_px: int) -> Face:
    """Map a face of a picture of this size to the picture turned clockwise by one of `TURNS`."""

    def moved(x: float, y: float) -> tuple[float, float]:
        match degrees:
            case 90:
                return height_px - y, x
            case 180:
                return width_px - x, height_px - y
            case 270:
                return y, width_px - x
        return x, y

    box = face.box
    (x1, y1), (x2, y2) = moved(box.left, box.top), moved(box.right, box.bottom)
    landmarks = tuple(moved(x, y) for x, y in face.landmarks)
    return Face(Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), face.score, landmarks)


def _look_px(image: Image, faces: Sequence[Face]) -> int:
    """Long side at which the turns of a picture are tried."""
    if not faces:
        return NOBODY_PX
    wanted_px = float(max(image.shape[:2])) * FACE_PX / max(face.box.height for face in faces)
    return min(MOST_PX, max(LEAST_PX, 32 * round(wanted_px / 32)))  # inputs are padded to multiples of 32


def _with_lying(image: Image, faces: tuple[Face, ...], detector: Detector, sure: float) -> Upright:
    """The picture as it is, with its uncertain faces examined again in all turns, each on its own."""
    doubtful = [face for face in faces if face.score < sure and is_upright(face)]
    again = [_looked_at(image, face, detector, sure) for face in doubtful]
    better = {face: seen for face, (seen, _) in zip(doubtful, again, strict=True)}
    unsure = frozenset(seen for seen, is_clear in again if not is_clear)
    return Upright(image, tuple(better.get(face, face) for face in faces), 0, unsure)


def _looked_at(image: Image, face: Face, detector: Detector, sure: float) -> tuple[Face, bool]:
    """A face as its best turn shows it, and whether that turn is clear."""
    turns = UPSIDE_DOWN if face.score >= ON_ITS_SIDE * sure else TURNS
    left, top, side_px = margin_square(face.box, AROUND)
    small, scale = margin_crop(image, face.box, AROUND, LEAST_PX), side_px / LEAST_PX
    seen = in_turns(small, detector, turns)
    degrees, clear = best_of(turns, seen)
    back = (turned_face(one, (360 - degrees) % 360, LEAST_PX, LEAST_PX) for one in seen[turns.index(degrees)])
    same = [one.moved(scale, scale, left, top) for one in back]
    best = max(same, key=lambda one: one.box.iou(face.box), default=face)
    if not degrees or best.box.iou(face.box) < SAME_IOU:
        return face, clear and not degrees
    return replace(best, score=max(best.score, face.score)), clear
