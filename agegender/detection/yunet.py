"""YuNet (Wu et al., 2023) and nets with the same outputs: boxes with five landmarks, at any size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.detection.candidates import NOTHING, Candidates, joined
from agegender.imaging.geometry import at_most
from agegender.models.session import onnx_session
from agegender.types import Face, Image

STRIDES = (8, 16, 32)
"""Pixels between the cells of YuNet's three grids."""


class YuNet:
    """YuNet (Wu et al., 2023) and nets with the same outputs: boxes with five landmarks, any size.

    `score` is the minimum confidence of a face, `overlap` the IoU above which the less confident of two faces
    is dropped, `long_side_px` the size to which larger pictures are scaled down. `close_up_px` is a second,
    smaller size, for nets trained on small scenes that do not know faces that fill a large one: at that size,
    only faces of at least `CLOSE_UP_PART` of the picture's long side count. Pictures of up to `FAMILIAR_PX`
    in which the first pass found such a face with confidence do without it; in larger ones it may have been a
    cheek.
    """

    CLOSE_UP_PART = 0.25
    FAMILIAR_PX = 448
    SURE = 0.7

    def __init__(
        self,
        path: Path,
        *,
        score: float = 0.7,
        overlap: float = 0.3,
        long_side_px: int = 1280,
        close_up_px: int | None = None,
    ) -> None:
        self.name = path.stem
        self.score = score
        self.overlap = overlap
        self.long_side_px = long_side_px
        self.close_up_px = close_up_px
        self._session = onnx_session(path)
        self._input = self._session.get_inputs()[0].name
        self._outputs = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Find the faces in an RGB image, most confident first; () if there are none."""
        if not self.close_up_px or self.close_up_px >= max(image.shape[:2]):
            return self.seen(image, self.long_side_px, self.score).faces()
        candidates = self._look(image, self.long_side_px, self.score)
        closer = self._close_up(image, candidates, self.close_up_px)
        return joined([candidates, closer]).best_first(self.overlap).faces()

    def detect_each(self, images: Sequence[Image]) -> tuple[tuple[Face, ...], ...]:
        """Find the faces in each of several small RGB images of one shape, most confident first."""
        found, places = self.candidates(images, self.score)
        return tuple(found[places == place].best_first(self.overlap).faces() for place in range(len(images)))

    def seen(self, image: Image, long_side_px: int, score: float) -> Candidates:
        """Candidates from one pass over a scaled-down RGB image, best first, without duplicates.

        In pixels of the image; `score` is the minimum confidence.
        """
        return self._look(image, long_side_px, score).best_first(self.overlap)

    def candidates(self, images: Sequence[Image], score: float) -> tuple[Candidates, NDArray[np.intp]]:
        """Raw candidates in RGB images of one shape, and the image of each, (n,).

        In the images' pixels, with many duplicates. All images take one run of the net.
        """
        net_input = letterbox(images)
        outputs = self._session.run(self._outputs, {self._input: net_input})
        grids = [
            decode_grid(outputs[4 * i : 4 * i + 4], stride, net_input.shape[3] // stride, score)
            for i, stride in enumerate(STRIDES)
        ]
        found, places = zip(*grids, strict=True)
        return joined(found), np.concatenate(places)

    def _close_up(self, image: Image, seen: Candidates, close_up_px: int) -> Candidates:
        """The picture's large faces, unless those `seen` are certainly all of them."""
        long_side_px = max(image.shape[:2])
        least_px = self.CLOSE_UP_PART * long_side_px
        sure = (seen.heights_px >= least_px) & (seen.scores >= self.SURE)
        if long_side_px <= self.FAMILIAR_PX and sure.any():
            return NOTHING
        closer = self._look(image, close_up_px, self.score)
        return closer[closer.heights_px >= least_px]

    def _look(self, image: Image, long_side_px: int, score: float) -> Candidates:
        """Raw candidates in one image, scaled down, in its own pixels."""
        small = at_most(image, long_side_px)
        found, _ = self.candidates([small], score)
        # Rounding to whole pixels scales the two axes slightly differently.
        return found.moved(np.divide(image.shape[1::-1], small.shape[1::-1]))


def letterbox(images: Sequence[Image]) -> NDArray[np.float32]:
    """Pack RGB images of one shape into a BGR batch, (n, 3, height, width), 0 to 255.

    Both sides are padded with black, on the right and at the bottom, to multiples of 32.
    """
    height, width = images[0].shape[:2]
    whole = height % 32 == 0 and width % 32 == 0
    shape = len(images), 3, -(-height // 32) * 32, -(-width // 32) * 32
    batch = (np.empty if whole else np.zeros)(shape, np.float32)
    for planes, image in zip(batch, images, strict=True):
        for plane, colour in zip(planes[::-1], cv2.split(image), strict=True):
            plane[:height, :width] = colour
    return batch


def decode_grid(
    outputs: Sequence[NDArray[np.float32]], stride: int, columns: int, score: float
) -> tuple[Candidates, NDArray[np.intp]]:
    """Candidates from one grid, and the index of each one's picture in the batch, (n,).

    `outputs` are class and objectness, 0 to 1, both (pictures, cells, 1), box (pictures, cells, 4) and
    landmarks (pictures, cells, 10), cell by cell along rows of `columns`; their meaning is that of OpenCV's
    `FaceDetectorYN`.
    """
    squares = (outputs[0] * outputs[1]).reshape(-1)
    found = np.flatnonzero(squares >= score**2)
    if not found.size:
        return NOTHING, found
    places, cells = np.divmod(found, outputs[0].shape[1])
    boxes, landmarks = (
        output.reshape(-1, output.shape[2])[found].astype(np.float64) for output in outputs[2:]
    )
    cells_xy = np.stack([cells % columns, cells // columns], axis=1)
    centers = (cells_xy + boxes[:, :2]) * stride
    halves = np.exp(boxes[:, 2:]) * stride / 2
    points = (cells_xy[:, None] + landmarks.reshape(-1, 5, 2)) * stride
    scores = np.sqrt(squares[found]).astype(np.float64)
    return Candidates(scores, np.hstack([centers - halves, centers + halves]), points), places
