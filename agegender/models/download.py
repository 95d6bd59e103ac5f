"""One file from where it is published into a folder: verified, never half, and never waited for in vain."""

from __future__ import annotations

import logging
import math
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from agegender.errors import ModelError
from agegender.models.http import FULL, Progress, SourceError, is_url, receive

SILENCE_S = 4.5
"""The seconds without news after which a download is given up, all within five; its servers share them."""

RETRY_AFTER_S = 600.0
"""The seconds for which a failed download is not tried again."""

UNFINISHED = ".agegender-unfinished-"
"""How the folders begin in which downloads lie until they are complete and verified."""

ABANDONED_AFTER_S = 60.0
"""A download that is still going on writes every few seconds; one that has not for so long was killed."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is wanted in `folder`; `sources` are URLs and paths of files, asked in this order."""

    name: str
    sha256: str
    bytes: int
    sources: tuple[str, ...]
    folder: Path


_failures: dict[Download, tuple[float, str]] = {}


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
        downloader = partial(
            receive, name=wanted.name, expected_bytes=wanted.bytes, silence_s=silence_s, progress=progress
        )
        try:
            wanted.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(
                prefix=UNFINISHED, dir=wanted.folder, ignore_cleanup_errors=True
            ) as place:
                found = pooch.retrieve(source, wanted.sha256, wanted.name, place, downloader=downloader)
                Path(found).replace(wanted.folder / wanted.name)
            return
        except SourceError as error:
            reasons.append(f"{_place(source)} {error}")
        except ValueError:  # so pooch says that the sum is wrong
            reasons.append(f"{_place(source)} has a damaged or different file under this name")
        except OSError as error:
            raise ModelError(_disk_message(error, wanted)) from error
    raise ModelError(
        f"{wanted.name} could not be fetched: {'; '.join(reasons)}. Check the network connection and try "
        "again, or get the file elsewhere and set AGEGENDER_MIRROR to the folder that it lies in."
    )


def _place(source: str) -> str:
    return urlsplit(source).netloc if is_url(source) else str(Path(source).parent)


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
