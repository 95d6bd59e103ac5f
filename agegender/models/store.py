"""Model files on this machine: their status and paths, and fetching the missing ones."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

import platformdirs

from agegender.errors import ModelError
from agegender.models.download import Download, Progress, download, sweep
from agegender.models.manifest import ModelFile, ModelSpec, is_url

Status = Literal["bundled", "cached", "missing"]


def status(spec: ModelSpec) -> Status:
    """Where the model's files are; 'missing' if one is absent or fails verification."""
    if not all(_is_good(_path(spec, file), file) for file in spec.files):
        return "missing"
    return "cached" if any(file.urls for file in spec.files) else "bundled"


def fetch(spec: ModelSpec, progress: Progress | None = None, *, retry: bool = False) -> dict[str, Path]:
    """Fetch a model; return the verified path of each file by name.

    `progress` is called in this thread with a file's name, the bytes received and its size. Raises
    `ModelError`, which says what to do, if a file cannot be had: within seconds if the network is silent, and
    immediately for ten minutes after that, unless `retry` is set.
    """
    paths = {file.name: _path(spec, file) for file in spec.files}
    for file in spec.files:
        path = paths[file.name]
        if file.urls:
            sweep(path.parent)
        if _is_good(path, file):
            continue
        if not file.urls:
            problem = "is damaged" if path.exists() else "is missing"
            raise ModelError(f"{path} {problem}. It comes with the program: get a fresh copy, or restore it.")
        wanted = Download(file.name, file.sha256, file.bytes, _sources(file), path.parent)
        try:
            download(wanted, progress, retry=retry)
        except ModelError as error:
            if _is_there(path):
                raise ModelError(f"{path} is damaged, and a good one cannot be had. {error}") from error
            raise
    return paths


def _sources(file: ModelFile) -> tuple[str, ...]:
    """Sources of the file, in order: the mirror, if any, then its published URLs."""
    mirror = os.environ.get("AGEGENDER_MIRROR", "")
    if not mirror:
        return file.urls
    if is_url(mirror):
        return f"{mirror.rstrip('/')}/{file.name}", *file.urls
    return str(Path(mirror).expanduser() / file.name), *file.urls


def _path(spec: ModelSpec, file: ModelFile) -> Path:
    if not file.urls:
        return spec.folder / file.name
    cache = os.environ.get("AGEGENDER_CACHE", "") or platformdirs.user_cache_dir("agegender")
    return Path(cache).expanduser().absolute() / file.name


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # its folder is not readable
        return False


def _is_good(path: Path, file: ModelFile) -> bool:
    try:
        found = path.stat()
        return found.st_size == file.bytes and _sha256(path, found.st_mtime_ns, found.st_ino) == file.sha256
    except OSError:
        return False


@lru_cache(maxsize=64)
def _sha256(path: Path, _mtime_ns: int, _inode: int) -> str:
    """SHA-256 of a file, cached until the file changes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
