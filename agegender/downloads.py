"""One file from where it is published into a folder: verified, never half, and never waited for in vain."""

from __future__ import annotations

import errno
import logging
import math
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from agegender.errors import ModelError

if TYPE_CHECKING:
    from requests import Response

Progress = Callable[[str, int, int], None]
"""Is told the file's name, the bytes that are here and the bytes there will be, in the caller's thread."""

SILENCE_S = 4.5
"""The seconds without news after which a download is given up, all within five; its servers share them."""

RETRY_AFTER_S = 600.0
"""The seconds for which a failed download is not tried again."""

# What counts as news: so much, or the file's end. A line slower than 13 kB a second is as good as silent, as
# a visitor waits. (requests hands over whole chunks only.)
CHUNK_BYTES = 65_536

UNFINISHED = ".agegender-unfinished-"
"""How the folders begin in which downloads lie until they are complete and verified."""

ABANDONED_AFTER_S = 60.0
"""A download that is still going on writes every few seconds; one that has not for so long was killed."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
# What writing a file says, and no network does.
_DISK = (*_FULL, errno.EFBIG, errno.EROFS, errno.EIO)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is wanted in `folder`; `sources` are URLs and paths of files, asked in this order."""

    name: str
    sha256: str
    bytes: int
    sources: tuple[str, ...]
    folder: Path


class _SourceError(Exception):
    """What is wrong with one source, in words that follow its name."""


_failures: dict[Download, tuple[float, str]] = {}


def is_url(source: str) -> bool:
    """Return whether a source is to be asked over the network."""
    return source.lower().startswith(("http://", "https://"))


def download(wanted: Download, progress: Progress | None = None, *, retry: bool = False) -> None:
    """Put the file into its folder, in place of whatever has its name, once its SHA-256 is right.

    Raises `ModelError`, and leaves nothing behind, when no source has the file or the folder cannot take
    it. That is remembered: for `RETRY_AFTER_S` the same is said again at once, unless `retry` is set.
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
    """Remove from a folder what downloads have left there whose process was killed."""
    for place in folder.glob(f"{UNFINISHED}*"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (place, *place.iterdir()))
            if abs(time.time() - newest) > ABANDONED_AFTER_S:
                shutil.rmtree(place)


def _try_sources(wanted: Download, progress: Progress | None) -> None:
    import pooch  # here, as it takes a while and is seldom needed

    pooch.get_logger().setLevel(logging.WARNING)  # errors are told by ours, and bars show the rest
    silence_s = SILENCE_S / max(1, sum(map(is_url, wanted.sources)))
    reasons = []
    for source in wanted.sources:
        downloader = partial(_receive, wanted=wanted, silence_s=silence_s, progress=progress)
        try:
            wanted.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(
                prefix=UNFINISHED, dir=wanted.folder, ignore_cleanup_errors=True
            ) as place:
                found = pooch.retrieve(source, wanted.sha256, wanted.name, place, downloader=downloader)
                Path(found).replace(wanted.folder / wanted.name)
            return
        except _SourceError as error:
            reasons.append(f"{_place(source)} {error}")
        except ValueError:  # so pooch says that the sum is wrong
            reasons.append(f"{_place(source)} has a damaged or different file under this name")
        except OSError as error:
            raise ModelError(_disk_message(error, wanted)) from error
    raise ModelError(
        f"{wanted.name} could not be fetched: {'; '.join(reasons)}. Check the network connection and try "
        "again, or get the file elsewhere and set AGEGENDER_MIRROR to the folder that it lies in."
    )


def _receive(
    source: str, output_file: str, _: object, *, wanted: Download, silence_s: float, progress: Progress | None
) -> None:
    """Write a source to pooch's temporary file, or raise `_SourceError`, or `OSError` for a full disk.

    A thread does the talking, as no timeout of a socket holds for looking up a name. When it is given up,
    it is left with a closed file and cannot put anything anywhere any more.
    """
    with Path(output_file).open("wb") as sink:
        sending = _in_background(partial(_send, source, sink, timeout_s=2 * silence_s))
        received, heard_at = 0, time.monotonic()
        while not wait([sending], timeout=min(0.1, silence_s / 4)).done:
            if (position := sink.tell()) > received:
                received, heard_at = position, time.monotonic()
            if progress is not None:
                progress(wanted.name, min(received, wanted.bytes), wanted.bytes)
            if received > wanted.bytes:
                raise _SourceError("has a larger file under this name")
            if time.monotonic() - heard_at > silence_s:
                how = "fell silent" if received else "did not answer"
                raise _SourceError(f"{how} for {silence_s:g} seconds")
        sending.result()
    Path(output_file).chmod(0o644)  # a cache may be filled by one user for another
    if progress is not None:
        progress(wanted.name, wanted.bytes, wanted.bytes)


def _in_background(task: Callable[[], None]) -> Future[None]:
    """Run the task in a thread that a process need not wait for when it ends."""
    future: Future[None] = Future()

    def work() -> None:
        try:
            task()
            future.set_result(None)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the future is read
            future.set_exception(error)

    Thread(target=work, name="agegender-download", daemon=True).start()
    return future


def _send(source: str, sink: BinaryIO, *, timeout_s: float) -> None:
    import pooch

    try:
        if not is_url(source):
            with Path(source).open("rb") as stream:
                shutil.copyfileobj(stream, sink)
            return
        with ExitStack() as responses:  # pooch closes none, and one cut short would keep its socket

            def keep(response: Response, **_: object) -> None:
                responses.callback(response.close)

            http = pooch.HTTPDownloader(chunk_size=CHUNK_BYTES, timeout=timeout_s, hooks={"response": keep})
            http(source, sink, None)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors, and some are ValueErrors
        if getattr(error, "errno", None) in _DISK:
            raise
        raise _SourceError(_plain(error)) from error


def _plain(error: Exception) -> str:
    """Return what happened, for a person; `error` comes from requests or from opening a file."""
    from requests import exceptions  # here, as it takes a while and is seldom needed

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"answered with status {error.response.status_code}"
    if isinstance(error, exceptions.SSLError):
        return "has no certificate that this machine trusts"
    if isinstance(error, exceptions.TooManyRedirects | exceptions.InvalidSchema | exceptions.InvalidURL):
        return "sends on to where nothing can be fetched"
    if isinstance(error, exceptions.ConnectionError | exceptions.Timeout):
        return "could not be reached"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "broke off half-way"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "does not have it"
    return f"could not be read ({error})"


def _place(source: str) -> str:
    return urlsplit(source).netloc if is_url(source) else str(Path(source).parent)


def _disk_message(error: OSError, wanted: Download) -> str:
    if error.errno in _FULL:
        return (
            f"The disk is full: {wanted.folder} has no room for {wanted.name} ({wanted.bytes / 1e6:.1f} MB). "
            "Free some space, or set AGEGENDER_CACHE to a folder on another disk."
        )
    return (
        f"{wanted.name} could not be written to {wanted.folder} ({error.strerror or error}). Make that "
        "folder writable, or set AGEGENDER_CACHE to one that is."
    )
