"""Worker processes that decode untrusted bytes under limits: few, started once and reused."""

from __future__ import annotations

import atexit
import json
import logging
import math
import os
import subprocess
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agegender.errors import ImageError
from agegender.imaging import io
from agegender.imaging.io import Decoded
from agegender.imaging.sandbox import MB, MOST_MB
from agegender.imaging.shared_memory import BLOCK_BYTES, Block, Lent
from agegender.types import Image

LOG = logging.getLogger(__name__)

AT_ONCE = 3
"""Maximum number of processes: while two have a bomb each, the third serves."""

LENT_AT_ONCE = 3
"""Maximum number of large pictures in shared memory while in use; further ones are copied."""

LENT_FROM_BYTES = 2 * MB
"""Smaller pictures are copied, which takes less time than a second block."""

ANSWER_S, START_S = 30.0, 60.0
"""Time limits for an answer and for starting, after which a process is killed; the CPU limit acts sooner."""

TOO_MUCH = (
    "The picture takes more memory or time to read than a picture should. "
    "Save it anew, as JPEG for example, and try again."
)
NOT_STARTED = "No picture can be read, as the process that decodes them does not start. The log says more."

PASSED_ON = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")
"""Environment variables passed to the processes: no secrets."""

FRUGAL = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

# Not `multiprocessing`, which would run the main module again: a Streamlit page, or anybody's program.
START = "import json, sys; path, *rest = json.loads(sys.argv[1]); sys.path[:] = path; "
START += "from agegender.imaging.sandbox import main; main(*rest)"


class TooMuchError(ImageError):
    """A picture that takes more memory or time to read than a picture should."""

    def __init__(self) -> None:
        super().__init__(TOO_MUCH)


class NotStartedError(ImageError):
    """No worker started: that says nothing about the picture."""

    def __init__(self) -> None:
        super().__init__(NOT_STARTED)


class Measured(NamedTuple):
    """Pixels a picture claims to have, 0 if it is none, and the MB that decoding it at full size takes."""

    pixels: int
    memory_mb: float


class Worker:
    """A decoding process. For one thread at a time."""

    def __init__(self, fds: list[int]) -> None:
        arguments = json.dumps([sys.path, fds, BLOCK_BYTES])
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | FRUGAL
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            pass_fds=fds,
        )
        assert self.process.stdin and self.process.stdout
        self.errands, self.answers = self.process.stdin, self.process.stdout
        self.ready = False

    def ask(self, errand: dict[str, Any], data: bytes = b"") -> dict[str, Any] | None:
        """Send a request and return the answer; None if the process died.

        Raises `NotStartedError` if it never started.
        """
        if not self.ready:
            self.ready = self._answer(START_S) is not None
            if not self.ready:
                LOG.error("The process that decodes pictures ended with %s", self.process.wait())
                raise NotStartedError
        with suppress(BrokenPipeError):
            self.errands.write(json.dumps(errand).encode() + b"\n" + data)
            self.errands.flush()
        return self._answer(ANSWER_S)

    def _answer(self, within_s: float) -> dict[str, Any] | None:
        watch = threading.Timer(within_s, self.process.kill)
        watch.start()
        try:
            line = self.answers.readline(MB)
        finally:
            watch.cancel()
        try:
            answer = json.loads(line)
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None

    def end(self) -> None:
        """Kill the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            self.errands.close()
        self.answers.close()


class Workers:
    """At most `at_once` workers, started on demand. For any number of threads."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._turns = threading.Semaphore(at_once)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._started = False
        shares = hasattr(os, "memfd_create")
        self.blocks = [Block() for _ in range(at_once + LENT_AT_ONCE)] if shares else []
        # Without a lock, because blocks are returned whenever the garbage collector runs.
        self._free = deque(range(len(self.blocks)))

    def measure(self, data: bytes) -> Measured:
        """Measure a picture; it has no pixels if it is none, or takes too much."""
        try:
            answer = self._ask(data, None)
        except ImageError:
            return Measured(0, 0.0)
        return Measured(answer["pixels"], min(answer["memory_mb"], MOST_MB))

    def decode_at_least(self, source: bytes | Path, long_side_px: int, memory_mb: float = MOST_MB) -> Decoded:
        """Run `io.decode_at_least` in a worker.

        Raises `ImageError` as that does, and `TooMuchError` for a picture that takes more than `memory_mb`,
        or more memory or time than its header explains.
        """
        answer = self._ask(source, long_side_px, memory_mb)
        width, height = answer["whole_wh"]
        return Decoded(answer["image"], (width, height), tuple(answer["notes"]))

    def decode(self, source: bytes | Path) -> Image:
        """Run `io.decode` in a worker."""
        return self.decode_at_least(source, io.MAX_PIXELS).image

    def start(self) -> None:
        """Start one worker unless there was one, so that the first picture need not wait for it."""
        with self._lock:
            if not self._started:
                self._idle.append(self._new())

    def close(self) -> None:
        """End the idle workers."""
        with self._lock:
            while self._idle:
                self._idle.pop().end()

    def _ask(
        self, source: bytes | Path, long_side_px: int | None, memory_mb: float = MOST_MB
    ) -> dict[str, Any]:
        with self._turns:
            answer = self._asked(source, {"long_side_px": long_side_px, "memory_mb": memory_mb})
        if answer is None or answer.get("too_much"):
            raise TooMuchError
        if "error" in answer:
            raise ImageError(answer["error"])
        return answer

    def _asked(self, source: bytes | Path, errand: dict[str, Any]) -> dict[str, Any] | None:
        if not self.blocks:
            data = source if isinstance(source, bytes) else io.read(source)
            return self._answer({"bytes": len(data), **errand}, data, None)
        number, answer = self._free.popleft(), None
        try:
            size = self.blocks[number].fill(source)
            answer = self._answer({"bytes": size, "block": number, **errand}, b"", number)
            return answer
        finally:
            if not (answer and answer.get("lent")):
                self._give_back(number)

    def _answer(self, errand: dict[str, Any], data: bytes, number: int | None) -> dict[str, Any] | None:
        worker, answer = self._take(), None
        try:
            answer = worker.ask(errand, data)
            if answer and "shape" in answer:
                answer["image"], answer["lent"] = self._image(worker, tuple(answer["shape"]), number)
        finally:
            self._put_back(worker, answer is not None)
        return answer

    def _image(self, worker: Worker, shape: tuple[int, ...], number: int | None) -> tuple[Image, bool]:
        """The pixels of an answer, and whether they are still in the block."""
        if [type(side) for side in shape] != [int] * 3 or min(shape) < 1 or math.prod(shape) > BLOCK_BYTES:
            raise ImageError(io.DAMAGED)  # or worse
        size = math.prod(shape)
        if number is None:
            pixels = bytearray(worker.answers.read(size))  # writable, like all results
            return np.frombuffer(pixels, np.uint8).reshape(shape), False
        lent = Lent(self.blocks[number], shape)
        image = np.asarray(lent)
        if size < LENT_FROM_BYTES or len(self._free) < AT_ONCE:
            return image.copy(), False
        weakref.finalize(lent, self._give_back, number).atexit = False
        return image, True

    def _give_back(self, number: int) -> None:
        self.blocks[number].trim()
        self._free.appendleft(number)

    def _new(self) -> Worker:
        self._started = True
        return Worker([block.fd for block in self.blocks])

    def _take(self) -> Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._new()

    def _put_back(self, worker: Worker, sound: bool) -> None:
        if not sound:
            worker.end()
            worker = self._new()
        with self._lock:  # the newest worker is taken last
            self._idle.insert(len(self._idle) if sound else 0, worker)


_shared: dict[int, Workers] = {}


def shared() -> Workers:
    """The workers shared by this whole process; they end with it."""
    process = os.getpid()  # a fork gets its own, since two processes cannot share the pipes
    if process not in _shared:
        _shared[process] = Workers()
        atexit.register(_shared[process].close)
    return _shared[process]


def decode_at_least(source: bytes | Path, long_side_px: int) -> Decoded:
    """Run `io.decode_at_least` in one of the shared workers."""
    return shared().decode_at_least(source, long_side_px)


def read_image(source: bytes | str | Path) -> Image:
    """Read a picture, given as bytes or a path, as upright RGB uint8 (height, width, 3).

    Of several frames, the first that shows something is used; transparent parts are placed over white. A
    separate process decodes it, with limits on memory and time. Raises `ImageError` for anything but a
    picture of at most 50 megapixels, and for one that takes more resources than a picture should.

    >>> read_image("samples/astronaut.png").shape
    (512, 512, 3)
    """
    return shared().decode(Path(source) if isinstance(source, str) else source)
