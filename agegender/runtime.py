"""Giving memory back to the system, where the C library (glibc) would keep it, and sparing the collector."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

LARGE_BYTES = 12 * 2**20
"""What a whole picture needs is larger, what a look of the detector needs is smaller and is kept: it comes
many times a second, and fresh memory costs half a millisecond a megabyte."""

FEW_MODULES = 10
"""So many new ones are worth a look through everything."""

KEPT_BYTES = 16 * 2**20
"""So much of what was freed may be kept for what is needed next: a look of the detector takes and frees as
much, and took two thirds longer without it."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_no_large_blocks() -> None:
    """Have every block of `LARGE_BYTES` go back at once when it is freed, from now on in this process.

    Without it the C library raises that limit by itself, to 32 MB, and keeps what a picture needed. As it no
    longer finds its limits by itself then, it is also told to keep `KEPT_BYTES` of smaller ones.
    """
    mallopt = getattr(_c_library(), "mallopt", None)
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


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


def in_thread(call: Callable[[], T], name: str) -> Future[T]:
    """Run a call in a thread of its own, which ends with it and which no process waits for when it ends.

    An executor's threads would be waited for.
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
