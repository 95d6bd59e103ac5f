"""Decoding untrusted bytes in processes of their own, with limits: few, started once and used again."""

from __future__ import annotations

import atexit
import json
import logging
import mmap
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agegender.errors import ImageError
from agegender.imaging import io
from agegender.imaging.io import Decoded
from agegender.imaging.sandbox import KEPT_MB, MB

LOG = logging.getLogger(__name__)

AT_ONCE = 3
"""So many processes at most: while two have a bomb each, a third still serves."""

MEMORY_MB = 360
"""What one picture may take, whatever it says of itself."""

SECONDS = 2.0
"""Of computing, for each look at a file: the largest pictures take one. A process that is still busy ends."""

MEASURING_SECONDS, MEASURING_MB = 1.0, 96

WAIT_S = 15.0
"""Whoever has not answered by then is ended too, whatever it waits for."""

START_S = 60.0

TOO_MUCH = (
    "The picture takes more memory or time to read than a picture should. "
    "Save it anew, as JPEG for example, and try again."
)
NOT_STARTED = "Pictures cannot be read: the process that decodes them does not start. The log says more."

BLOCK_BYTES = max(io.MAX_BYTES, 3 * io.MAX_PIXELS) // mmap.PAGESIZE * mmap.PAGESIZE
"""What fits into the memory that both processes see. It takes only as much as is in it."""

PASSED_ON = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")
"""What the processes get to know of the environment: no secrets."""

FRUGAL = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

START = "import sys, runpy; sys.path[:] = sys.argv[3:]; runpy.run_module('agegender.imaging.sandbox', None, '__main__')"


@dataclass(frozen=True, slots=True)
class Measured:
    """The pixels that a picture says it has, 0 for what is none, and the MB that decoding it whole takes."""

    pixels: int
    memory_mb: float


class Worker:
    """A process that decodes, and the memory that it shares with this one. For one thread at a time."""

    def __init__(self) -> None:
        self.block: mmap.mmap | None = None
        fd = -1
        if hasattr(os, "memfd_create"):  # unlike /dev/shm never too small, which in containers is 64 MB
            fd = os.memfd_create("agegender")
            os.ftruncate(fd, BLOCK_BYTES)
            self.block = mmap.mmap(fd, BLOCK_BYTES)
        command = [sys.executable, "-c", START, str(fd), str(BLOCK_BYTES), *sys.path]
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | FRUGAL
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                pass_fds=(fd,) if fd >= 0 else (),
            )
        finally:
            if fd >= 0:
                os.close(fd)
        assert self.process.stdin and self.process.stdout
        self.errands, self.answers = self.process.stdin, self.process.stdout
        self.ready = False

    def ask(
        self, data: bytes, long_side_px: int | None, memory_mb: float, seconds: float
    ) -> dict[str, Any] | None:
        """Return the answer; None where the process ended instead."""
        if not self.ready:
            self.ready = self._wait_for_answer(START_S) is not None
            if not self.ready:
                LOG.error("the process that decodes pictures ended with %s", self.process.wait())
                raise ImageError(NOT_STARTED)
        errand = {
            "bytes": len(data),
            "long_side_px": long_side_px,
            "memory_mb": memory_mb,
            "seconds": seconds,
        }
        with suppress(BrokenPipeError):
            self.errands.write(json.dumps(errand).encode() + b"\n")
            if self.block is None:
                self.errands.write(data)
            else:
                self.block[: len(data)] = data
            self.errands.flush()
        return self._wait_for_answer(WAIT_S)

    def _wait_for_answer(self, within_s: float) -> dict[str, Any] | None:
        watch = threading.Timer(within_s, self.process.kill)
        watch.start()
        try:
            line = self.answers.readline(MB)
        finally:
            watch.cancel()
        return json.loads(line) if line.endswith(b"\n") else None

    def image(self, shape: tuple[int, int, int]) -> io.Image:
        """Return the pixels of the picture that was answered with."""
        size = int(np.prod(shape))
        if self.block is None:
            return np.frombuffer(bytearray(self.answers.read(size)), np.uint8).reshape(shape)
        image = np.frombuffer(self.block, np.uint8, size).reshape(shape).copy()
        return image

    def forget(self) -> None:
        """Give back what the block has beyond what is kept."""
        if self.block is not None:
            self.block.madvise(mmap.MADV_REMOVE, KEPT_MB * MB, BLOCK_BYTES - KEPT_MB * MB)

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        with suppress(BrokenPipeError):
            self.errands.close()
        self.answers.close()


class Workers:
    """A pool of at most `at_once` workers, started as they are needed. For any number of threads."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = threading.Semaphore(at_once)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()

    def measure(self, data: bytes) -> Measured:
        """Return how large a picture is; of what is none, it has no pixels."""
        try:
            answer = self._ask(data, None, MEASURING_MB + 2 * len(data) / MB, MEASURING_SECONDS)
        except ImageError:
            return Measured(0, 0.0)
        width, height = answer["wh"]
        return Measured(width * height, min(answer["memory_mb"], MEMORY_MB))

    def decode_at_least(
        self, source: bytes | Path, long_side_px: int, memory_mb: float = MEMORY_MB
    ) -> Decoded:
        """Return what `io.decode_at_least` does, decoded by a worker.

        Raises `ImageError` as that does, and for a picture that takes more than `memory_mb`, or longer than
        `SECONDS` of computing.
        """
        data = source if isinstance(source, bytes) else io.read(source)
        if len(data) > io.MAX_BYTES:
            raise ImageError(io.TOO_MANY_BYTES)
        answer = self._ask(data, long_side_px, memory_mb, SECONDS)
        width, height = answer["whole_wh"]
        return Decoded(answer["image"], (width, height), tuple(answer["notes"]))

    def decode(self, source: bytes | Path) -> io.Image:
        """Return what `io.decode` does, decoded by a worker."""
        return self.decode_at_least(source, io.MAX_PIXELS).image

    def _ask(
        self, data: bytes, long_side_px: int | None, memory_mb: float, seconds: float
    ) -> dict[str, Any]:
        with self._free:
            worker = self._take()
            sound = False
            try:
                answer = worker.ask(data, long_side_px, memory_mb, seconds)
                if answer is not None and "shape" in answer:
                    answer["image"] = worker.image(answer["shape"])
                sound = answer is not None
            finally:
                self._put_back(worker, sound)
        if answer is None or answer.get("too_much"):
            raise ImageError(TOO_MUCH)
        if "error" in answer:
            raise ImageError(answer["error"])
        return answer

    def _take(self) -> Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Worker()

    def _put_back(self, worker: Worker, sound: bool) -> None:
        if sound:
            worker.forget()
            with self._lock:
                self._idle.append(worker)
            return
        worker.end()
        new = Worker()
        with self._lock:
            self._idle.insert(0, new)  # to be taken last, as it needs a moment

    def close(self) -> None:
        """End all workers that have nothing to do."""
        with self._lock:
            while self._idle:
                self._idle.pop().end()


_shared: dict[int, Workers] = {}


def shared() -> Workers:
    """Return the workers of this process, which all of it shares; they end with it."""
    process = os.getpid()  # a fork's own, as two cannot talk to the same
    if process not in _shared:
        _shared[process] = Workers()
        atexit.register(_shared[process].close)
    return _shared[process]
