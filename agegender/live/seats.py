"""Limit on simultaneous live videos: each takes a good part of a core, and too many make all stutter."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping

GONE_S = 30.0
"""Silence after which a visitor is considered gone: a closed tab sends nothing."""

PER_CORE = 2
"""Videos per core: see docs/live.md for the cost of one."""


def limit(environment: Mapping[str, str], cores: int | None = None) -> int:
    """Maximum number of live videos at once: AGEGENDER_LIVE_MAX, or by the number of cores."""
    text = environment.get("AGEGENDER_LIVE_MAX", "").strip()
    if text.isdecimal() and int(text) > 0:
        return int(text)
    return PER_CORE * (cores or available_cores())


def available_cores() -> int:
    """Number of cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Seats:
    """Gives `at_once` visitors a seat, first come, first served; others wait in line. Thread-safe."""

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.at_once = at_once
        self._clock = clock
        self._lock = threading.Lock()
        # In order of arrival, each with the time of their last sign of life; the first ones have seats.
        self._heard_s: dict[str, float] = {}

    def ask(self, who: str) -> int:
        """Number of people ahead of `who`, 0 with a seat. Must be called again and again."""
        with self._lock:
            now_s = self._clock()
            self._heard_s = {k: s for k, s in self._heard_s.items() if now_s - s <= GONE_S or k == who}
            self._heard_s[who] = now_s
            return max(0, list(self._heard_s).index(who) + 1 - self.at_once)

    def leave(self, who: str) -> None:
        """Give up the seat, or the place in line."""
        with self._lock:
            self._heard_s.pop(who, None)
