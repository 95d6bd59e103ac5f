"""Panoramas and tall screenshots: searched in squares, since scaling by length would make faces too small."""

from __future__ import annotations

from agegender.imaging.geometry import LONG_SHAPE
from agegender.types import Detector, Face, Image

WHOLE_PX = 640
"""Long side up to which one pass shows everything: no detector scales such a picture down."""

SAME_IOU, SAME_PART = 0.3, 0.8
"""Two boxes are the same face above this IoU, or if this fraction of the smaller one is inside the other."""

EDGE_PX = 1.0
"""Distance to a square's edge below which a face may be cut by it."""


def detect_any_shape(image: Image, detector: Detector) -> tuple[Face, ...]:
    """Find the faces in an RGB image of any shape, most confident first; () if there are none."""
    height_px, width_px = image.shape[:2]
    found = list(detector.detect(image))
    if max(width_px, height_px) <= max(WHOLE_PX, LONG_SHAPE * min(width_px, height_px)):
        return tuple(found)
    for left, top, side in squares(width_px, height_px):
        faces = detector.detect(image[top : top + side, left : left + side])
        here = (face.moved(1, 1, left, top) for face in faces)
        found += [face for face in here if not is_cut(face, left, top, side, width_px, height_px)]
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: -face.score):
        if not any(is_same(face, other) for other in kept):
            kept.append(face)
    return tuple(kept)


def squares(width_px: int, height_px: int) -> list[tuple[int, int, int]]:
    """Left, top and side of squares that cover a picture, as wide as its short side.

    Neighbours overlap by at least half: anything no longer than half a square is entirely in one of them.
    """
    side, length = sorted((width_px, height_px))
    steps = -(-2 * (length - side) // side)
    starts = [round(step * (length - side) / max(1, steps)) for step in range(steps + 1)]
    return [(start, 0, side) if width_px > height_px else (0, start, side) for start in starts]


def is_cut(face: Face, left: int, top: int, side: int, width_px: int, height_px: int) -> bool:
    """Return whether a face reaches an edge of its square inside the picture."""
    box, right, bottom = face.box, left + side, top + side
    return (
        (left > 0 and box.left <= left + EDGE_PX)
        or (top > 0 and box.top <= top + EDGE_PX)
        or (right < width_px and box.right >= right - EDGE_PX)
        or (bottom < height_px and box.bottom >= bottom - EDGE_PX)
    )


def is_same(face: Face, other: Face) -> bool:
    """Return whether two boxes are the same face: they overlap, or one is inside the other."""
    shared = face.box.intersection(other.box).area
    within = shared >= SAME_PART * min(face.box.area, other.box.area)
    return within or face.box.iou(other.box) > SAME_IOU
