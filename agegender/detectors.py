"""Face detectors, all of one protocol: an RGB image goes in, faces come out."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.errors import ModelError
from agegender.models import onnx_session
from agegender.scaling import scale_down
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
        self._outputs = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]

    def detect(self, image: Image, score: float | None = None) -> tuple[Face, ...]:
        """Return the faces of an RGB image, most confident first; () where there are none.

        `score` takes the place of the detector's own for this image.
        """
        score = self.score if score is None else score
        candidates = self._look(image, self.long_side_px, score)
        if self.close_up_px and self.close_up_px < max(image.shape[:2]):
            candidates = np.concatenate([candidates, self._close_up(image, candidates, score)])
        candidates = candidates[np.argsort(-candidates[:, 0], kind="stable")]
        kept = candidates[non_maximum_suppression(candidates[:, 1:5], self.overlap)]
        return faces_of(kept)

    def _close_up(self, image: Image, seen: NDArray[np.float64], score: float) -> NDArray[np.float64]:
        """Return the large faces of the picture, where it is not clear that those `seen` are all."""
        long_side_px = max(image.shape[:2])
        least_px = self.CLOSE_UP_PART * long_side_px
        sure = (heights(seen) >= least_px) & (seen[:, 0] >= self.SURE)
        if not self.close_up_px or (long_side_px <= self.FAMILIAR_PX and sure.any()):
            return seen[:0]
        closer = self._look(image, self.close_up_px, score)
        large: NDArray[np.bool_] = heights(closer) >= least_px
        return closer[large]

    def _look(self, image: Image, long_side_px: int, score: float) -> NDArray[np.float64]:
        """Return what the net finds in the picture, scaled down to this, as `decode_grid` has it."""
        height, width = image.shape[:2]
        scale = min(1.0, long_side_px / max(width, height))
        net_input = letterbox(image, scale)
        outputs = self._session.run(self._outputs, {self._session.get_inputs()[0].name: net_input})
        columns = [net_input.shape[3] // stride for stride in STRIDES]
        rows = [
            decode_grid(outputs[4 * i : 4 * i + 4], stride, columns[i], score)
            for i, stride in enumerate(STRIDES)
        ]
        candidates = np.concatenate(rows)
        # The two axes are scaled a hair apart, as whole pixels made the small picture.
        ratio_xy = np.array([width / max(1, round(width * scale)), height / max(1, round(height * scale))])
        candidates[:, 1:] *= np.tile(ratio_xy, 7)
        return candidates


class SSD:
    """OpenCV's res10 SSD (2017): boxes without landmarks, which may leave the image.

    `weights` is the TensorFlow file, `graph` its text description; `ModelError` when they cannot be read.
    `score` is the least confidence of a face. The whole picture is squeezed into 300×300 pixels, so
    faces lower than about a tenth of it get lost: the net's boxes are laid out for that size, and at 512
    they are a tenth of a face off and close-ups fall to pieces (measured on FairFace's training pictures).
    """

    SIZE_PX = 300
    MEAN_BGR = (104.0, 177.0, 123.0)  # as in OpenCV's samples/dnn/face_detector
    # How much of its box lies above YuNet's, which has the same sides and chin: medians over 2,267 of
    # FairFace's training pictures, with 60 pixels of border repeated around them.
    BOX_ABOVE = 0.07

    def __init__(self, weights: Path, graph: Path, *, score: float = 0.7) -> None:
        self.name = "ssd"
        self.score = score
        try:
            self._net = cv2.dnn.readNetFromTensorflow(str(weights), str(graph))
        except cv2.error as error:
            raise ModelError(f"{weights.name} is not a TensorFlow model that OpenCV can read.") from error
        self._lock = threading.Lock()  # a cv2 net keeps its input and its outputs to itself

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Return the faces of an RGB image, most confident first; () where there are none."""
        height, width = image.shape[:2]
        bgr = np.ascontiguousarray(image[:, :, ::-1])
        blob = cv2.dnn.blobFromImage(bgr, 1.0, (self.SIZE_PX, self.SIZE_PX), self.MEAN_BGR)
        with self._lock:
            self._net.setInput(blob)
            # Rows of picture, class, confidence, and a box in parts of the sides.
            rows = np.array(self._net.forward(), dtype=np.float64).reshape(-1, 7)[:, 2:]
        rows = rows[(rows[:, 0] >= self.score) & (rows[:, 1:3] < rows[:, 3:5]).all(axis=1)]
        rows[:, 1:] *= (width, height, width, height)
        rows[:, 2] += self.BOX_ABOVE * (rows[:, 4] - rows[:, 2])
        return tuple(Face(Box(*row[1:]), row[0]) for row in sorted(rows.tolist(), reverse=True))


def letterbox(image: Image, scale: float) -> NDArray[np.float32]:
    """Return the RGB image scaled, as a BGR batch of one, (1, 3, height, width), 0 to 255.

    Both sides are filled up with black, on the right and at the bottom, to multiples of 32.
    """
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    whole = height % 32 == 0 and width % 32 == 0
    batch = (np.empty if whole else np.zeros)((1, 3, -(-height // 32) * 32, -(-width // 32) * 32), np.float32)
    for plane, colour in zip(batch[0, ::-1], cv2.split(scale_down(image, width, height)), strict=True):
        plane[:height, :width] = colour
    return batch


def decode_grid(
    outputs: list[NDArray[np.float32]], stride: int, columns: int, score: float
) -> NDArray[np.float64]:
    """Return one grid's faces as rows of score, left, top, right, bottom and five (x, y), shape (n, 15).

    `outputs` are class and objectness (1, cells, 1), box (1, cells, 4) and landmarks (1, cells, 10), cell
    after cell along rows of `columns`; the meaning is that of OpenCV's `FaceDetectorYN`.
    """
    classes, objects = (np.clip(output[0, :, 0], 0, 1) for output in outputs[:2])
    squares = classes * objects
    found = np.flatnonzero(squares >= score**2)
    if not found.size:
        return np.empty((0, 15))
    scores = np.sqrt(squares[found])
    boxes, landmarks = (output[0, found].astype(np.float64) for output in outputs[2:])
    cells_xy = np.stack([found % columns, found // columns], axis=1)
    centers = (cells_xy + boxes[:, :2]) * stride
    halves = np.exp(boxes[:, 2:]) * stride / 2
    points = (np.tile(cells_xy, 5) + landmarks) * stride
    return np.concatenate([scores[:, None], centers - halves, centers + halves, points], axis=1)


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
