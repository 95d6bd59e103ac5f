"""Finding faces in two looks: a quick one at a small copy, and a closer one only where that leaves doubts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agegender.detectors import YuNet, non_maximum_suppression
from agegender.scaling import scale_down
from agegender.types import Box, Face, Image

FIRST_PX, WHOLE_PX, PART_PX = 640, 1280, 1600
"""The long side of the picture in the first look, in a second one at all of it, and at parts of it."""

DOUBT = 0.07
"""The least score in the first look that has a second one made: with it no face of 12 pixels at `WHOLE_PX`
got lost on photographs and on copies of them with smaller faces (docs/decisions.md)."""

SMALL_PX = 32.0
"""Faces that are lower in the first look are looked at again for better landmarks: down to there what is
estimated with them is as right as with the best."""

AROUND = 3.0
"""The side of the part that is looked at again, in sides of the face in doubt."""

LEAST_PART_PX = 48.0
OVERLAP = 0.3
"""The IoU from which on two faces are the same one."""

MOST_PARTS = 0.5
"""Parts that make up more of the picture than this are no cheaper than all of it."""


class TwoLooks:
    """A detector that looks twice: as a rule far quicker than one closer look, with nearly the same faces.

    `detector` has to give all from `DOUBT` on; `score` is the least confidence of a face.
    """

    def __init__(self, detector: YuNet, *, score: float = 0.7) -> None:
        self.name = detector.name
        self.detector = detector
        self.score = score

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Return the faces of an RGB image, most confident first; () where there are none."""
        height, width = image.shape[:2]
        scale = min(1.0, FIRST_PX / max(width, height))
        seen = self._look(image, Box(0, 0, width, height), FIRST_PX)
        sure = [face for face in seen if face.score >= self.score]
        doubts = [face for face in seen if face.score < self.score or face.box.height * scale < SMALL_PX]
        if scale == 1.0 or not doubts:
            return tuple(sure)
        parts = joined([around(face.box, width, height, LEAST_PART_PX / scale) for face in doubts])
        if sum(part.area for part in parts) > MOST_PARTS * width * height:
            return best(self._look(image, Box(0, 0, width, height), WHOLE_PX), self.score)
        closer = [face for part in parts for face in self._look(image, part, PART_PX)]
        return best([*closer, *sure], self.score)

    def _look(self, image: Image, part: Box, long_side_px: int) -> tuple[Face, ...]:
        """Return what is seen in a part, in pixels of the image, which is scaled to this long side."""
        scale = min(1.0, long_side_px / max(image.shape))
        left, top, right, bottom = (int(side) for side in (part.left, part.top, part.right, part.bottom))
        region = image[top:bottom, left:right]
        width, height = (max(1, round(side * scale)) for side in (right - left, bottom - top))
        x, y = (right - left) / width, (bottom - top) / height
        found = self.detector.detect(scale_down(region, width, height))
        return tuple(face.moved(x, y, left, top) for face in found)


def around(box: Box, width_px: int, height_px: int, least_px: float) -> Box:
    """Return the square around a box that is looked at again, of whole pixels within the image."""
    (x, y), half = box.center, max(least_px, AROUND * max(box.width, box.height)) / 2
    left, top = (min(max(round(at - half), 0), px - 1) for at, px in ((x, width_px), (y, height_px)))
    right, bottom = (min(round(at + half), px) for at, px in ((x, width_px), (y, height_px)))
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def joined(boxes: list[Box]) -> list[Box]:
    """Return the boxes with those that overlap, or would by growing, made one around both."""
    apart: list[Box] = []
    for box in boxes:
        while touching := [other for other in apart if box.intersection(other).area > 0]:
            apart = [other for other in apart if other not in touching]
            touching.append(box)
            box = Box(
                min(each.left for each in touching),
                min(each.top for each in touching),
                max(each.right for each in touching),
                max(each.bottom for each in touching),
            )
        apart.append(box)
    return apart


def best(faces: Sequence[Face], score: float) -> tuple[Face, ...]:
    """Return the faces of at least this score, most confident first, and each only once."""
    ranked = sorted((face for face in faces if face.score >= score), key=lambda face: -face.score)
    boxes = [(face.box.left, face.box.top, face.box.right, face.box.bottom) for face in ranked]
    kept = non_maximum_suppression(np.array(boxes, dtype=np.float64).reshape(-1, 4), OVERLAP)
    return tuple(ranked[i] for i in kept)
