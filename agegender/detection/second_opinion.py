"""A second net's verdict on uncertain faces, which rejects dogs, pans and branches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agegender.imaging.geometry import margin_crop
from agegender.models.session import onnx_session
from agegender.types import Face, Image

MARGIN = 0.3
"""Margin of the net's crop around a box, on each side, in units of its longer side."""

SURE = 0.9
"""Score from which the detector is trusted."""

LEAST = 0.2
"""What the net must say at least of a face: of a thousand training pictures of FairFace on which YuNet finds
one, sure or not, none is lost by it. Nine photographs had a say, too: at 0.3 one of their faces is lost."""

LEAST_LYING = 0.9
"""Minimum for a sideways or upside-down face, which has three more chances to be wrong."""


class SecondOpinion:
    """The second stage of the bundled detector, applied to another detector's boxes.

    `path` is an ONNX file that maps `crops`, BGR uint8 (n, size, size, 3), and `scores`, float32 (n,), to
    `is_face`, 0 to 1, (n,).
    """

    def __init__(self, path: Path) -> None:
        self._session = onnx_session(path)
        self._size_px = int(self._session.get_inputs()[0].shape[1])

    def confirmed(self, image: Image, faces: Sequence[Face]) -> tuple[Face, ...]:
        """Keep the faces in an RGB image of which the detector or the net is confident enough."""
        crops = {
            face: margin_crop(image, face.box, MARGIN, self._size_px) for face in faces if face.score < SURE
        }
        said = dict(zip(crops, self._is_face([*crops.values()]), strict=True))
        denied = {face: crops[face] for face, is_face in said.items() if is_face < LEAST}
        for quarters in (1, 2, 3):
            turned = [np.rot90(crop, quarters) for crop in denied.values()]
            for face, is_face in zip(tuple(denied), self._is_face(turned), strict=True):
                if is_face >= LEAST_LYING:
                    del denied[face]
        return tuple(face for face in faces if face not in denied)

    def _is_face(self, crops: Sequence[NDArray[np.uint8]]) -> list[float]:
        if not crops:
            return []
        inputs = {"crops": np.stack(crops)[..., ::-1], "scores": np.full(len(crops), 0.5, np.float32)}
        (is_face,) = self._session.run(["is_face"], inputs)
        numbers: list[float] = is_face.tolist()
        return numbers
