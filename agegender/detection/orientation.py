"""Which way up: pictures whose turn no tag tells, and people who lie in pictures that stand.

Detectors find half of the faces that lie on their side or upside down, and see landmarks as if they stood.
How sure a detector is tells the two apart: of all four quarter turns it is surest of the upright one. Only
where the picture as it is leaves doubt are the turns looked at, all at once and at a small size.
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
"""Degrees, clockwise: all, those of a face that is not on its side, those that the first look leaves."""

FACE_PX = 50
"""How high the largest face in doubt is when its picture's turns are looked at: of FairFace's training faces
the best turn was as often right as at twice the size."""

LEAST_PX, NOBODY_PX, MOST_PX = 96, 320, 640
"""The least and most long side of such a look, and the one where nobody was found."""

WEAK = 0.6
"""What of a face's score tells nothing: two doubtful faces are less than one sure one."""

CLEAR = 0.02
"""Where two turns differ by less than this in what they show, it stays unsure which of them is right."""

ON_ITS_SIDE = 0.99
"""From this part of the sure score on hardly any face lies on its side, though it may be upside down."""

AROUND, SAME_IOU = 0.6, 0.3
"""How much is seen around a face that is looked at by itself, on each side, in parts of its box; and from
which IoU with that box on what is found there is the same face."""


@runtime_checkable
class ManyAtOnce(Protocol):
    """A detector that looks at several small pictures of one shape in one run of its nets."""

    def detect_each(self, images: Sequence[Image]) -> Sequence[tuple[Face, ...]]:
        """Return the faces of each RGB image, most confident first."""
        ...


@dataclass(frozen=True, slots=True)
class Upright:
    """A picture that stands, and its faces, in its own pixels.

    `image` is the RGB picture, turned clockwise by `turned_degrees`, one of `TURNS`. `unsure` are those of
    the `faces` of which it is not clear which way up they are.
    """

    image: Image
    faces: tuple[Face, ...]
    turned_degrees: int = 0
    unsure: frozenset[Face] = frozenset()

    def enlarged(self, whole: Image) -> Upright:
        """Return the same of `whole`, the RGB picture before it was made small and turned."""
        image = turned(whole, self.turned_degrees) if self.turned_degrees else whole
        x, y = (
            large / small for large, small in zip(image.shape[1::-1], self.image.shape[1::-1], strict=True)
        )
        larger = {face: face.moved(x, y) for face in self.faces}
        unsure = frozenset(larger[face] for face in self.unsure)
        return Upright(image, tuple(larger.values()), self.turned_degrees, unsure)


def upright(image: Image, detector: Detector, sure: float) -> Upright:
    """Return an RGB picture the right way up with its faces, most confident first.

    `sure` is the score that hardly any face gets from the detector unless it stands.
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
    """Return the part whose turns are looked at: all of a picture, of a long one the best face's square."""
    height_px, width_px = image.shape[:2]
    side = min(height_px, width_px)
    if max(height_px, width_px) <= LONG_SHAPE * side:
        return image
    x, y = faces[0].box.center if faces else (width_px / 2, height_px / 2)
    left = round(min(max(0.0, x - side / 2), width_px - side))
    top = round(min(max(0.0, y - side / 2), height_px - side))
    return image[top : top + side, left : left + side]


def best_turn(image: Image, detector: Detector, turns: Sequence[int] = TURNS) -> tuple[int, bool]:
    """Return which of the turns a small RGB picture needs to stand, and whether that is clear.

    0 where nothing is to be seen in any.
    """
    return best_of(turns, in_turns(image, detector, turns))


def best_of(turns: Sequence[int], found: Sequence[Sequence[Face]]) -> tuple[int, bool]:
    """Return the turn in which most was found, or 0 where nothing was, and whether that is clear."""
    shown = [shows(faces) for faces in found]
    best = shown.index(max(shown))
    if not shown[best]:
        return 0, False
    others = shown[:best] + shown[best + 1 :]
    return turns[best], shown[best] - max(others) >= CLEAR


def in_turns(image: Image, detector: Detector, turns: Sequence[int]) -> Sequence[tuple[Face, ...]]:
    """Return what is found in turns of a small RGB picture, in pixels of the turned ones."""
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
    """Return how much faces tell for the turn in which they were found."""
    return math.hypot(*(max(0.0, face.score - WEAK) for face in faces if is_upright(face)))


def roll_degrees(face: Face) -> float:
    """Return by how much a face's landmarks are turned clockwise, -180 to 180; 0 without any."""
    if not face.landmarks:
        return 0.0
    (x1, y1), (x2, y2), _, (x3, y3), (x4, y4) = face.landmarks
    return math.degrees(math.atan2(x1 + x2 - x3 - x4, y3 + y4 - y1 - y2))


def is_upright(face: Face) -> bool:
    """Whether the face stands rather than lies, by its landmarks; true without any."""
    return abs(roll_degrees(face)) <= 45


def turned(image: Image, degrees: int) -> Image:
    """Return the RGB picture turned clockwise by one of `TURNS`."""
    return np.ascontiguousarray(np.rot90(image, -degrees // 90))


def turned_face(face: Face, degrees: int, width_px: int, height_px: int) -> Face:
    """Return the face of a picture of this size in the one turned clockwise by one of `TURNS`."""

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
    """Return the long side at which the turns of a picture are looked at."""
    if not faces:
        return NOBODY_PX
    wanted_px = float(max(image.shape[:2])) * FACE_PX / max(face.box.height for face in faces)
    return min(MOST_PX, max(LEAST_PX, 32 * round(wanted_px / 32)))  # the nets' inputs are filled up to that


def _with_lying(image: Image, faces: tuple[Face, ...], detector: Detector, sure: float) -> Upright:
    """Return the picture as it is, its doubtful faces looked at again in their turns, each by itself."""
    doubtful = [face for face in faces if face.score < sure and is_upright(face)]
    again = [_looked_at(image, face, detector, sure) for face in doubtful]
    better = {face: seen for face, (seen, _) in zip(doubtful, again, strict=True)}
    unsure = frozenset(seen for seen, is_clear in again if not is_clear)
    return Upright(image, tuple(better.get(face, face) for face in faces), 0, unsure)


def _looked_at(image: Image, face: Face, detector: Detector, sure: float) -> tuple[Face, bool]:
    """Return a face as its best turn shows it, and whether that turn is clear."""
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
