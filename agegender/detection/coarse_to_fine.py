"""Finding faces in two looks: a quick one at a small copy, and a closer one only where that leaves doubts."""

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
"""The long side of the picture in the first look, and in a second one at all of it."""

FIRST_SHAPE = 4 / 3
"""Longer pictures get as many pixels as one of this shape in the first look, and so a longer side."""

DOUBT = 0.08
"""The least score in the first look that has a second one made."""

DOUBT_A_PX = 1 / 300
"""What a face that was not sure must score in the first look for each pixel of its height: large ones are
seen well already. With both no face got lost on photographs (docs/decisions.md)."""

SMALL_PX = 28.0
"""Faces that are lower in the first look are looked at again for better landmarks: down to there what is
estimated with them is as right as with the best."""

TILE_PX, FACE_PX = 96, 40
"""The side of the squares that are looked at again, all at once, and of the face in doubt within, unless the
picture would have to be larger for that than `CLOSEST_PX`."""

CLOSEST_PX = 1600
"""The long side that the whole picture has at the scale of a tile, at most."""

COVERED, COARSER = 1.5, 0.8
"""A doubt needs no tile of its own where one holds this many times its sides, at this part of its scale."""

OVERLAP = 0.3
"""The IoU from which on two faces are the same one."""

WITHIN = 0.8
"""The part of the smaller one that lies in the other from which on they are, too: at one size a face is
seen, at another the head around it."""

MOST_TILES = 1.2
"""Tiles with this many times the pixels of a second look at all of it are no cheaper: pixel for pixel they
take a little less time, as they fit the processor's cache."""


class CoarseToFineDetector:
    """A detector that looks twice: as a rule far quicker than one closer look, with nearly the same faces.

    `score` is the least confidence of a face; `second`, where there is one, is asked about those that are not
    sure.
    """

    def __init__(self, detector: YuNet, *, score: float = 0.7, second: SecondOpinion | None = None) -> None:
        self.name = detector.name
        self.detector = detector
        self.score = score
        self.second = second

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Return the faces of an RGB image, most confident first; () where there are none."""
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
        """Return the faces of each of some small RGB images of one shape, most confident first."""
        return self.detector.detect_each(images)

    def _closer(self, image: Image, tiles: NDArray[np.intp]) -> Candidates:
        """Return what is seen in tiles of the image, in its pixels.

        But for faces that a tile's edge cuts, where that is not the picture's: it shows only a part of them.
        """
        views, ratios_xy = [], []
        for left, top, right, bottom in tiles.tolist():
            small = at_most(image[top:bottom, left:right], TILE_PX)
            height, width = small.shape[:2]
            ratios_xy.append(((right - left) / width, (bottom - top) / height))
            if height < TILE_PX or width < TILE_PX:  # the whole width or height of the picture
                small = np.pad(small, ((0, TILE_PX - height), (0, TILE_PX - width), (0, 0)))
            views.append(small)
        found, places = self.detector.candidates(views, self.score)
        frames = tiles[places]
        found = found.moved(np.array(ratios_xy)[places], frames[:, :2])
        cut = (found.boxes_xyxy[:, :2] <= frames[:, :2]) & (frames[:, :2] > 0)
        cut |= (found.boxes_xyxy[:, 2:] >= frames[:, 2:]) & (frames[:, 2:] < image.shape[1::-1])
        return found[~cut.any(axis=1)]


def first_look_px(width_px: int, height_px: int) -> int:
    """Return the long side of a picture of this size in the first look."""
    shape = min(2.0, max(width_px, height_px) / min(width_px, height_px))
    return round(FIRST_PX * math.sqrt(max(1.0, shape / FIRST_SHAPE)))


def in_doubt(seen: Candidates, scale: float, score: float) -> NDArray[np.bool_]:
    """Return which faces of the first look, made at this scale, are worth a closer one, (n,)."""
    first_px = seen.heights_px * scale
    return np.where(seen.scores >= score, first_px < SMALL_PX, seen.scores >= first_px * DOUBT_A_PX)


def tiles_over(boxes_xyxy: NDArray[np.float64], width_px: int, height_px: int) -> NDArray[np.intp]:
    """Return squares of whole pixels of the picture that hold all of the boxes, (n, 4), as boxes are told.

    Each is where a box lies in the middle, or as near to that as the picture's edges allow, at the scale that
    `FACE_PX` and `CLOSEST_PX` ask for; in a picture that is narrower than that, a part as wide as it is. What
    lies well within the tile of a box before it gets none.
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
    """Return the places of those of n things, best first, that are not the `same`, (n, n), as one before."""
    kept: list[int] = []
    for place, others in enumerate(same):
        if not others[kept].any():
            kept.append(place)
    return kept


def best(found: Candidates) -> tuple[Face, ...]:
    """Return the candidates as faces, most confident first, and each only once."""
    found = found.best_first(OVERLAP)
    low, high = found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    areas = (high - low).prod(axis=1)
    same = np.maximum(shared, 0).prod(axis=2) >= WITHIN * np.minimum(areas[:, None], areas)
    return found[without_later(same)].faces()
