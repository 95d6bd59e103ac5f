"""Sources of pictures: folders, globs, lists, tar and zip archives, and whatever fsspec opens."""

from __future__ import annotations

import glob
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from agegender.errors import AgeGenderError, BatchError, MissingExtraError
from agegender.imaging.formats import PICTURES, endings
from agegender.imaging.io import MAX_BYTES, TOO_MANY_BYTES

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
PICTURE_ENDINGS = endings(PICTURES)
LISTS = (".txt", ".lst")
"""Endings of lists, with one path or URL per line."""


class Item(NamedTuple):
    """A readable picture: its path or URL, and what shows whether it has changed.

    For a picture in an archive, the path starts with the archive's, and `offset` is the position of its bytes
    if that is a tar archive.
    """

    path: str
    size: int
    modified_s: float
    archive: str = ""
    offset: int = -1


def find(sources: Iterable[str], fail: Callable[[str, str], object]) -> Iterator[Item]:
    """Yield every picture in the sources, each once.

    Folders are searched recursively, following links, but no folder twice. Files given by name are taken
    whatever their ending. `fail` is called with a source and a sentence if something cannot be read.
    """
    seen: set[str] = set()
    folders: set[tuple[int, int]] = set()
    for source in sources:
        try:
            for item in _in_source(source, folders, fail):
                if item.path not in seen:
                    seen.add(item.path)
                    yield item
        except AgeGenderError as error:
            fail(source, str(error))
        except Exception as error:  # noqa: BLE001 - archives and fsspec's backends share no exception class
            fail(source, f"This cannot be read ({_reason(error)}).")


def read(item: Item) -> bytes:
    """Read a picture's bytes. Raises `BatchError` if that fails."""
    if item.size > MAX_BYTES:
        raise BatchError(TOO_MANY_BYTES)
    try:
        if not item.archive:
            return _content(item.path)
        if item.offset >= 0:
            file = KEPT.tar(item.archive)
            file.seek(item.offset)
            return file.read(item.size)
        return KEPT.zip(item.archive).read(item.path.removeprefix(item.archive + "/"))
    except AgeGenderError:
        raise
    except Exception as error:  # archives and fsspec's backends share no exception class
        raise BatchError(f"This cannot be read ({_reason(error)}).") from error


def is_address(source: str) -> bool:
    """Return whether fsspec opens this source: `s3://bucket/folder`, `https://…`."""
    return "://" in source


def _in_source(
    source: str, folders: set[tuple[int, int]], fail: Callable[[str, str], object]
) -> Iterator[Item]:
    if is_address(source):
        yield from _remote(source, fail)
    elif os.path.isdir(source):
        yield from _folder(os.path.abspath(source), folders, fail)
    elif os.path.isfile(source):
        yield from _file(os.path.abspath(source), folders, fail)
    elif names := sorted(glob.iglob(source, recursive=True)):
        for name in names:
            if os.path.isdir(name) or _is_picture(name) or name.lower().endswith(ARCHIVES):
                yield from _in_source(name, folders, fail)
    else:
        raise BatchError("There is no such file or folder.")


def _file(path: str, folders: set[tuple[int, int]], fail: Callable[[str, str], object]) -> Iterator[Item]:
    found = os.stat(path)
    if path.lower().endswith(ARCHIVES):
        yield from _archive(path, found.st_mtime)
    elif path.lower().endswith(LISTS):
        for line in Path(path).read_text(encoding="utf-8-sig").splitlines():
            if name := line.strip():
                yield from _listed(name, path, folders, fail)
    else:
        yield Item(path, found.st_size, found.st_mtime)


def _listed(
    name: str, path: str, folders: set[tuple[int, int]], fail: Callable[[str, str], object]
) -> Iterator[Item]:
    """Yield a list entry's pictures; relative paths are relative to the list's folder."""
    place = name if is_address(name) else os.path.join(os.path.dirname(path), name)
    if not is_address(place) and os.path.abspath(place) == path:
        return
    try:
        yield from _in_source(place, folders, fail)
    except AgeGenderError as error:
        fail(name, str(error))
    except OSError as error:
        fail(name, f"This cannot be read ({_reason(error)}).")


def _folder(top: str, folders: set[tuple[int, int]], fail: Callable[[str, str], object]) -> Iterator[Item]:
    """Yield the pictures in and below a folder that are not hidden, in order."""
    try:
        about = os.stat(top)
        if (about.st_dev, about.st_ino) in folders:
            return
        folders.add((about.st_dev, about.st_ino))
        with os.scandir(top) as found:
            shown = (entry for entry in found if not entry.name.startswith("."))
            entries = sorted(shown, key=lambda entry: entry.name)
    except OSError as error:
        fail(top, f"The folder cannot be read ({_reason(error)}).")
        return
    for entry in entries:
        if entry.is_dir():
            yield from _folder(entry.path, folders, fail)
        elif _is_picture(entry.name):
            with suppress(OSError):  # a broken link, or gone in the meantime
                about = entry.stat()
                yield Item(entry.path, about.st_size, about.st_mtime)


def _archive(path: str, modified_s: float) -> Iterator[Item]:
    if path.lower().endswith(".zip"):
        with _open(path) as file, zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if _is_picture_within(member.filename) and not member.is_dir():
                    yield Item(f"{path}/{member.filename}", member.file_size, modified_s, path)
        return
    with _open(path) as file, tarfile.open(fileobj=file) as tar:
        for each in tar:
            if each.isreg() and _is_picture_within(each.name):
                yield Item(f"{path}/{each.name}", each.size, each.mtime, path, each.offset_data)


def _remote(address: str, fail: Callable[[str, str], object]) -> Iterator[Item]:
    """Yield what is at a URL: a file, an archive, a list, a glob, or all pictures below it."""
    system, path = _file_system(address)
    protocol = address.split("://")[0]

    def full(name: str) -> str:
        return name if is_address(name) else f"{protocol}://{name}"

    about = {} if glob.has_magic(address) else _info(system, path)
    if about.get("type") == "file" and not address.endswith("/"):
        if address.lower().endswith(ARCHIVES):
            yield from _archive(address, _modified_s(about))
        elif address.lower().endswith(LISTS):
            for line in _content(address).decode("utf-8-sig").splitlines():
                if name := line.strip():
                    yield from _listed(name, address, set(), fail)
        else:
            yield Item(address, int(about.get("size") or 0), _modified_s(about))
        return
    found = system.glob(path, detail=True) if glob.has_magic(address) else system.find(path, detail=True)
    for name, about in sorted(found.items()):
        if about.get("type") == "file" and _is_picture(name):
            yield Item(full(name), int(about.get("size") or 0), _modified_s(about))


def _info(system: Any, path: str) -> dict[str, Any]:
    try:
        about: dict[str, Any] = system.info(path)
    except FileNotFoundError:
        raise BatchError("There is nothing at this address.") from None
    return about


def _modified_s(about: dict[str, Any]) -> float:
    for key in ("LastModified", "mtime", "last_modified", "updated"):
        value = about.get(key)
        if isinstance(value, datetime):
            return float(value.timestamp())
        if isinstance(value, int | float):
            return float(value)
    return 0.0


def _file_system(address: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("Addresses need fsspec: pip install 'agegender[batch]'") from None
    try:
        system, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:  # its message names the package that the protocol needs
        raise BatchError(str(error)) from None
    return system, path


def _content(place: str) -> bytes:
    if not is_address(place):
        with open(place, "rb") as file:
            return file.read()
    system, path = _file_system(place)
    content: bytes = system.cat_file(path)
    return content


def _open(place: str) -> IO[bytes]:
    if not is_address(place):
        return open(place, "rb")
    system, path = _file_system(place)
    file: IO[bytes] = system.open(path, "rb")
    return file


class _Kept:
    """The archive read last, kept open because its other pictures come next."""

    def __init__(self) -> None:
        self.path = ""
        self._files = ExitStack()
        self._archive: Any = None

    def zip(self, path: str) -> zipfile.ZipFile:
        """The zip archive at a path."""
        if self.path != path:
            self.close()
            file = self._files.enter_context(_open(path))
            self._archive = self._files.enter_context(zipfile.ZipFile(file))
            self.path = path
        return self._archive  # type: ignore[no-any-return]

    def tar(self, path: str) -> IO[bytes]:
        """The tar archive at a path, decompressed: a member's bytes are at its offset."""
        if self.path != path:
            self.close()
            file = self._files.enter_context(_open(path))
            tar = tarfile.open(fileobj=file)  # noqa: SIM115 - kept for the next picture
            self._archive = self._files.enter_context(tar)
            self._files.callback(self._archive.fileobj.close)
            self.path = path
        return self._archive.fileobj  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the archive."""
        self.path, self._archive = "", None
        self._files.close()


KEPT = _Kept()


def _is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURE_ENDINGS)


def _is_picture_within(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return _is_picture(parts[-1]) and not any(part.startswith(".") for part in parts if part != ".")


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
