"""Finding faces in two looks: a quick one at a small copy, and a closer one only where that leaves doubts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agegender.detectors import YuNet, non_maximum_suppression
from agegender.scaling import scale_down
from agegender.types import Box, Face, Image

FIRST_PX, WHOLE_PX, PART_PX = 640, 1280, 1440
"""The long side of the picture in the first look, in a second one at all of it, and at parts of it."""

DOUBT = 0.05
"""The least score in the first look that has a second one made."""

DOUBT_A_PX = 1 / 300
"""What a face that was not sure must score in the first look for each pixel of its height: large ones are
seen well already, and cost most to look at again. With both no face got lost on photographs
(docs/decisions.md)."""

SMALL_PX = 28.0
"""Faces that are lower in the first look are looked at again for better landmarks: down to there what is
estimated with them is as right as with the best."""

AROUND = 3.0
"""The side of the part that is looked at again, in sides of the face in doubt."""

LEAST_PART_PX = 48.0
OVERLAP = 0.3
"""The IoU from which on two faces are the same one."""

WITHIN = 0.8
"""The part of the smaller one that lies in the other from which on they are, too: at one size a face is
seen, at another the head around it."""

MOST_PARTS = 1.2
"""Parts with this many times the pixels of a second look at all of it are no cheaper: pixel for pixel small
looks take two thirds of the time, as they fit the processor's cache."""


class TwoLooks:
    """A detector that looks twice: as a rule far quicker than one closer look, with nearly the same faces.

    `score` is the least confidence of a face.
    """

    def __init__(self, detector: YuNet, *, score: float = 0.7) -> None:
        self.name = detector.name
        self.detector = detector
        self.score = score

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Return the faces of an RGB image, most confident first; () where there are none."""
        height, width = image.shape[:2]
        scale = min(1.0, FIRST_PX / max(width, height))
        seen = self._look(image, Box(0, 0, width, height), FIRST_PX, DOUBT)
        sure = [face for face in seen if face.score >= self.score]
        doubts = [face for face in seen if self._in_doubt(face, face.box.height * scale)]
        if scale == 1.0 or not doubts:
            return tuple(sure)
        parts = joined([around(face.box, width, height, LEAST_PART_PX / scale) for face in doubts])
        of_parts, of_all = (min(1.0, px / max(width, height)) ** 2 for px in (PART_PX, WHOLE_PX))
        if sum(part.area for part in parts) * of_parts > MOST_PARTS * width * height * of_all:
            return best(self._look(image, Box(0, 0, width, height), WHOLE_PX, self.score))
        closer = [face for part in parts for face in self._look(image, part, PART_PX, self.score)]
        return best([*closer, *sure])

    def _in_doubt(self, face: Face, height_px: float) -> bool:
        """Return whether a face is worth a closer look, by its height in pixels of the first one."""
        if face.score >= self.score:
            return height_px < SMALL_PX
        return face.score >= height_px * DOUBT_A_PX

    def _look(self, image: Image, part: Box, long_side_px: int, score: float) -> tuple[Face, ...]:
        """Return what is seen in a part, in pixels of the image, which is scaled to this long side."""
        scale = min(1.0, long_side_px / max(image.shape))
        left, top, right, bottom = (int(side) for side in (part.left, part.top, part.right, part.bottom))
        region = image[top:bottom, left:right]
        width, height = (max(1, round(side * scale)) for side in (right - left, bottom - top))
        x, y = (right - left) / width, (bottom - top) / height
        found = self.detector.detect(scale_down(region, width, height), score)
        return tuple(face.moved(x, y, left, top) for face in found)


def around(box: Box, width_px: int, height_px: int, least_px: float) -> Box:
    """Return the square around a box that is looked at again, of whole pixels within the image."""
    (x, y), half = box.center, max(least_px, AROUND * max(box.width, box.height)) / 2
    left, top = (min(max(round(at - half), 0), px - 1) for at, px in ((x, width_px), (y, height_px)))
    right, bottom = (min(round(at + half), px) for at, px in ((x, width_px), (y, height_px)))
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def joined(boxes: list[Box]) -> list[Box]:
    """Return the boxes with those made one that are no larger together, with what is between them."""
    apart: list[Box] = []
    for box in boxes:
        while near := [o for o in apart if around_both(box, o).area <= box.area + o.area]:
            apart.remove(near[0])
            box = around_both(box, near[0])
        apart.append(box)
    return apart


def around_both(one: Box, other: Box) -> Box:
    """Return the least box that holds both."""
    return Box(
        min(one.left, other.left),
        min(one.top, other.top),
        max(one.right, other.right),
        max(one.bottom, other.bottom),
    )


def best(faces: Sequence[Face]) -> tuple[Face, ...]:
    """Return the faces, most confident first, and each only once."""
    ranked = sorted(faces, key=lambda face: -face.score)
    boxes = [(face.box.left, face.box.top, face.box.right, face.box.bottom) for face in ranked]
    alone: list[Face] = []
    for place in non_maximum_suppression(np.array(boxes, dtype=np.float64).reshape(-1, 4), OVERLAP):
        if not any(one_in_another(ranked[place].box, better.box) for better in alone):
            alone.append(ranked[place])
    return tuple(alone)


def one_in_another(one: Box, other: Box) -> bool:
    """Return whether the smaller of two boxes lies in the other, `WITHIN` of it at least."""
    if one.left >= other.right or other.left >= one.right:  # most pairs: quicker than their intersection
        return False
    return one.intersection(other).area >= WITHIN * min(one.area, other.area)
