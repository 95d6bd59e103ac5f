"""From the frames that PyAV decodes to upright RGB images, for live and for recorded videos."""

from __future__ import annotations

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.types import Image

# What turns a picture upright, by the signs (or zeros) of its display matrix's a, b, c and d: a pixel (x, y)
# is shown at (a x + c y, b x + d y). None leaves it as it is; -1, 0 and 1 are OpenCV's codes for flips.
_ROTATIONS = {
    (0, 1, -1, 0): cv2.ROTATE_90_CLOCKWISE,
    (-1, 0, 0, -1): cv2.ROTATE_180,
    (0, -1, 1, 0): cv2.ROTATE_90_COUNTERCLOCKWISE,
}
_FLIPS = {(-1, 0, 0, 1): 1, (1, 0, 0, -1): 0}


def to_image(frame: av.VideoFrame, width_px: int | None = None, height_px: int | None = None) -> Image:
    """Return the frame as upright RGB pixels, (height, width, 3), C-contiguous, whatever its format.

    `width_px` and `height_px` scale it; they are those of the frame as it is stored, before it is turned.
    """
    image: Image = frame.to_ndarray(format="rgb24", width=width_px, height=height_px)  # type: ignore[assignment]
    return np.ascontiguousarray(_turn(image, _quarter_turns(frame)), np.uint8)


def _turn(image: Image, matrix: tuple[int, int, int, int]) -> Image:
    if matrix in _ROTATIONS:
        return cv2.rotate(image, _ROTATIONS[matrix])  # type: ignore[return-value]
    if matrix in _FLIPS:
        return cv2.flip(image, _FLIPS[matrix])  # type: ignore[return-value]
    if matrix[0] == 0:  # mirrored and turned: along one of the diagonals
        transposed = cv2.transpose(image)
        return transposed if matrix[1] > 0 else cv2.flip(transposed, -1)  # type: ignore[return-value]
    return image


def _quarter_turns(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Return the frame's display matrix, rounded to quarter turns and flips."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 1, 0, 0, 1
    values: NDArray[np.int32] = np.frombuffer(bytes(data), np.int32)  # type: ignore[call-overload]
    if values.size < 9:
        return 1, 0, 0, 1
    a, b, c, d = (float(values[i]) for i in (0, 1, 3, 4))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return 0, _sign(b), _sign(c), 0
    return _sign(a), 0, 0, _sign(d)


def _sign(value: float) -> int:
    return -1 if value < 0 else 1
