"""Download a file: verified, never partial, and with a deadline.

pooch and requests do the work. Added here: a deadline, which neither has for name resolution or a trickling
server; a memory of failures; and errors in plain words.
"""

from __future__ import annotations

import errno
import logging
import math
import shutil
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from agegender.errors import ModelError
from agegender.models.manifest import is_url
from agegender.runtime import in_thread

if TYPE_CHECKING:
    from requests import Response

Progress = Callable[[str, int, int], None]
"""Called in the caller's thread with the file's name, the bytes received and its size."""

SILENCE_S = 4.5
"""Seconds of silence after which a download is abandoned, shared by its servers: five in all."""

CHUNK_BYTES = 65_536
"""Minimum progress. A connection slower than 13 kB/s counts as silent, because a visitor is waiting."""

RETRY_AFTER_S = 600.0
"""How long a failed download is not retried."""

UNFINISHED = ".agegender-unfinished-"
"""Prefix of the folders that hold downloads until they are complete and verified."""

ABANDONED_AFTER_S = 60.0
"""A live download writes every few seconds; one that has not for this long was killed."""

FULL = (errno.ENOSPC, errno.EDQUOT)
DISK = (*FULL, errno.EFBIG, errno.EROFS, errno.EIO)
"""Error numbers that come from writing a file and never from the network."""

ASTRAY = "redirects to an address that cannot be fetched"
REASONS = {
    "SSLError": "has no certificate that this machine trusts",
    "ChunkedEncodingError": "broke off halfway",
    "TooManyRedirects": ASTRAY,
    "InvalidSchema": ASTRAY,
    "InvalidURL": ASTRAY,
    "ConnectionError": "could not be reached",
    "Timeout": "could not be reached",
    "FileNotFoundError": "does not have it",
    "NotADirectoryError": "does not have it",
}
"""Explanations of errors from requests and from opening a file, by class name."""


class SourceError(Exception):
    """What is wrong with one source, worded to follow its name."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file wanted in `folder`; `sources` are URLs and paths, tried in order."""

    name: str
    sha256: str
    bytes: int
    sources: tuple[str, ...]
    folder: Path


_failures: dict[Download, tuple[float, str]] = {}


def download(wanted: Download, progress: Progress | None = None, *, retry: bool = False) -> None:
    """Download the file into its folder, replacing any of that name, once its SHA-256 is verified.

    Raises `ModelError`, and leaves nothing behind, if no source has the file or it cannot be saved. The
    failure is remembered: for `RETRY_AFTER_S` it is raised again at once, unless `retry` is set.
    """
    failed_at, message = _failures.get(wanted, (-math.inf, ""))
    if not retry and time.monotonic() - failed_at < RETRY_AFTER_S:
        raise ModelError(message)
    try:
        _try_sources(wanted, progress)
    except ModelError as error:
        _failures[wanted] = time.monotonic(), str(error)
        raise
    _failures.pop(wanted, None)


def sweep(folder: Path) -> None:
    """Remove what killed downloads have left in a folder."""
    try:
        left = [place for place in folder.iterdir() if place.name.startswith(UNFINISHED)]
    except OSError:  # missing or unreadable: the next step reports it
        return
    for place in left:
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (place, *place.iterdir()))
            if abs(time.time() - newest) > ABANDONED_AFTER_S:
                shutil.rmtree(place)


def _try_sources(wanted: Download, progress: Progress | None) -> None:
    import pooch  # lazy: slow to import and seldom needed

    pooch.get_logger().setLevel(logging.WARNING)
    silence_s, reasons = SILENCE_S / max(1, sum(map(is_url, wanted.sources))), []
    receive = partial(_receive, wanted=wanted, silence_s=silence_s, progress=progress)
    for source in wanted.sources:
        place = urlsplit(source).netloc if is_url(source) else Path(source).parent
        try:
            wanted.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(
                prefix=UNFINISHED, dir=wanted.folder, ignore_cleanup_errors=True
            ) as apart:
                found = pooch.retrieve(source, wanted.sha256, wanted.name, apart, downloader=receive)
                Path(found).replace(wanted.folder / wanted.name)
            return
        except SourceError as error:
            reasons.append(f"{place} {error}")
        except ValueError:  # pooch's error for a wrong checksum
            reasons.append(f"{place} has a damaged or different file under this name")
        except OSError as error:
            raise ModelError(_disk_message(error, wanted)) from error
    raise ModelError(
        f"{wanted.name} could not be fetched: {'; '.join(reasons)}. Check the network connection and try "
        "again, or get the file elsewhere and set AGEGENDER_MIRROR to its folder."
    )


def _receive(
    source: str, target: str, _: object, wanted: Download, silence_s: float, progress: Progress | None
) -> None:
    """Write a source to a file; called by pooch. Raises `SourceError`, or `OSError` for a full disk.

    The transfer runs in a thread. Once abandoned, its file is closed and it cannot write anywhere.
    """
    with Path(target).open("wb") as sink:
        sending = in_thread(partial(_send, source, sink, 2 * silence_s), "agegender-download")
        received, heard_at, done = 0, time.monotonic(), False
        while not done:
            done = bool(wait([sending], timeout=min(0.1, silence_s / 4)).done)
            if done:
                sending.result()
            if (position := sink.tell()) > received:
                received, heard_at = position, time.monotonic()
            if received > wanted.bytes:
                raise SourceError("has a larger file under this name")
            if not done and time.monotonic() - heard_at > silence_s:
                how = "fell silent" if received else "did not answer"
                raise SourceError(f"{how} for {silence_s:g} seconds")
            if progress is not None:
                progress(wanted.name, received, wanted.bytes)
    Path(target).chmod(0o644)  # a cache may be filled by one user for another


def _send(source: str, sink: BinaryIO, timeout_s: float) -> None:
    import pooch

    try:
        if not is_url(source):
            with Path(source).open("rb") as stream:
                return shutil.copyfileobj(stream, sink)
        with ExitStack() as responses:  # pooch closes none, so a response cut short would keep its socket

            def keep(response: Response, **_: object) -> None:
                responses.callback(response.close)

            http = pooch.HTTPDownloader(chunk_size=CHUNK_BYTES, timeout=timeout_s, hooks={"response": keep})
            http(source, sink, None)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors, and some are ValueErrors
        if getattr(error, "errno", None) in DISK:
            raise
        raise SourceError(_reason(error)) from error


def _reason(error: Exception) -> str:
    if type(error).__name__ == "HTTPError" and getattr(error, "response", None) is not None:
        return f"answered with status {error.response.status_code}"  # type: ignore[attr-defined]
    known = (REASONS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in REASONS)
    return next(known, f"could not be read ({error})")


def _disk_message(error: OSError, wanted: Download) -> str:
    if error.errno in FULL:
        return (
            f"The disk is full: {wanted.folder} has no room for {wanted.name} ({wanted.bytes / 1e6:.1f} MB). "
            "Free some space, or set AGEGENDER_CACHE to a folder on another disk."
        )
    return (
        f"{wanted.name} could not be written to {wanted.folder} ({error.strerror or error}). Make that "
        "folder writable, or set AGEGENDER_CACHE to one that is."
    )
