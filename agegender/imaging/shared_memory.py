"""Memory shared with workers: a file goes in, and its pixels come out."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

from agegender.errors import ImageError
from agegender.imaging import io

BLOCK_BYTES = max(io.MAX_BYTES, 3 * io.MAX_PIXELS) // mmap.PAGESIZE * mmap.PAGESIZE
"""Capacity of a shared block, which uses memory only for its content."""

KEPT_BYTES = 12 * 2**20
"""Part of a block kept for the next picture: fresh memory costs half a millisecond per megabyte."""


class Block:
    """Memory that this process shares with all its workers."""

    def __init__(self) -> None:
        # Unlike /dev/shm, which is 64 MB in containers, it has room; and nothing has a name.
        self.fd = os.memfd_create("agegender")
        os.ftruncate(self.fd, BLOCK_BYTES)
        self.memory = mmap.mmap(self.fd, BLOCK_BYTES)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def fill(self, source: bytes | Path) -> int:
        """Put a file into the block and return its size; raises `ImageError` if that fails."""
        if isinstance(source, Path):
            with io.reading(source) as file, memoryview(self.memory) as memory:
                return file.readinto(memory)  # type: ignore[attr-defined, no-any-return]
        if len(source) > io.MAX_BYTES:
            raise ImageError(io.TOO_MANY_BYTES)
        self.memory[: len(source)] = source
        return len(source)

    def trim(self) -> None:
        """Release everything above `KEPT_BYTES`."""
        self.memory.madvise(mmap.MADV_REMOVE, KEPT_BYTES, BLOCK_BYTES - KEPT_BYTES)


class Lent:
    """A picture's pixels in a block, as the base of arrays: in use as long as any of these exists."""

    def __init__(self, block: Block, shape: tuple[int, ...]) -> None:
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "shape": shape,
            "data": (block.address, False),
        }
