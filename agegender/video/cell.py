"""Entry point of a video's process: python -m agegender.video.cell, started by `agegender.video.apart`."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import IO, Any

from agegender import runtime
from agegender.analyzer import build_analyzer
from agegender.errors import AgeGenderError
from agegender.imaging.sandbox import address_space_bytes
from agegender.video import limits, messages
from agegender.video.annotate import annotate_video
from agegender.video.apart import TOO_MUCH
from agegender.video.container import MAX_FRAMES, Source
from agegender.video.reader import pixels_of

EVERY_S = 0.2
"""Interval between progress messages."""

PIECE_BYTES = 1 << 20
PREVIEW_PX = 720

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Remote(io.RawIOBase):
    """A file in the memory of the parent process, which is asked for it piece by piece."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._pipes = stdin, stdout
        self._at = 0
        self.size = self._size()

    def readable(self) -> bool:
        """True: it can be read."""
        return True

    def seekable(self) -> bool:
        """True: it can be rewound."""
        return True

    def tell(self) -> int:
        """Position of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError("no such place in the file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes into `buffer`; return their number."""
        data = self._ask(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _ask(self, at: int, length: int) -> bytes:
        stdin, stdout = self._pipes
        messages.send(stdout, {"kind": "read", "at": at, "length": length})
        return messages.receive(stdin)[1]

    def _size(self) -> int:
        stdin, stdout = self._pipes
        messages.send(stdout, {"kind": "size"})
        return int(messages.receive(stdin)[0]["size"])


def main() -> None:
    """Read a job, do it, and report progress."""
    stdin, stdout = _pipes()
    _end_with_parent()
    try:
        job, _ = messages.receive(stdin)
        _work(job, stdin, stdout)
    except AgeGenderError as error:
        messages.send(stdout, {"kind": "error", "text": str(error)})
    except MemoryError:
        messages.send(stdout, {"kind": "error", "text": TOO_MUCH})
    except (BrokenPipeError, EOFError):  # the parent is gone
        os._exit(1)
    except Exception:  # noqa: BLE001 - told in the log; whoever waits gets words
        traceback.print_exc()
        messages.send(stdout, {"kind": "error", "text": TOO_MUCH})


def _work(job: dict[str, Any], stdin: IO[bytes], stdout: IO[bytes]) -> None:
    runtime.keep_no_large_blocks()
    analyzer = build_analyzer(*job["names"])
    source: Source
    if job["source"]:
        source = Path(job["source"])
        size = source.stat().st_size if source.is_file() else 0
    else:
        remote = Remote(stdin, stdout)
        source, size = io.BufferedReader(remote, PIECE_BYTES), remote.size
    before = address_space_bytes()
    limits.limit_memory(before, 0)
    limits.limit_step()
    pixels = pixels_of(source)
    limits.limit_memory(before, pixels)
    limits.limit_whole(size, pixels, MAX_FRAMES)
    told_s = 0.0
    for step in annotate_video(source, Path(job["target"]), analyzer, messages.options_of(job["options"])):
        limits.limit_step()
        if step.people is not None or time.monotonic() - told_s >= EVERY_S:
            finer = max(1, max(step.picture.shape) // PREVIEW_PX)
            messages.send(stdout, *messages.progress_message(step, finer))
            told_s = time.monotonic()
        del step  # and its picture, before there is another


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes to read from and write to; output of libraries goes to stderr from now on."""
    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return stdin, stdout


def _end_with_parent() -> None:
    """Have the system kill this process when its parent ends, where possible."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
