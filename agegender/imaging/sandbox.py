"""The process that decodes untrusted bytes: started by `workers`, with limits, and serving requests.

Each request on stdin and each answer on stdout is a line of JSON. Bytes and pixels are in memory shared by
both processes, where the system has it, or otherwise follow their lines.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import signal
from collections.abc import Sequence
from io import BufferedReader, BufferedWriter
from typing import Any

import numpy as np
import PIL.Image

from agegender import runtime
from agegender.errors import ImageError
from agegender.imaging import color, io
from agegender.imaging.shared_memory import KEPT_BYTES
from agegender.types import Image

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MB = 2**20
MOST_MB = 380
"""Maximum memory for one picture, including its pixels, whatever it claims."""

OPENING_MB, OPENING_SECONDS = 80, 0.5
"""Limits for reading a file's header: memory on top of twice its bytes, and seconds of CPU time."""

SPARE_MB, SLACK_MB = 16, 64
"""Decoding overhead for tables, tiles and metadata, and the additional margin of the limit.

The limit applies to address space, of which decoders' threads take more than of memory.
"""

LOADING = {"TIFF": 9, "HEIF": 9, "WEBP": 16, "AVIF": 16}
"""Maximum bytes per pixel in decoders and Pillow: otherwise 4, and up to 10 in progressive JPEGs."""

SECONDS, SECONDS_A_MEGAPIXEL = 1.0, {"HEIF": 0.05, "JPEG": 0.02, "MPO": 0.02, "BMP": 0.01}
"""CPU time limits: several times what legitimate pictures take. JPEGs may be decoded twice."""


class Sandbox:
    """Serves requests until there are no more. Each names one of the shared `blocks`, if there are any."""

    def __init__(
        self, errands: BufferedReader, answers: BufferedWriter, blocks: Sequence[mmap.mmap] = ()
    ) -> None:
        self.errands, self.answers, self.blocks = errands, answers, blocks
        self.block: mmap.mmap | None = None
        self.own_bytes = 0

    def serve(self) -> None:
        """Report readiness, then answer one request after another."""
        color.new_image = self.new_image
        self.answer({"ready": True})
        for line in self.errands:
            errand = json.loads(line)
            self.block = self.blocks[errand["block"]] if self.blocks else None
            self.own_bytes = address_space_bytes()
            try:
                self.do(self.received(errand["bytes"]), errand["long_side_px"], errand["memory_mb"])
            except (ImageError, MemoryError) as error:
                self.unlimit()
                self.answer({"error": str(error), "too_much": ran_out_of_memory(error)})

    def do(self, data: bytes, long_side_px: int | None, memory_mb: float) -> None:
        """Answer with a picture or, without a long side, with its size and the memory that decoding takes."""
        is_webp = data.startswith(b"RIFF")  # its decoder allocates the whole canvas on opening
        self.limit(MOST_MB if is_webp else OPENING_MB + 2 * len(data) / MB, OPENING_SECONDS)
        found = measured(data)
        if long_side_px is None:
            self.unlimit()
            self.answer({"pixels": found.pixels, "memory_mb": found.memory_mb})
            return
        if found.memory_mb > memory_mb and memory_mb < MOST_MB:
            raise MemoryError
        self.limit(min(found.memory_mb + SLACK_MB, MOST_MB), found.seconds)
        try:
            decoded = io.decode_at_least(data, long_side_px)
        except ImageError as error:
            if (
                found.memory_mb > MOST_MB and str(error) == io.DAMAGED
            ):  # how libraries report a lack of memory
                raise MemoryError from error
            raise
        self.unlimit()
        large = decoded.image.nbytes > KEPT_BYTES or len(data) > KEPT_BYTES
        head = {"shape": decoded.image.shape, "whole_wh": decoded.whole_wh, "notes": decoded.notes}
        body = self.in_block(decoded.image)
        del decoded, data
        if large:
            runtime.give_back()
        self.answer(head, body)

    def received(self, size: int) -> bytes:
        """Receive the bytes of a file."""
        if self.block is None:
            return self.errands.read(size)
        data = self.block[:size]
        if size > KEPT_BYTES:
            self.block.madvise(mmap.MADV_REMOVE, 0, size)
        return data

    def new_image(self, shape: tuple[int, int, int]) -> Image:
        """Allocate pixels, in the shared block if there is one; otherwise they count against the limit."""
        if self.block is None:
            return np.empty(shape, np.uint8)
        size = int(np.prod(shape))
        if address_space_bytes() - self.own_bytes + size > MOST_MB * MB:
            raise MemoryError
        self.limit(MOST_MB - size / MB, None)
        return np.frombuffer(self.block, np.uint8, size).reshape(shape)

    def in_block(self, image: Image) -> memoryview | bytes:
        """Make sure that the image is in the block, and return what has to be sent: then nothing."""
        if self.block is None:
            return np.ascontiguousarray(image).data.cast("B")
        pixels = np.frombuffer(self.block, np.uint8, image.nbytes).reshape(image.shape)
        if image.ctypes.data != pixels.ctypes.data or not image.flags.c_contiguous:
            pixels[:] = image
        return b""

    def answer(self, head: dict[str, Any], body: memoryview | bytes = b"") -> None:
        """Send an answer, and any bytes after it."""
        self.answers.write(json.dumps(head).encode() + b"\n")
        self.answers.write(body)
        self.answers.flush()

    def limit(self, memory_mb: float, seconds: float | None) -> None:
        """Limit this process's memory from now on, and kill it after so much CPU time.

        Each only as far as the system supports it.
        """
        if resource and self.own_bytes:
            with contextlib.suppress(ValueError, OSError):
                most = self.own_bytes + int(memory_mb * MB)
                resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        if seconds is not None and hasattr(signal, "setitimer"):
            signal.setitimer(
                signal.ITIMER_PROF, seconds
            )  # its signal kills the process, in whatever library it is

    def unlimit(self) -> None:
        """Remove both limits."""
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)
        if resource and self.own_bytes:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Measured:
    """Pixels a picture claims to have, 0 if unknown, and what decoding it at full size takes."""

    def __init__(self, pixels: int, loading: float, a_megapixel: float, file_bytes: int) -> None:
        self.pixels = pixels
        self.memory_mb = SPARE_MB + (max(loading, 7) * pixels + 2 * file_bytes) / MB
        self.seconds = SECONDS + a_megapixel * min(pixels, io.MAX_PIXELS) / 1e6


def measured(data: bytes) -> Measured:
    """Read a file's header."""
    try:
        with io.opened(data) as picture:
            kind = picture.format or ""
            loading: float = LOADING.get(kind, 4)
            if picture.info.get("progressive"):  # all coefficients are held, of 2 bytes each
                loading += 2 * sum(picture_parts(picture))
            pixels = picture.width * picture.height
            return Measured(pixels, loading, SECONDS_A_MEGAPIXEL.get(kind, 0.03), len(data))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as for `decode`, which reports what is wrong
        return Measured(0, 0, 0, len(data))


def picture_parts(picture: PIL.Image.Image) -> list[float]:
    """Fraction of the pixels in each component of a JPEG."""
    parts: list[float] = [layer[1] * layer[2] for layer in getattr(picture, "layer", [])]
    return [part / max(parts) for part in parts]


def ran_out_of_memory(error: BaseException | None) -> bool:
    """Return whether a lack of memory is behind an error, as far as libraries say so."""
    while error:
        if isinstance(error, MemoryError) or str(error).lower().endswith(("memory", "memory error", "-9")):
            return True
        error = error.__cause__ or error.__context__
    return False


def address_space_bytes() -> int:
    """Address space of this process in bytes; 0 where the system does not report and limit it."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


def main(fds: Sequence[int], block_bytes: int) -> None:
    """Serve the parent process until it closes stdin or exits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is for the parent
    errands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    io.register_heif()
    PIL.Image.init()
    runtime.keep_no_large_blocks()
    if resource:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would put somebody's picture on disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # output of libraries is not an answer, and may reveal something about pictures
        os.dup2(nothing, stream)
    Sandbox(errands, answers, [mmap.mmap(fd, block_bytes) for fd in fds]).serve()
