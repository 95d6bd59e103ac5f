"""The second stage of face detection: a closer look at each box, which keeps, drops or refines it.

A cascade, as in Viola and Jones (2001) and MTCNN (Zhang et al., 2016): the first stage searches everywhere
and may often be wrong; the second sees little and can afford to look carefully.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from agegender.detection.candidates import NOTHING, Candidates, joined
from agegender.detection.second_opinion import MARGIN
from agegender.detection.yunet import YuNet
from agegender.imaging.geometry import margin_crop, margin_square
from agegender.models.session import onnx_session
from agegender.types import Face, Image

CLOSE_UP_PX = 160
"""Long side at which a face that fills the picture is well within what the first stage knows: 280 pixels."""

FIRST_SCORE = 0.2
"""Minimum first-stage score for the second stage: hardly a face on photographs has less."""

BATCH = 32
"""Maximum batch size, which bounds the memory that a crowd takes."""


class CascadeDetector:
    """A detector whose candidates a second net examines.

    `first` proposes boxes, most of which may be wrong; `path` is an ONNX file that maps `crops`, BGR uint8
    (n, size, size, 3), and first-stage `scores`, float32 (n,), to `score` (n,) and `points`, the box's two
    corners and five landmarks as fractions of the crop, (n, 7, 2). `score` is the minimum confidence of a
    face, `overlap` the IoU above which the less confident of two faces is dropped.
    """

    def __init__(self, first: YuNet, path: Path, *, score: float = 0.7, overlap: float = 0.3) -> None:
        self.name = first.name
        self.first = first
        self.score = score
        self.overlap = overlap
        self._session = onnx_session(path)
        self._size_px = int(self._session.get_inputs()[0].shape[1])

    def detect(self, image: Image) -> tuple[Face, ...]:
        """Find the faces in an RGB image, most confident first; () if there are none."""
        found = [(image, face) for face in self.first.detect(image)]
        return self._kept(self._closer(found))

    def detect_each(self, images: Sequence[Image]) -> tuple[tuple[Face, ...], ...]:
        """Find the faces in each of several small RGB images of one shape, most confident first."""
        first = self.first.detect_each(images)
        found = [(image, face) for image, faces in zip(images, first, strict=True) for face in faces]
        places = np.repeat(np.arange(len(images)), [len(faces) for faces in first])
        seen = self._closer(found)
        return tuple(self._kept(seen[places == place]) for place in range(len(images)))

    def _kept(self, seen: Candidates) -> tuple[Face, ...]:
        return seen[seen.scores >= self.score].best_first(self.overlap).faces()

    def _closer(self, found: Sequence[tuple[Image, Face]]) -> Candidates:
        """Examine faces, each in its image, with the second stage."""
        parts = [self._look(found[at : at + BATCH]) for at in range(0, len(found), BATCH)]
        return joined([NOTHING, *parts])

    def _look(self, found: Sequence[tuple[Image, Face]]) -> Candidates:
        faces = [face for _, face in found]
        crops = [margin_crop(image, face.box, MARGIN, self._size_px) for image, face in found]
        scores = np.array([face.score for face in faces], np.float32)
        score, points = self._session.run(
            ["score", "points"], {"crops": np.stack(crops)[..., ::-1], "scores": scores}
        )
        views = np.array([margin_square(face.box, MARGIN) for face in faces])
        places = views[:, None, :2] + points.astype(np.float64) * views[:, None, 2:]
        return Candidates(score.astype(np.float64), places[:, :2].reshape(-1, 4), places[:, 2:])


def first_stage(path: Path, score: float = FIRST_SCORE) -> YuNet:
    """The bundled net that searches everywhere."""
    return YuNet(path, score=score, close_up_px=CLOSE_UP_PX)


def bundled(files: Mapping[str, Path]) -> CascadeDetector:
    """The bundled detector from its two nets, faces.onnx and refinement.onnx by name."""
    return CascadeDetector(first_stage(files["faces.onnx"]), files["refinement.onnx"])
