"""How many live videos run at once: each takes a good part of a core, and with too many all stutter."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping

GONE_S = 30.0
"""Who has not been heard of for so long has gone: a closed tab says nothing."""

PER_CORE = 2
"""Videos a core: see docs/live.md for what one costs."""


def limit(environment: Mapping[str, str], cores: int | None = None) -> int:
    """Return how many live videos may run at once: AGEGENDER_LIVE_MAX, or by the number of cores."""
    text = environment.get("AGEGENDER_LIVE_MAX", "").strip()
    if text.isdecimal() and int(text) > 0:
        return int(text)
    return PER_CORE * (cores or available_cores())


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Seats:
    """Gives `at_once` visitors a seat, first come, first served; others stand in line. For many threads."""

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.at_once = at_once
        self._clock = clock
        self._lock = threading.Lock()
        # In the order of coming, each with when it was heard of last; those who have a seat are the first.
        self._heard_s: dict[str, float] = {}

    def ask(self, who: str) -> int:
        """Return how many must go before `who` has a seat, 0 for having one. To be asked again and again."""
        with self._lock:
            now_s = self._clock()
            self._heard_s = {k: s for k, s in self._heard_s.items() if now_s - s <= GONE_S or k == who}
            self._heard_s[who] = now_s
            return max(0, list(self._heard_s).index(who) + 1 - self.at_once)

    def leave(self, who: str) -> None:
        """Give up the seat, or the place in line."""
        with self._lock:
            self._heard_s.pop(who, None)
