"""Analysis alongside a live video: as fast as possible, and never holding it up."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from agegender import runtime
from agegender.analyzer import Analyzer
from agegender.drawing.view_options import ViewOptions
from agegender.live.stats import Meter
from agegender.tracking.follower import Follower
from agegender.tracking.tracker import Track
from agegender.types import Image

PATIENCE_S = 0.05
"""How long a frame waits for its own analysis; slower ones continue in the background."""

BUDGET_S = 0.06
"""Approximate time for estimation per frame, so that no crowd delays the boxes."""

TIDY_S = 60.0
"""Interval for returning fragmented memory.

Frames of many sizes leave gaps, which add up to a hundred megabytes over hours of video.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An analysed frame and the people in it."""

    image: Image
    time_s: float
    tracks: tuple[Track, ...]
    seconds: float


class Watcher:
    """Analyses frames of one video, one at a time, each in a thread of its own.

    So nothing queues up, calls never take long, and no thread is left behind when a visitor leaves.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._follower: Follower | None = None
        self._mirror = False
        self._scene: Scene | None = None
        self._pending: Future[Scene] | None = None
        self._tidied_s = 0.0

    def look(
        self,
        image: Image,
        time_s: float,
        analyzer: Analyzer,
        mirror: bool,
        view: ViewOptions,
        patience_s: float = PATIENCE_S,
    ) -> Scene | None:
        """Start analysing the RGB frame unless another one is in progress; return the newest scene available.

        It is this very frame's while analyses take less than `patience_s`. A change of analyzer or of
        mirroring starts afresh. Raises the exception of an analysis; there is no scene from then until one
        succeeds.
        """
        follower = self._follower
        if follower is None or follower.analyzer is not analyzer or self._mirror != mirror:
            follower = self._follower = Follower(analyzer, BUDGET_S)
            self._mirror, self._scene, self._pending = mirror, None, None
        self._collect()
        if self._pending is None:
            self._tidy(time_s)
            follow = partial(_follow, follower, image, time_s, view)
            self._pending = runtime.in_thread(follow, "live-analysis")
            if self._meter.analysis_s <= patience_s:
                wait([self._pending], patience_s)
            self._collect()
        return self._scene

    def _tidy(self, time_s: float) -> None:
        if time_s - self._tidied_s >= TIDY_S:
            self._tidied_s = time_s
            runtime.give_back()

    def _collect(self) -> None:
        if self._pending is None or not self._pending.done():
            return
        done, self._pending, self._scene = self._pending, None, None
        self._scene = done.result()
        self._meter.analysed(self._scene.seconds)


def _follow(follower: Follower, image: Image, time_s: float, view: ViewOptions) -> Scene:
    start_s = time.perf_counter()
    tracks = follower.follow(image, time_s, view)
    return Scene(image, time_s, tracks, time.perf_counter() - start_s)
