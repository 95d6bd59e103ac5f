"""Limits on the remaining memory and CPU time of a process, where the system supports them."""

from __future__ import annotations

import sys

STEP_S = 30
"""CPU seconds between two frames: the slowest estimator takes a fifth of that for 100 faces."""

LEAST_FRAME_BYTES = 16
"""Minimum size of a frame in any codec, including its container's overhead."""

MEMORY_BYTES, MEMORY_PIXEL_BYTES = 400_000_000, 40
"""Address space for a video, on top of programs and models: a base, and an amount per pixel of a frame.

Decoders of 10-bit 4K hold ten frames of 3 bytes per pixel.
"""

WHOLE_S, FRAME_S, PIXEL_S = 60, 1.0, 1e-7
"""CPU seconds for a whole video: a base, and amounts per frame and per pixel of each frame.

Ten times what they take, as machines differ and frames can be full of faces.
"""


def limit_memory(before: int, pixels: int) -> None:
    """Limit this process to `before` plus what a video with frames of so many pixels needs."""
    if not before:
        return
    import resource

    most = before + MEMORY_BYTES + MEMORY_PIXEL_BYTES * pixels
    _limit(resource.RLIMIT_AS, most, resource.getrlimit(resource.RLIMIT_AS)[1])


def limit_whole(size_bytes: int, pixels: int, max_frames: int) -> None:
    """Limit this process's CPU time in proportion to what a file of so many bytes may hold."""
    if sys.platform == "win32":
        return
    import resource

    frames = min(max_frames, size_bytes // LEAST_FRAME_BYTES)
    most = _used_s() + WHOLE_S + round(frames * (FRAME_S + PIXEL_S * pixels))
    _limit(resource.RLIMIT_CPU, most, most)


def limit_step() -> None:
    """Limit this process to `STEP_S` of CPU time until the next call."""
    if sys.platform == "win32":
        return
    import resource

    _limit(resource.RLIMIT_CPU, _used_s() + STEP_S, resource.getrlimit(resource.RLIMIT_CPU)[1])


def _limit(kind: int, soft: int, hard: int) -> None:
    import resource

    most = resource.getrlimit(kind)[1]
    if most != resource.RLIM_INFINITY:
        hard = most if hard == resource.RLIM_INFINITY else min(hard, most)
        soft = min(soft, hard)
    resource.setrlimit(kind, (soft, hard))


def _used_s() -> int:
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    return int(used.ru_utime + used.ru_stime) + 1
