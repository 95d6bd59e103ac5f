"""The files of a data set, in a folder or in a tar archive that is never unpacked."""

from __future__ import annotations

import lzma
import os
import tarfile
import zlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Self

from agegender.errors import DatasetError, ImageError
from agegender.imaging.io import MAX_BYTES, TOO_MANY_BYTES

_BROKEN = (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError)


class Files:
    """The regular files below a folder or in a tar archive, compressed or not.

    `names` are paths with '/', relative to the folder or as stored in the archive, in an order that is fast
    to read. Links in archives are skipped, and so are hidden files. A context manager, for one thread at a
    time. Raises `DatasetError` if the path is neither a folder nor an archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive: tarfile.TarFile | None = None
        if path.is_dir():
            self._entries: dict[str, Path | tarfile.TarInfo] = dict(_in_folder(path))
            return
        if not path.is_file():
            raise DatasetError(f"There is no folder and no file “{path}”. Check its name.")
        try:
            self._archive = tarfile.open(path)  # noqa: SIM115 - closed by __exit__
            self._entries = {_plain(member.name): member for member in self._archive if member.isreg()}
        except _BROKEN as error:
            self.close()
            raise DatasetError(f"“{path}” is not a tar archive, or it is damaged ({error}).") from error
        self._entries = {name: entry for name, entry in self._entries.items() if not _is_hidden(name)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files."""
        return tuple(self._entries)

    def find(self, wanted: str) -> str:
        """The name of the file whose path ends in `wanted`, or `wanted` itself if there is none.

        Labels say val/1.jpg where the file is some/where/val/1.jpg. Raises `DatasetError` if several files
        match.
        """
        if wanted in self._entries:
            return wanted
        candidates = self._by_last_part.get(PurePosixPath(wanted).name, ())
        found = [name for name in candidates if name.endswith(f"/{wanted}")]
        if len(found) > 1:
            raise DatasetError(f"There are several pictures “{wanted}”: “{found[0]}” and “{found[1]}”.")
        return found[0] if found else wanted

    @cached_property
    def _by_last_part(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for name in self._entries:
            names.setdefault(PurePosixPath(name).name, []).append(name)
        return names

    def read(self, name: str) -> bytes:
        """Read a file; raises `DatasetError`, or `ImageError` if it is far too large."""
        entry = self._entries.get(name)
        if entry is None:
            raise DatasetError(f"It is not in “{self.path}”.")
        try:
            if (entry.stat().st_size if isinstance(entry, Path) else entry.size) > MAX_BYTES:
                raise ImageError(TOO_MANY_BYTES)
            if isinstance(entry, Path):
                return entry.read_bytes()
            stream = self._archive.extractfile(entry) if self._archive else None
            return stream.read() if stream else b""
        except _BROKEN as error:
            raise DatasetError(f"It cannot be read ({error}).") from error

    def close(self) -> None:
        """Close the archive, if there is one."""
        if self._archive is not None:
            self._archive.close()


def _in_folder(root: Path) -> list[tuple[str, Path]]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        found += [Path(folder, name) for name in sorted(files) if not _is_hidden(name)]
    return [(path.relative_to(root).as_posix(), path) for path in found if path.is_file()]


def _plain(name: str) -> str:
    return PurePosixPath(name).as_posix()  # without a leading ./


def _is_hidden(name: str) -> bool:
    """Return whether a file is hidden and not data: macOS puts a '._' file beside each file."""
    return PurePosixPath(name).name.startswith(".")
