"""Label placement: labels cover neither faces nor one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agegender.types import Box

Rectangles = NDArray[np.int64]
"""Rows of left, top, right, bottom in whole pixels, right and bottom exclusive; shape (n, 4)."""


class Place(NamedTuple):
    """Position of a label: the index of its size, and its top left corner in pixels."""

    option: int
    left: int
    top: int


def place_labels(
    boxes: Sequence[Box], sizes: Sequence[Sequence[tuple[int, int]]], width: int, height: int
) -> list[Place | None]:
    """Place the label of each box inside a picture of `width` by `height` pixels.

    `sizes` are each label's possible (width, height), best first. In turn, each label takes the first size
    with a spot around its box that covers no face and no earlier label, otherwise the spot that covers least
    of its own face, up to half. None if there is no such spot: a label that hides its neighbours helps
    nobody.
    """
    faces = whole_pixels(boxes, width, height)
    labels = np.empty((0, 4), dtype=np.int64)
    places: list[Place | None] = []
    for i, options in enumerate(sizes):
        others = np.delete(faces, i, axis=0)
        best, least = None, covered(faces[i : i + 1], faces[i : i + 1])[0] // 2 + 1
        for option, (label_width, label_height) in enumerate(options):
            spots = spots_around(faces[i], label_width, label_height, width, height)
            spots = spots[covered(spots, np.concatenate([others, labels])) == 0]
            if not len(spots):
                continue
            own = covered(spots, faces[i : i + 1])
            # Next to another face, a label could be mistaken for that face's.
            near = covered(spots, others + np.array((-1, -1, 1, 1)) * (label_height // 2))
            first = np.lexsort((near, own))[0]
            if own[first] < least:
                best, least = (option, spots[first]), own[first]
            if least == 0:
                break
        places.append(best and Place(best[0], int(best[1][0]), int(best[1][1])))
        if best:
            labels = np.concatenate([labels, best[1][None]])
    return places


def whole_pixels(boxes: Sequence[Box], width: int, height: int) -> Rectangles:
    """Clip boxes to the picture, rounding outwards; some may become empty."""
    sides = np.array([(box.left, box.top, box.right, box.bottom) for box in boxes]).reshape(-1, 4)
    sides = np.clip(sides, 0, (width, height, width, height))
    return np.concatenate([np.floor(sides[:, :2]), np.ceil(sides[:, 2:])], axis=1).astype(np.int64)


def spots_around(
    face: NDArray[np.int64], label_width: int, label_height: int, width: int, height: int
) -> Rectangles:
    """Spots for a label around a face and inside the picture, best first.

    Above and below the face, beside it, and last on its own lower and upper edge.
    """
    left, top, right, bottom = face.tolist()
    last_x, last_y = width - label_width, height - label_height
    if last_x < 0 or last_y < 0:
        return np.empty((0, 4), dtype=np.int64)
    xs = [min(max(0, x), last_x) for x in along(left, right, label_width)]
    ys = [min(max(0, y), last_y) for y in along(top, bottom, label_height)]
    corners = [(x, y) for y in (top - label_height, bottom) if 0 <= y <= last_y for x in xs]
    corners += [(x, y) for x in (right, left - label_width) if 0 <= x <= last_x for y in ys]
    corners += [(xs[0], min(max(0, y), last_y)) for y in (bottom - label_height, top)]
    return np.array([(x, y, x + label_width, y + label_height) for x, y in corners], dtype=np.int64)


def along(start: int, stop: int, length: int) -> list[int]:
    """Positions along the edge from `start` to `stop` at which something of this length may begin."""
    slack, middle = stop - start - length, (start + stop) // 2
    return [
        start,
        stop - length,
        *(start + slack * quarter // 4 for quarter in (2, 1, 3)),
        middle,
        middle - length,
    ]


def covered(spots: Rectangles, obstacles: Rectangles) -> NDArray[np.int64]:
    """Pixels of all obstacles that each spot covers, shape (spots,)."""
    last = np.minimum(spots[:, None, 2:], obstacles[:, 2:])
    first = np.maximum(spots[:, None, :2], obstacles[:, :2])
    return np.asarray(np.clip(last - first, 0, None).prod(axis=2).sum(axis=1))
