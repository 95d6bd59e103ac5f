"""The process in which untrusted bytes become pixels: what `workers` starts, with its limits and its errands.

On stdin comes an errand, a line of JSON, and on stdout goes an answer, one too. Bytes and pixels lie in a block of
memory that both processes see, where the system has such, or else follow their lines.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import signal
import sys
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from typing import Any

import numpy as np
import PIL.Image

from agegender import runtime
from agegender.errors import ImageError
from agegender.imaging import io

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MB = 2**20
KEPT_MB = 12
"""So much of the block is kept for the next picture: fresh memory costs half a millisecond a megabyte."""

SPARE_MB = 32
"""What decoding takes beside the picture: tables, tiles, metadata."""

LOADING = {"TIFF": 9, "HEIF": 12, "WEBP": 16, "AVIF": 16}
"""Bytes a pixel that decoders hold at most; of the others it is less than the 7 of converting (4 and 3)."""

PROGRESSIVE = 6
"""Bytes a pixel beside the 4 that a progressive JPEG has in coefficients; 3 where colour has half the resolution."""


class Sandbox:
    """Does errands until there are no more. `block` is the shared memory, None where there is none."""

    def __init__(self, errands: BufferedReader, answers: BufferedWriter, block: mmap.mmap | None) -> None:
        self.errands, self.answers, self.block = errands, answers, block
        self.own_bytes = address_space_bytes()

    def serve(self) -> None:
        """Say that it is ready, and then answer one errand after the other."""
        self.answer({"ready": True})
        for line in self.errands:
            errand = json.loads(line)
            data = self.received(errand["bytes"])
            try:
                with limited(self.own_bytes + int(errand["memory_mb"] * MB), errand["seconds"]):
                    self.do(data, errand["long_side_px"])
            except ImageError as error:
                self.answer({"error": str(error), "too_much": ran_out_of_memory(error)})
            except MemoryError:
                self.answer({"error": "", "too_much": True})
            if len(data) > KEPT_MB * MB:
                del data
                runtime.give_back()

    def do(self, data: bytes, long_side_px: int | None) -> None:
        """Answer with a picture, or where no side is given with its size and what memory it needs."""
        if long_side_px is None:
            self.answer(measured(data))
            return
        found = io.decode_at_least(data, long_side_px)
        image, size = found.image, found.image.nbytes
        head = {"shape": image.shape, "whole_wh": found.whole_wh, "notes": found.notes}
        if self.block is None:
            self.answer(head, image.data.cast("B"))
            return
        np.frombuffer(self.block, np.uint8, size)[:] = image.ravel()
        del image, found
        if size > KEPT_MB * MB:
            runtime.give_back()  # before it is taken out of the block
        self.answer(head)

    def received(self, size: int) -> bytes:
        if self.block is None:
            return self.errands.read(size)
        data = self.block[:size]
        if size > KEPT_MB * MB:
            self.block.madvise(mmap.MADV_REMOVE, 0, size)
        return data

    def answer(self, head: dict[str, Any], body: memoryview | bytes = b"") -> None:
        self.answers.write(json.dumps(head).encode() + b"\n")
        self.answers.write(body)
        self.answers.flush()


def measured(data: bytes) -> dict[str, Any]:
    """Return the upright or stored width and height of a picture and the MB that decoding it whole takes.

    A picture of which nothing can be said has no pixels: decoding it says why.
    """
    try:
        with io.opened(data) as picture:
            pixels = picture.width * picture.height
            a_pixel = LOADING.get(picture.format or "", 7)
            if picture.info.get("progressive"):
                layers = getattr(picture, "layer", [])
                halved = len({layer[1:3] for layer in layers}) > 1
                a_pixel = 4 + (PROGRESSIVE // 2 if halved or len(layers) == 1 else PROGRESSIVE)
            needs_mb = SPARE_MB + (a_pixel * pixels + 2 * len(data)) / MB
            return {"wh": picture.size, "memory_mb": needs_mb}
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as for `decode`, which says what is wrong
        return {"wh": (0, 0), "memory_mb": SPARE_MB + 2 * len(data) / MB}


@contextlib.contextmanager
def limited(address_space_bytes: int, seconds: float) -> Iterator[None]:
    """Bound, for `with`, the memory of this process, and end it when it has computed for so long.

    Each as far as the system can.
    """
    if resource:
        with contextlib.suppress(ValueError, OSError):  # macOS takes no such limit
            resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, resource.RLIM_INFINITY))
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # whose signal ends a process, in whatever library it is
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)
        if resource:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def ran_out_of_memory(error: BaseException | None) -> bool:
    """Return whether that is behind an error, as far as libraries tell."""
    while error:
        if isinstance(error, MemoryError) or "memory" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def address_space_bytes() -> int:
    """Return what this process has of it now, 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


def main(block_fd: int, block_bytes: int) -> None:
    """Serve whoever started this process, until they close stdin or end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which is meant for them
    errands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    io.register_heif()
    PIL.Image.init()
    runtime.keep_no_large_blocks()
    if resource:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # which would be somebody's picture, on the disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what libraries print is no answer, and tells of pictures
        os.dup2(nothing, stream)
    block = mmap.mmap(block_fd, block_bytes) if block_fd >= 0 else None
    Sandbox(errands, answers, block).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
