"""How much memory and computing a process may still take, where the system knows such limits."""

from __future__ import annotations

import os
import sys
from pathlib import Path

STEP_S = 30
"""Seconds of computing between one frame and the next: the slowest estimator takes a fifth for 100 faces."""

LEAST_FRAME_BYTES = 16
"""No frame of any codec is smaller, with what its container tells of it."""

MEMORY_BYTES, MEMORY_PIXEL_BYTES = 400_000_000, 40
"""Address space for a video, beside programs and models: for all, and for each pixel of a frame. Decoders of
4K with 10 bits hold ten frames of 3 bytes a pixel."""

WHOLE_S, FRAME_S, PIXEL_S = 60, 1.0, 1e-7
"""Seconds of computing for a whole video, and more for each frame and each of its pixels: ten times what they
take, as machines differ and frames can be full of faces."""


def address_space() -> int:
    """Return how much this process has of it, in bytes; 0 where it cannot be limited anyway."""
    if sys.platform != "linux":  # macOS has the limit and does not hold it
        return 0
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")


def limit_memory(before: int, pixels: int) -> None:
    """Let this process take what a video with frames of so many pixels needs beside what it had before."""
    if not before:
        return
    import resource

    most = before + MEMORY_BYTES + MEMORY_PIXEL_BYTES * pixels
    _limit(resource.RLIMIT_AS, most, resource.getrlimit(resource.RLIMIT_AS)[1])


def limit_whole(size_bytes: int, pixels: int, max_frames: int) -> None:
    """Let this process compute in proportion to what a file of so many bytes may hold."""
    if sys.platform == "win32":
        return
    import resource

    frames = min(max_frames, size_bytes // LEAST_FRAME_BYTES)
    most = _used_s() + WHOLE_S + round(frames * (FRAME_S + PIXEL_S * pixels))
    _limit(resource.RLIMIT_CPU, most, most)


def limit_step() -> None:
    """Let this process compute for `STEP_S` from now on, before it says the same again."""
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
