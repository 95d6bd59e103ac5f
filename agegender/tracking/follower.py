"""Follow people through a video: detection on every frame, estimation only when it adds information."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.analyzer import Analyzer
from agegender.drawing.view_options import ViewOptions
from agegender.estimation.quality import warnings_of
from agegender.tracking.fusion import SETTLE_S, view_weight
from agegender.tracking.tracker import GONE_S, Track, Tracker
from agegender.types import Face, Image

LONG_SIDE_PX = 640
"""Long side for detection; faces are estimated at full size."""

LARGE_PX = 80.0
"""Shorter side of a face, at `LONG_SIDE_PX`, above which half that size suffices to follow it."""

FULL_EVERY_S = 0.3
"""How often to detect at full size anyway, for small faces that enter."""

SETTLING_EVERY_S, VIEW_EVERY_S = 0.1, 0.5
"""Interval between estimates while a track settles, and afterwards."""

BETTER = 1.25
"""A view this many times better than the best so far is estimated early."""

LIKE, SAME_COLOURS = 0.25, 0.6
"""Two frames below both thresholds show different scenes; see `is_cut`."""


class Follower:
    """Follows the people in one video. Call it with frames in order, from one thread.

    `budget_s` is the approximate time for estimation per frame: with a slow estimator and many faces, those
    that have waited longest come first. Without it, every face that is due is estimated. `rest_s` is passed
    to the tracker.
    """

    def __init__(self, analyzer: Analyzer, budget_s: float = math.inf, rest_s: float = GONE_S) -> None:
        self.analyzer = analyzer
        self._budget_s = budget_s
        self._tracker = Tracker(rest_s)
        self._view_cost_s = 0.0
        self._full_s = -math.inf
        self._size_px = (0, 0)
        self._thumbnail: NDArray[np.float32] | None = None

    def follow(self, image: Image, time_s: float, view: ViewOptions | None = None) -> tuple[Track, ...]:
        """Process an RGB frame; return all tracks, including those whose face is briefly lost.

        Considers only the faces that `view` follows, or all without it. Frames may change in size; after a
        cut, everybody is a new person.
        """
        self._notice_change(image)
        found = self._detect(image, time_s)
        faces = [face for face in found if view is None or view.follows(face)]
        self._tracker.update(faces, time_s)
        self._estimate(image, time_s)
        return self._tracker.tracks

    def _notice_change(self, image: Image) -> None:
        before, self._thumbnail = self._thumbnail, thumbnail(image)
        (old_height, old_width), self._size_px = self._size_px, image.shape[:2]
        turned = False
        if before is not None and (old_height, old_width) != self._size_px:
            ratio = image.shape[1] / old_width
            turned = abs(old_height * ratio - image.shape[0]) > max(2.0, 0.02 * image.shape[0])
            self._tracker.scale(ratio)
        if before is not None and (turned or is_cut(before, self._thumbnail)):
            self._tracker.forget()

    def _detect(self, image: Image, time_s: float) -> tuple[Face, ...]:
        full = min(1.0, LONG_SIDE_PX / max(image.shape[:2]))
        tracks = self._tracker.tracks
        easy = tracks and all(
            track.missed == 0 and min(track.box.width, track.box.height) * full >= LARGE_PX
            for track in tracks
        )
        if easy and 0 <= time_s - self._full_s < FULL_EVERY_S:
            return self._detect_at(image, full / 2)
        self._full_s = time_s
        return self._detect_at(image, full)

    def _detect_at(self, image: Image, scale: float) -> tuple[Face, ...]:
        if scale == 1.0:
            return self.analyzer.detector.detect(image)
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        faces = self.analyzer.detector.detect(small)  # type: ignore[arg-type]  # cv2 names no dtype
        return tuple(face.moved(1 / scale, 1 / scale) for face in faces)

    def _estimate(self, image: Image, time_s: float) -> None:
        tracks = due(self._tracker.tracks, time_s)
        if self._view_cost_s > 0:
            tracks = tracks[: max(1, int(min(self._budget_s / self._view_cost_s, len(tracks))))]
        if not tracks:
            return
        start_s = time.perf_counter()
        estimates = self.analyzer.estimator.estimate(image, [track.face for track in tracks])
        cost_s = (time.perf_counter() - start_s) / len(tracks)
        self._view_cost_s += (cost_s - self._view_cost_s) * (0.3 if self._view_cost_s else 1.0)
        for track, estimate in zip(tracks, estimates, strict=True):
            self._tracker.learn(track.number, estimate, time_s, warnings_of(image, track.face))


def due(tracks: Sequence[Track], time_s: float) -> list[Track]:
    """The visible tracks worth estimating now, longest-waiting first."""
    waiting = [track for track in tracks if track.missed == 0 and _is_due(track, time_s)]
    return sorted(waiting, key=lambda track: (track.viewed_s, track.number))


def _is_due(track: Track, time_s: float) -> bool:
    waited_s = time_s - track.viewed_s
    settling = time_s - track.first_seen_s <= SETTLE_S
    if waited_s >= (SETTLING_EVERY_S if settling else VIEW_EVERY_S):
        return True
    return waited_s >= SETTLING_EVERY_S and view_weight(track.face) > BETTER * track.best_weight


def thumbnail(image: Image) -> NDArray[np.float32]:
    """A tiny copy, (24, 32, 3), for `is_cut`."""
    # Subsampled first: averaging every pixel would cost more than it gains.
    steps = [max(1, side // of) for side, of in zip(image.shape[:2], (96, 128), strict=True)]
    sparse = np.ascontiguousarray(image[:: steps[0], :: steps[1]])
    return cv2.resize(sparse, (32, 24), interpolation=cv2.INTER_AREA).astype(np.float32)


def is_cut(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Return whether two thumbnails show different scenes.

    A pan keeps the colours and a change of light keeps the pattern; a cut keeps neither.
    """
    greys = [picture.mean(axis=2).ravel() for picture in (before, after)]
    centred = [grey - grey.mean() for grey in greys]
    norms = [float(np.linalg.norm(grey)) for grey in centred]
    alike = float(centred[0] @ centred[1]) / max(1e-6, norms[0] * norms[1])
    if alike >= LIKE:
        return False
    colours = [_histogram(picture) for picture in (before, after)]
    return float(np.minimum(*colours).sum()) < SAME_COLOURS


def _histogram(thumbnail: NDArray[np.float32]) -> NDArray[np.float64]:
    """Fraction of the pixels in each of 4 × 4 × 4 colours, shape (64,)."""
    bins = (thumbnail / 64).astype(int).clip(0, 3) @ np.array([16, 4, 1])
    return np.histogram(bins, bins=64, range=(0, 64))[0] / float(bins.size)
