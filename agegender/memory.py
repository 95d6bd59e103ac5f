"""Giving memory back to the system, where the C library (glibc) would keep it, and sparing the collector."""

from __future__ import annotations

import ctypes
import gc
import sys

LARGE_BYTES = 8 * 2**20
"""What a whole picture needs is larger, what a live frame needs in its net is smaller and is kept: it comes
many times a second, and fresh memory costs a quarter of a millisecond a megabyte."""

FEW_MODULES = 10
"""So many new ones are worth a look through everything."""

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


_modules_settled = 0


def settle() -> None:
    """Take what the modules imported so far have made out of the sight of the garbage collector, for good.

    Streamlit has it look through everything after each run of a page, during which nothing else runs in
    this process: a tenth of a second each time, almost all of it for objects of modules, which never go. Does
    something only where modules came since the last time. What is in use by then is freed as ever, unless
    it is in a cycle.
    """
    global _modules_settled
    if len(sys.modules) >= _modules_settled + FEW_MODULES:
        _modules_settled = len(sys.modules)
        gc.collect()
        gc.freeze()


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # another system
        return None
