"""Bytes from a source into a file: never waited for in vain, and what went wrong told in plain words."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from agegender.runtime import in_thread

if TYPE_CHECKING:
    from requests import Response

Progress = Callable[[str, int, int], None]
"""Is told the file's name, the bytes that are here and the bytes there will be, in the caller's thread."""

# What counts as news: so much, or the file's end. A line slower than 13 kB a second is as good as silent, as
# a visitor waits. (requests hands over whole chunks only.)
CHUNK_BYTES = 65_536

LARGER = "has a larger file under this name"

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The numbers of the errors of a full disk."""

# What writing a file says, and no network does.
_DISK = (*FULL, errno.EFBIG, errno.EROFS, errno.EIO)


class SourceError(Exception):
    """What is wrong with one source, in words that follow its name."""


def is_url(source: str) -> bool:
    """Return whether a source is to be asked over the network."""
    return source.lower().startswith(("http://", "https://"))


def receive(
    source: str,
    output_file: str,
    _: object,
    *,
    name: str,
    expected_bytes: int,
    silence_s: float,
    progress: Progress | None,
) -> None:
    """Write a source to a file, or raise `SourceError`, or `OSError` for a full disk.

    It is called as pooch calls what downloads. After `silence_s` seconds without news the source is given up.

    A thread does the talking, as no timeout of a socket holds for looking up a name. When it is given up,
    it is left with a closed file and cannot put anything anywhere any more.
    """
    with Path(output_file).open("wb") as sink:
        sending = in_thread(partial(_send, source, sink, timeout_s=2 * silence_s), "agegender-download")
        received, heard_at = 0, time.monotonic()
        while not wait([sending], timeout=min(0.1, silence_s / 4)).done:
            if (position := sink.tell()) > received:
                received, heard_at = position, time.monotonic()
            if progress is not None:
                progress(name, min(received, expected_bytes), expected_bytes)
            if received > expected_bytes:
                raise SourceError(LARGER)
            if time.monotonic() - heard_at > silence_s:
                how = "fell silent" if received else "did not answer"
                raise SourceError(f"{how} for {silence_s:g} seconds")
        sending.result()
        if sink.tell() > expected_bytes:  # a fast machine may be done before the first look
            raise SourceError(LARGER)
    Path(output_file).chmod(0o644)  # a cache may be filled by one user for another
    if progress is not None:
        progress(name, expected_bytes, expected_bytes)


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
        raise SourceError(_plain(error)) from error


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
