"""How the benchmarks measure: on one core, by its time, ways that are compared taking turns."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import cv2


def one_core() -> None:
    """Keep this process on one core, where the system lets it, and OpenCV in the thread that calls it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)


def side_by_side(rounds: int, **ways: Callable[[], object]) -> dict[str, float]:
    """Return the median of each way's time on the core, in milliseconds.

    They take turns, so that whatever else the machine does strikes all, and each warms up once.
    """
    for way in ways.values():
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start_s = time.process_time()
            way()
            times[name].append(1000 * (time.process_time() - start_s))
    return {name: statistics.median(taken) for name, taken in times.items()}


class Clock:
    """Adds up the time on the core that some functions take, by names, and how much they did.

    `sizes` has, for some of the names, what tells from a call's arguments how much it is.
    """

    def __init__(self, sizes: Mapping[str, Callable[..., float]] | None = None) -> None:
        self.ms: dict[str, float] = {}
        self.size: dict[str, float] = {}
        self._sizes = sizes or {}

    def restart(self) -> None:
        """Begin from nothing."""
        self.ms.clear()
        self.size.clear()

    @contextmanager
    def on(self, *calls: tuple[str, Any, str]) -> Iterator[None]:
        """Watch calls, each a name, and the object and attribute where its function is, within `with`."""
        before = [(owner, attribute, getattr(owner, attribute)) for _, owner, attribute in calls]
        for name, owner, attribute in calls:
            setattr(owner, attribute, self._watched(name, getattr(owner, attribute)))
        try:
            yield
        finally:
            for owner, attribute, function in before:
                setattr(owner, attribute, function)

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start_s = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                self.ms[name] = self.ms.get(name, 0.0) + 1000 * (time.thread_time() - start_s)
                if name in self._sizes:
                    self.size[name] = self.size.get(name, 0.0) + self._sizes[name](*arguments)

        return call


class Session:
    """An ONNX Runtime session in place of another, whose `run` a `Clock` can watch."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.run = session.run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
