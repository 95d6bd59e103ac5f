"""Convert frames decoded by PyAV to upright RGB images, for live and recorded videos."""

from __future__ import annotations

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.imaging.hdr import PRIMARIES, TRANSFERS, VIDEO_GAMMA, ToneMapper
from agegender.types import Image

Matrix = tuple[int, int, int, int]
"""a, b, c and d of a display matrix, rounded to quarter turns and flips.

The pixel (x, y) of a frame is displayed at (a x + c y, b x + d y).
"""

_ROTATIONS = {
    (0, 1, -1, 0): cv2.ROTATE_90_CLOCKWISE,
    (-1, 0, 0, -1): cv2.ROTATE_180,
    (0, -1, 1, 0): cv2.ROTATE_90_COUNTERCLOCKWISE,
}
_FLIPS = {(-1, 0, 0, 1): 1, (1, 0, 0, -1): 0}


def to_image(
    frame: av.VideoFrame,
    matrix: Matrix | None = None,
    width_px: int | None = None,
    height_px: int | None = None,
    tone_mapper: ToneMapper | None = None,
) -> Image:
    """Convert the frame to upright RGB pixels, (height, width, 3), C-contiguous, from any format.

    Without a `matrix`, it is rotated as the frame says, but never mirrored. `width_px` and `height_px` scale
    it; they refer to the stored frame, before rotation. `tone_mapper` comes from `tone_mapper_for` for the
    whole video.
    """
    if tone_mapper:
        codes = frame.to_ndarray(format="rgb48le", width=width_px, height=height_px)
        image = tone_mapper(codes.astype(np.uint16))
        return np.ascontiguousarray(_turn(image, matrix or _rotation(frame.rotation)))
    image = frame.to_ndarray(format="rgb24", width=width_px, height=height_px)  # type: ignore[assignment]
    return np.ascontiguousarray(_turn(image, matrix or _rotation(frame.rotation)), np.uint8)


def tone_mapper_for(frame: av.VideoFrame) -> ToneMapper | None:
    """The tone mapper for a video with frames like this one; None if it is in the range of sRGB."""
    transfer = TRANSFERS.get(frame.color_trc)
    if transfer is None:
        return None
    return ToneMapper(transfer, PRIMARIES.get(frame.color_primaries, "bt2020"), VIDEO_GAMMA)


def display_matrix(frame: av.VideoFrame) -> Matrix:
    """The frame's display matrix. Call it once per video: each call creates a reference cycle."""
    # frame.side_data refers to the frame, and the frame to it. The cycle keeps the frame until Python
    # collects it, which happens seldom, and hundreds of frames are hundreds of megabytes.
    data = frame.side_data.get("DISPLAYMATRIX")
    values: NDArray[np.int32] = np.frombuffer(bytes(data or b""), np.int32)  # type: ignore[call-overload]
    if values.size < 9:
        return 1, 0, 0, 1
    a, b, c, d = (float(values[i]) for i in (0, 1, 3, 4))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return 0, _sign(b), _sign(c), 0
    return _sign(a), 0, 0, _sign(d)


def _rotation(degrees: float) -> Matrix:
    """Matrix for an anticlockwise rotation, to the nearest quarter turn."""
    quarters = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))
    return quarters[round(degrees / 90) % 4]


def _turn(image: Image, matrix: Matrix) -> Image:
    if matrix in _ROTATIONS:
        return cv2.rotate(image, _ROTATIONS[matrix])  # type: ignore[return-value]
    if matrix in _FLIPS:
        return cv2.flip(image, _FLIPS[matrix])  # type: ignore[return-value]
    if matrix[0] == 0:  # mirrored and rotated: along one of the diagonals
        transposed = cv2.transpose(image)
        return transposed if matrix[1] > 0 else cv2.flip(transposed, -1)  # type: ignore[return-value]
    return image


def _sign(value: float) -> int:
    return -1 if value < 0 else 1
