"""Process a video in a separate process, so that this one survives whatever a codec does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from agegender.analyzer import Analyzer
from agegender.errors import VideoError
from agegender.video import messages
from agegender.video.annotate import Options, Progress, annotate_video, refuse_existing
from agegender.video.container import Source

TOO_MUCH = (
    "The video takes more memory or time to read than a video should, or breaks the program that reads it. "
    "Save it anew, smaller, and try again."
)

HANDED_ON = (
    *("PATH", "HOME", "USER", "LANG", "LC_", "TMP", "TEMP", "SYSTEMROOT", "APPDATA", "LOCALAPPDATA", "XDG_"),
    *("PYTHON", "LD_", "DYLD_", "ORT_", "OMP_", "AGEGENDER_CACHE", "AGEGENDER_MIRROR", "VIRTUAL_ENV"),
)
"""Prefixes of the environment variables passed to the process. Credentials are not among them."""

ROOT = Path(__file__).parents[2]


def annotate_apart(
    source: Source, target: Path, analyzer: Analyzer, options: Options | None = None
) -> Generator[Progress, None, None]:
    """Run `annotate_video` in another process, with limits on memory and CPU time.

    Progress arrives a few times a second, with a scaled-down picture. If the process ends early, for whatever
    reason, that is a `VideoError`. Closing the iterator kills it at once; without a complete video there is
    no file `target`. An analyzer without `names` cannot be rebuilt there and works in this process.
    """
    if analyzer.names is None:
        yield from annotate_video(source, target, analyzer, options)
        return
    refuse_existing(target)
    job = {
        "source": str(source) if isinstance(source, Path) else None,
        "target": str(target),
        "names": analyzer.names,
        "options": messages.options_object(options or Options()),
    }
    finished = False
    try:
        with _process() as (stdin, stdout):
            messages.send(stdin, job)
            for step in _steps(stdin, stdout, source):
                yield step
                finished = step.people is not None
        if not finished:
            raise VideoError(TOO_MUCH)
    finally:
        if not finished:
            target.unlink(missing_ok=True)


def _steps(stdin: IO[bytes], stdout: IO[bytes], source: Source) -> Iterator[Progress]:
    """Yield the process's progress until it ends, and supply the data it reads."""
    while True:
        try:
            head, body = messages.receive(stdout)
            if head["kind"] in ("read", "size") and not isinstance(source, Path):
                messages.send(stdin, *_piece(source, head))
            elif head["kind"] == "step":
                yield messages.progress_of(head, body)
            else:
                raise VideoError(str(head["text"]))
        except (EOFError, BrokenPipeError):
            return
        except (ValueError, KeyError, TypeError) as error:
            raise VideoError(TOO_MUCH) from error


def _piece(source: IO[bytes], head: dict[str, Any]) -> messages.Message:
    if head["kind"] == "size":
        return {"size": source.seek(0, os.SEEK_END)}, b""
    source.seek(int(head["at"]))
    return {}, source.read(int(head["length"]))


@contextmanager
def _process() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Context manager for the pipes to and from a new process, which is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "agegender.video.cell"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
        start_new_session=True,  # Ctrl+C in a terminal is for the parent, which then ends this one
    )
    assert process.stdin and process.stdout
    try:
        yield process.stdin, process.stdout
        process.stdin.close()
        process.wait()
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    kept = {name: value for name, value in os.environ.items() if name.upper().startswith(HANDED_ON)}
    # Every additional heap would take 64 MB of address space, whatever it contains.
    return kept | {"PYTHONPATH": path, "MALLOC_ARENA_MAX": "2"}
