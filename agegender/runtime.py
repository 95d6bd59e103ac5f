"""What this process asks of its runtime: memory returned early, a spared garbage collector, threads."""

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
"""Whole pictures are larger and are returned at once. Detection needs less, many times a second, and keeps
it: fresh memory costs half a millisecond a megabyte."""

FEW_MODULES = 10
"""Freeze again only once this many modules have been imported since."""

KEPT_BYTES = 16 * 2**20
"""Freed memory to hold on to: detection takes and frees as much, and took two thirds longer without it."""

ARENAS = 2
"""Of the heaps that glibc keeps for its threads, eight a core by default, each with what it once needed: so
one live stream took 430 MB in a server that takes 230 with two."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def prepare() -> None:
    """Tune this process for serving: memory goes back early, and the collector skips what modules made.

    For the app to call before it works, as often as it likes. Nothing is tuned by an import.
    """
    keep_no_large_blocks()
    settle()


@cache
def keep_no_large_blocks() -> None:
    """Have glibc return every block of `LARGE_BYTES` to the system as soon as it is freed.

    By default it raises that limit as it goes, to 32 MB, and keeps what a picture needed. Setting the limit
    turns off that adjustment, so `KEPT_BYTES` of smaller blocks are asked for as well. Does nothing with
    another C library.
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
    """Freeze what imported modules have created, so that the garbage collector skips it.

    Streamlit collects after each run of a page, and nothing else runs meanwhile: a tenth of a second each
    time, nearly all of it for functions and types, which never go away. Does nothing unless modules were
    imported since the last call. Objects alive by then are still freed, unless they are in a cycle.
    """
    global _modules_settled
    if len(sys.modules) >= _modules_settled + FEW_MODULES:
        _modules_settled = len(sys.modules)
        gc.collect()
        gc.freeze()


def in_thread(call: Callable[[], T], name: str) -> Future[T]:
    """Run a call in a daemon thread of its own.

    Unlike an executor's threads, it does not keep the process from exiting.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # another system
        return None
