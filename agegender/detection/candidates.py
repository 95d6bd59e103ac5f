"""A detector's candidates as arrays: scores, boxes and landmarks, before duplicates are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.types import Box, Face

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Candidate faces, in pixels of an image.

    `scores` (n,), 0 to 1; `boxes_xyxy` (n, 4), left, top, right, bottom; `landmarks` (n, 5, 2), as in `Face`.
    """

    scores: Numbers
    boxes_xyxy: Numbers
    landmarks: Numbers

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: Any) -> Candidates:
        """Select by an array of indices, a mask or a slice."""
        return Candidates(self.scores[which], self.boxes_xyxy[which], self.landmarks[which])

    @property
    def heights_px(self) -> Numbers:
        """Heights of the boxes, (n,)."""
        heights: Numbers = self.boxes_xyxy[:, 3] - self.boxes_xyxy[:, 1]
        return heights

    def moved(self, ratios_xy: Numbers, shifts_xy: NDArray[Any] = np.zeros(2)) -> Candidates:  # noqa: B008
        """Scale by (2,) or (n, 2) factors, then shift by as many."""
        ratios_xy, shifts_xy = ratios_xy[..., None, :], shifts_xy[..., None, :]
        corners = self.boxes_xyxy.reshape(-1, 2, 2) * ratios_xy + shifts_xy
        return Candidates(self.scores, corners.reshape(-1, 4), self.landmarks * ratios_xy + shifts_xy)

    def best_first(self, overlap: float) -> Candidates:
        """Sort by confidence, and drop those whose IoU with a better one is above `overlap`."""
        ordered = self[np.argsort(-self.scores, kind="stable")]
        return ordered[non_maximum_suppression(ordered.boxes_xyxy, overlap)]

    def faces(self) -> tuple[Face, ...]:
        """Convert to faces, in the same order."""
        rows = zip(self.scores.tolist(), self.boxes_xyxy.tolist(), self.landmarks.tolist(), strict=True)
        return tuple(Face(Box(*box), score, tuple(map(tuple, points))) for score, box, points in rows)


NOTHING = Candidates(np.empty(0), np.empty((0, 4)), np.empty((0, 5, 2)))


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Concatenate one or more sets of candidates."""
    return Candidates(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.boxes_xyxy for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
    )


def non_maximum_suppression(boxes_xyxy: Numbers, overlap: float) -> list[int]:
    """Indices to keep of (n, 4) boxes, sorted best first.

    A box is dropped if its IoU with a better one that is kept is above `overlap`.
    """
    if not len(boxes_xyxy):
        return []
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    ranks = np.arange(len(sides), 0, -1, dtype=np.float32)  # stand in for scores, since the order is known
    kept = cv2.dnn.NMSBoxes(np.hstack([boxes_xyxy[:, :2], sides]), ranks, 0.0, overlap)  # type: ignore[arg-type]
    return [int(place) for place in kept]
