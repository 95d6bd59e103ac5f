"""Giving memory back to the system, where the C library (glibc) would keep it for later."""

from __future__ import annotations

import ctypes

LARGE_BYTES = 8 * 2**20
"""What a whole picture needs is larger, what a live frame needs in its net is smaller and is kept: it comes
many times a second, and fresh memory costs a quarter of a millisecond a megabyte."""

_M_MMAP_THRESHOLD = -3  # malloc.h


def keep_no_large_blocks() -> None:
    """Have every block of `LARGE_BYTES` go back at once when it is freed, from now on in this process.

    Without it the C library raises that limit by itself, to 32 MB, and keeps what a picture needed.
    """
    mallopt = getattr(_c_library(), "mallopt", None)
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Give back what is freed already: in milliseconds, whole pages of it."""
    trim = getattr(_c_library(), "malloc_trim", None)
    if trim:
        trim(ctypes.c_size_t(0))


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # another system
        return None
