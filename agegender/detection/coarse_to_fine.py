"""Coarse-to-fine detection: a quick pass over a small copy, and a closer one only where in doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agegender.detection.candidates import Candidates, joined
from agegender.detection.second_opinion import SecondOpinion
from agegender.detection.yunet import YuNet
from agegender.imaging.geometry import at_most
from agegender.types import Face, Image

FIRST_PX, WHOLE_PX = 640, 1280
"""Long side of the picture in the first pass, and in a second pass over the whole picture."""

FIRST_SHAPE = 4 / 3
"""Longer pictures get as many pixels as this shape in the first pass, and so a longer side."""

DOUBT = 0.08
"""Minimum first-pass score for a closer look."""

DOUBT_A_PX = 1 / 300
"""Additional minimum first-pass score of an uncertain face, per pixel of its height.

Large faces are already seen well. With both minimums, no face was lost on photographs (docs/decisions.md).
"""

SMALL_PX = 28.0
"""Faces lower than this in the first pass get a closer look for better landmarks.

Above it, estimates are as accurate as with the best landmarks.
"""

TILE_PX, FACE_PX = 96, 40
"""Side of the tiles examined closely, all at once, and of the face within.

The face is smaller where the picture would have to be enlarged beyond `CLOSEST_PX`.
"""

CLOSEST_PX = 1600
"""Maximum long side of the whole picture at the scale of a tile."""

COVERED, COARSER = 1.5, 0.8
"""A face needs no own tile if another holds this many times its sides, at this fraction of its scale."""

OVERLAP = 0.3
"""IoU above which two faces are the same."""

WITHIN = 0.8
"""Fraction of the smaller face inside the other from which they are the same too.

At one scale a face is found, at another the head around it.
"""

MOST_TILES = 1.2
"""Cost limit of tiles, in pixels relative to a second pass over the whole picture.

Per pixel, tiles are a little faster because they fit the processor's cache.
"""


class CoarseToFineDetector:
    """A two-pass detector, usually far faster than one closer pass, with nearly the same faces.

    `score` is the minimum confidence of a face; `second`, if given, confirms uncertain ones.
    """

    def __init__(self, detector: YuNet, *, score: float = 0.7, second: SecondOpinion | None = None) -> None:
        self.name = detector.name
        self.detector = detector
        self.score = score
        self.second = second

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Find the faces in an RGB image, most confident first; () if there are none."""
        faces = self._found(image)
        return self.second.confirmed(image, faces) if self.second else faces

    def _found(self, image: Image) -> tuple[Face, ...]:
        height, width = image.shape[:2]
        first_px = first_look_px(width, height)
        seen = self.detector.seen(image, first_px, DOUBT)
        sure = seen[seen.scores >= self.score]
        doubts = seen[in_doubt(seen, min(1.0, first_px / max(width, height)), self.score)]
        if max(width, height) <= first_px or not len(doubts):
            return sure.faces()
        tiles = tiles_over(doubts.boxes_xyxy, width, height)
        most_px = MOST_TILES * width * height * min(1.0, WHOLE_PX / max(width, height)) ** 2
        if len(tiles) * TILE_PX**2 > most_px:
            return best(self.detector.seen(image, WHOLE_PX, self.score))
        return best(joined([self._closer(image, tiles), sure]))

    def detect_each(self, images: Sequence[Image]) -> tuple[tuple[Face, ...], ...]:
        """Find the faces in each of several small RGB images of one shape, most confident first."""
        return self.detector.detect_each(images)

    def _closer(self, image: Image, tiles: NDArray[np.intp]) -> Candidates:
        """Candidates in tiles of the image, in its pixels.

        Leaves out faces cut by a tile's edge inside the picture, which shows only a part of them.
        """
        views, ratios_xy = [], []
        for left, top, right, bottom in tiles.tolist():
            small = at_most(image[top:bottom, left:right], TILE_PX)
            height, width = small.shape[:2]
            ratios_xy.append(((right - left) / width, (bottom - top) / height))
            if height < TILE_PX or width < TILE_PX:  # the picture's whole width or height
                small = np.pad(small, ((0, TILE_PX - height), (0, TILE_PX - width), (0, 0)))
            views.append(small)
        found, places = self.detector.candidates(views, self.score)
        frames = tiles[places]
        found = found.moved(np.array(ratios_xy)[places], frames[:, :2])
        cut = (found.boxes_xyxy[:, :2] <= frames[:, :2]) & (frames[:, :2] > 0)
        cut |= (found.boxes_xyxy[:, 2:] >= frames[:, 2:]) & (frames[:, 2:] < image.shape[1::-1])
        return found[~cut.any(axis=1)]


def first_look_px(width_px: int, height_px: int) -> int:
    """Long side of a picture of this size in the first pass."""
    shape = min(2.0, max(width_px, height_px) / min(width_px, height_px))
    return round(FIRST_PX * math.sqrt(max(1.0, shape / FIRST_SHAPE)))


def in_doubt(seen: Candidates, scale: float, score: float) -> NDArray[np.bool_]:
    """Mask of the first-pass faces, made at this scale, that deserve a closer look, (n,)."""
    first_px = seen.heights_px * scale
    return np.where(seen.scores >= score, first_px < SMALL_PX, seen.scores >= first_px * DOUBT_A_PX)


def tiles_over(boxes_xyxy: NDArray[np.float64], width_px: int, height_px: int) -> NDArray[np.intp]:
    """Square tiles, (n, 4) as xyxy in whole pixels of the picture, that cover all boxes.

    Each has its box in the middle, or as near as the picture's edges allow, at the scale set by `FACE_PX` and
    `CLOSEST_PX`; a narrower picture gets parts of its own width. A box well within an earlier tile gets none.
    """
    picture = np.array([width_px, height_px])
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 1.0).max(axis=1, keepdims=True)
    tile_sides = TILE_PX / np.minimum(min(1.0, CLOSEST_PX / picture.max()), FACE_PX / sides)
    middles = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    first = np.clip(middles - tile_sides / 2, 0, np.maximum(picture - tile_sides, 0)).round()
    last = np.minimum(first + tile_sides.round(), picture)
    low, high = (
        np.maximum(middles - COVERED / 2 * sides, 0),
        np.minimum(middles + COVERED / 2 * sides, picture),
    )
    covered = (first <= low[:, None]).all(axis=2) & (high[:, None] <= last).all(axis=2)
    covered &= tile_sides >= COARSER * tile_sides.T
    return np.hstack([first, last]).astype(np.intp)[without_later(covered)]


def without_later(same: NDArray[np.bool_]) -> list[int]:
    """Indices of n items, best first, without those that `same`, (n, n), marks as equal to an earlier one."""
    kept: list[int] = []
    for place, others in enumerate(same):
        if not others[kept].any():
            kept.append(place)
    return kept


def best(found: Candidates) -> tuple[Face, ...]:
    """Convert candidates to faces, most confident first and without duplicates."""
    found = found.best_first(OVERLAP)
    low, high = found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    areas = (high - low).prod(axis=1)
    same = np.maximum(shared, 0).prod(axis=2) >= WITHIN * np.minimum(areas[:, None], areas)
    return found[without_later(same)].faces()
