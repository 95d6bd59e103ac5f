"""Memory that this process and its workers both see: a file goes in, and the pixels come out."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

from agegender.errors import ImageError
from agegender.imaging import io

BLOCK_BYTES = max(io.MAX_BYTES, 3 * io.MAX_PIXELS) // mmap.PAGESIZE * mmap.PAGESIZE
"""What fits into a block of shared memory. It takes only what is in it."""

KEPT_BYTES = 12 * 2**20
"""So much of a block is kept for the next picture: fresh memory costs half a millisecond a megabyte."""


class Block:
    """Memory that this process shares with all its workers."""

    def __init__(self) -> None:
        # Unlike in /dev/shm, which in containers is 64 MB, there is room; and nothing has a name.
        self.fd = os.memfd_create("agegender")
        os.ftruncate(self.fd, BLOCK_BYTES)
        self.memory = mmap.mmap(self.fd, BLOCK_BYTES)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def fill(self, source: bytes | Path) -> int:
        """Put a file into it and return its size; raises `ImageError` where that cannot be."""
        if isinstance(source, Path):
            with io.reading(source) as file, memoryview(self.memory) as memory:
                return file.readinto(memory)  # type: ignore[attr-defined, no-any-return]
        if len(source) > io.MAX_BYTES:
            raise ImageError(io.TOO_MANY_BYTES)
        self.memory[: len(source)] = source
        return len(source)

    def trim(self) -> None:
        """Give back what is more than is kept."""
        self.memory.madvise(mmap.MADV_REMOVE, KEPT_BYTES, BLOCK_BYTES - KEPT_BYTES)


class Lent:
    """The pixels of a picture in a block, as the base of arrays: it is in use as long as any of them is."""

    def __init__(self, block: Block, shape: tuple[int, ...]) -> None:
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "shape": shape,
            "data": (block.address, False),
        }
