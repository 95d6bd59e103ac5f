"""YuNet (Wu et al., 2023) and nets with the same outputs: boxes with five landmarks, at any size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.imaging.geometry import at_most
from agegender.models.session import onnx_session
from agegender.types import Box, Face, Image

STRIDES = (8, 16, 32)
"""The pixels between the cells of YuNet's three grids."""


class YuNet:
    """YuNet (Wu et al., 2023) and nets with the same outputs: boxes with five landmarks, any size.

    `score` is the least confidence of a face, `overlap` the IoU from which the less confident one of
    two faces is dropped, `long_side_px` the size to which larger pictures are scaled down. `close_up_px` is
    a second, smaller size, for nets that learned from small scenes and do not know faces that fill a large
    one: at it only faces count that are at least `CLOSE_UP_PART` of the picture's long side. Pictures of up
    to `FAMILIAR_PX` in which the first look was sure of such a face do without it; in larger ones it may
    have been a cheek.
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
        """Return the faces of an RGB image, most confident first; () where there are none."""
        if not self.close_up_px or self.close_up_px >= max(image.shape[:2]):
            return faces_of(self.seen(image, self.long_side_px, self.score))
        candidates = self._look(image, self.long_side_px, self.score)
        closer = self._close_up(image, candidates, self.close_up_px)
        return faces_of(best_first(np.concatenate([candidates, closer]), self.overlap))

    def seen(self, image: Image, long_side_px: int, score: float) -> NDArray[np.float64]:
        """Return what one look at an RGB image finds, scaled down to this, as rows of faces, (n, 15).

        Most confident first, each once, in pixels of the image; `decode_grid` has what is in a row. `score`
        is the least confidence.
        """
        return best_first(self._look(image, long_side_px, score), self.overlap)

    def candidates(
        self, images: Sequence[Image], score: float
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return what the net finds in RGB images of one shape, (n, 15), and in which of them, (n,).

        As `decode_grid` has it, in their pixels: every face many times. All of them take one run of the net.
        """
        net_input = letterbox(images)
        outputs = self._session.run(self._outputs, {self._input: net_input})
        grids = [
            decode_grid(outputs[4 * i : 4 * i + 4], stride, net_input.shape[3] // stride, score)
            for i, stride in enumerate(STRIDES)
        ]
        rows, places = zip(*grids, strict=True)
        return np.concatenate(rows), np.concatenate(places)

    def _close_up(self, image: Image, seen: NDArray[np.float64], close_up_px: int) -> NDArray[np.float64]:
        """Return the large faces of the picture, where it is not clear that those `seen` are all."""
        long_side_px = max(image.shape[:2])
        least_px = self.CLOSE_UP_PART * long_side_px
        sure = (heights(seen) >= least_px) & (seen[:, 0] >= self.SURE)
        if long_side_px <= self.FAMILIAR_PX and sure.any():
            return seen[:0]
        closer = self._look(image, close_up_px, self.score)
        large: NDArray[np.bool_] = heights(closer) >= least_px
        return closer[large]

    def _look(self, image: Image, long_side_px: int, score: float) -> NDArray[np.float64]:
        """Return the candidates in one image, scaled down to this, in its own pixels."""
        small = at_most(image, long_side_px)
        rows, _ = self.candidates([small], score)
        # The two axes are scaled a hair apart, as whole pixels made the small picture.
        rows[:, 1:] *= np.tile(np.divide(image.shape[1::-1], small.shape[1::-1]), 7)
        return rows


def letterbox(images: Sequence[Image]) -> NDArray[np.float32]:
    """Return RGB images of one shape as a BGR batch, (n, 3, height, width), 0 to 255.

    Both sides are filled up with black, on the right and at the bottom, to multiples of 32.
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
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return one grid's faces and in which picture of the batch each is, (n, 15) and (n,).

    A face is a row of score, left, top, right, bottom and five (x, y). `outputs` are class and objectness, 0
    to 1, both (pictures, cells, 1), box (pictures, cells, 4) and landmarks (pictures, cells, 10), cell after
    cell along rows of `columns`; the meaning is that of OpenCV's `FaceDetectorYN`.
    """
    squares = (outputs[0] * outputs[1]).reshape(-1)
    found = np.flatnonzero(squares >= score**2)
    if not found.size:
        return np.empty((0, 15)), found
    places, cells = np.divmod(found, outputs[0].shape[1])
    boxes, landmarks = (
        output.reshape(-1, output.shape[2])[found].astype(np.float64) for output in outputs[2:]
    )
    cells_xy = np.stack([cells % columns, cells // columns], axis=1)
    centers = (cells_xy + boxes[:, :2]) * stride
    halves = np.exp(boxes[:, 2:]) * stride / 2
    points = (np.tile(cells_xy, 5) + landmarks) * stride
    scores = np.sqrt(squares[found])
    return np.concatenate([scores[:, None], centers - halves, centers + halves, points], axis=1), places


def best_first(candidates: NDArray[np.float64], overlap: float) -> NDArray[np.float64]:
    """Return the rows, most confident first, without those whose IoU with a better one is above this."""
    candidates = candidates[np.argsort(-candidates[:, 0], kind="stable")]
    return candidates[non_maximum_suppression(candidates[:, 1:5], overlap)]


def heights(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the heights of the boxes in rows of score, box and landmarks, (n,)."""
    return rows[:, 4] - rows[:, 2]


def faces_of(rows: NDArray[np.float64]) -> tuple[Face, ...]:
    """Return the faces that rows of score, box and landmarks tell of, (n, 15); see `decode_grid`."""
    return tuple(
        Face(Box(*row[1:5]), row[0], tuple((row[i], row[i + 1]) for i in range(5, 15, 2)))
        for row in rows.tolist()
    )


def non_maximum_suppression(boxes_xyxy: NDArray[np.float64], overlap: float) -> list[int]:
    """Return the indices of the boxes to keep, of (n, 4) boxes that come best first.

    A box goes where its IoU with a better one that stays is above `overlap`.
    """
    if not len(boxes_xyxy):
        return []
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    ranks = np.arange(len(sides), 0, -1, dtype=np.float32)  # in place of scores: the order is known
    kept = cv2.dnn.NMSBoxes(np.hstack([boxes_xyxy[:, :2], sides]), ranks, 0.0, overlap)  # type: ignore[arg-type]
    return [int(place) for place in kept]
