"""Timing: CPU time on one core, with compared functions taking turns."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import cv2


def one_core() -> None:
    """Keep this process on one core, where the system allows it, and OpenCV in the calling thread."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)


def side_by_side(rounds: int, **ways: Callable[[], object]) -> dict[str, float]:
    """Median CPU time of each function, in milliseconds.

    They take turns, so that any other load on the machine affects all of them, and each is warmed up once.
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
    """Sums up the CPU time of certain functions by name, and the size of their work.

    `sizes` has, for some of the names, a function from a call's arguments to that size.
    """

    def __init__(self, sizes: Mapping[str, Callable[..., float]] | None = None) -> None:
        self.ms: dict[str, float] = {}
        self.size: dict[str, float] = {}
        self._sizes = sizes or {}

    def restart(self) -> None:
        """Reset all sums."""
        self.ms.clear()
        self.size.clear()

    @contextmanager
    def on(self, *calls: tuple[str, Any, str]) -> Iterator[None]:
        """Context manager that times calls, each given as a name, an object and the function's attribute."""
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
    """Wraps an ONNX Runtime session so that a `Clock` can time its `run`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.run = session.run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
