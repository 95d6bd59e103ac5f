"""Statistics of a live video."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_S = 2.0
"""Time window for rates."""

SMOOTHING = 0.1
"""Weight of the newest frame in mean durations."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Statistics of a live video.

    Frames per second that arrived and that were analysed, over the last two seconds; milliseconds to analyse
    and draw one; and how many have not been analysed since START.
    """

    frames_per_s: float = 0.0
    analysed_per_s: float = 0.0
    frame_ms: float = 0.0
    dropped: int = 0


class Meter:
    """Counts frames in bounded memory, however long a video runs."""

    def __init__(self) -> None:
        self.analysis_s = 0.0  # of the last one
        self._came: deque[tuple[float, int]] = deque(maxlen=240)
        self._analysed: deque[float] = deque(maxlen=240)
        self._frames = self._scenes = 0
        self._mean_analysis_s = self._mean_drawing_s = 0.0
        self._time_s = 0.0

    def came(self, frames: int, time_s: float) -> None:
        """Count frames that arrived at a time."""
        self._came.append((time_s, frames))
        self._frames += frames
        self._time_s = time_s

    def analysed(self, seconds: float) -> None:
        """Count a frame whose analysis took this long."""
        self._analysed.append(self._time_s)
        self._scenes += 1
        self.analysis_s = seconds
        self._mean_analysis_s += (seconds - self._mean_analysis_s) * (SMOOTHING if self._scenes > 1 else 1.0)

    def drew(self, seconds: float) -> None:
        """Count a frame that took this long to draw."""
        self._mean_drawing_s += (seconds - self._mean_drawing_s) * (
            SMOOTHING if self._mean_drawing_s else 1.0
        )

    def figures(self, time_s: float) -> Figures:
        """Current statistics."""
        since_s = time_s - WINDOW_S
        frames = sum(count for came_s, count in self._came if came_s > since_s)
        scenes = sum(1 for analysed_s in self._analysed if analysed_s > since_s)
        window_s = WINDOW_S if not self._came else min(WINDOW_S, max(0.5, time_s - self._came[0][0]))
        frame_ms = 1000 * (self._mean_analysis_s + self._mean_drawing_s)
        return Figures(frames / window_s, scenes / window_s, frame_ms, max(0, self._frames - self._scenes))
