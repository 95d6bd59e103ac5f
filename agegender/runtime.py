"""Tuning of the runtime: memory returned early, less work for the garbage collector, daemon threads."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import TypeVar

T = TypeVar("T")

LARGE_BYTES = 12 * 2**20
"""Allocations above this, such as whole pictures, are returned to the system at once.

Detection needs less, many times a second, and keeps it: fresh memory costs half a millisecond per megabyte.
"""

FEW_MODULES = 10
"""Minimum number of newly imported modules before freezing again."""

KEPT_BYTES = 16 * 2**20
"""Freed memory to keep: detection allocates and frees this much, and took two thirds longer without it."""

ARENAS = 2
"""Of the heaps that glibc keeps for its threads, eight a core by default, each with what it once needed: so
one live stream took 430 MB in a server that takes 230 with two."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def prepare() -> None:
    """Tune this process for serving: return memory early, and spare the collector objects made by imports.

    Call it from the app before it works, as often as you like. Imports themselves tune nothing.
    """
    keep_no_large_blocks()
    settle()


@cache
def keep_no_large_blocks() -> None:
    """Make glibc return every block of `LARGE_BYTES` to the system as soon as it is freed.

    By default, glibc raises that limit dynamically, up to 32 MB, and keeps what a picture needed. Setting the
    limit turns that adjustment off, so `KEPT_BYTES` of smaller blocks are requested as well. Has no effect
    with another C library.
    """
    mallopt = getattr(_c_library(), "mallopt", None)
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return freed memory to the system, page by page; takes milliseconds. glibc only."""
    trim = getattr(_c_library(), "malloc_trim", None)
    if trim:
        trim(ctypes.c_size_t(0))


_modules_settled = 0


def settle() -> None:
    """Freeze the objects created by imported modules, so that the garbage collector skips them.

    Streamlit collects after each page run, which blocks everything else: a tenth of a second each time,
    nearly all of it for functions and types, which never go away. Has no effect unless modules were imported
    since the last call. Objects alive by then are still freed, unless they are in a cycle.
    """
    global _modules_settled
    if len(sys.modules) >= _modules_settled + FEW_MODULES:
        _modules_settled = len(sys.modules)
        gc.collect()
        gc.freeze()


def in_thread(call: Callable[[], T], name: str) -> Future[T]:
    """Run a call in a new daemon thread.

    Unlike an executor's threads, it does not keep the process from exiting.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is requested
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # another system
        return None
