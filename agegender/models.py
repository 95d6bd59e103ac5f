"""The models: what each one is (models/manifest.toml), whether its files are here, and how to get them."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import onnxruntime as ort
import platformdirs

from agegender import places
from agegender.downloads import Download, download, sweep
from agegender.errors import ModelError
from agegender.transfer import Progress, is_url

MANIFEST = places.MODELS / "manifest.toml"

Role = Literal["detector", "estimator"]
Status = Literal["bundled", "cached", "missing"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model. Without `urls` it is bundled: it lies beside the manifest."""

    name: str
    sha256: str
    bytes: int
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the manifest says of a model; all but `name`, `role` and `folder` is there to be shown.

    `classes` has, for each output that is one of classes, their labels in the output's order. `folder` is
    the manifest's, in which bundled files lie.
    """

    name: str
    title: str
    role: Role
    files: tuple[ModelFile, ...]
    licence: str
    source: str
    input: str
    classes: tuple[tuple[str, ...], ...]
    folder: Path

    @property
    def bytes(self) -> int:
        """The bytes of all its files together."""
        return sum(file.bytes for file in self.files)


def load_manifest(path: Path = MANIFEST) -> dict[str, ModelSpec]:
    """Return the models by name, in the manifest's order. Raises `ModelError` when it makes no sense."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # brackets in brackets without end
        raise ModelError(f"The list of models, {path}, cannot be read: {error}") from error
    specs = {name: _spec(name, table, path.parent) for name, table in tables.items()}
    names = [file.name for spec in specs.values() for file in spec.files]
    _demand(len(names) == len(set(names)), "two files of one name, which would share a place in the cache")
    return specs


def status(spec: ModelSpec) -> Status:
    """Return where the model's files are: 'missing' when one is not there or is not what it should be."""
    if not all(_is_good(_path(spec, file), file) for file in spec.files):
        return "missing"
    return "cached" if any(file.urls for file in spec.files) else "bundled"


def fetch(spec: ModelSpec, progress: Progress | None = None, *, retry: bool = False) -> dict[str, Path]:
    """Return the path of each of the model's files by its name, downloaded where need be, all verified.

    `progress` is called with a file's name, the bytes of it that are here and all its bytes, in this
    thread, while something is downloaded. Raises `ModelError`, which says what to do, when a file cannot be
    had: within seconds where the network does not answer, and at once for ten minutes from then on, unless
    `retry` is set.
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
            if path.exists():
                raise ModelError(f"{path} is damaged, and a good one cannot be had. {error}") from error
            raise
    return paths


def onnx_session(path: Path) -> ort.InferenceSession:
    """Return a session on the CPU, whose `run` may be called from many threads at once.

    It computes in the thread that calls: visitors share the cores, and one picture's work is too small to
    split. Raises `ModelError` when the file is not a model that ONNX Runtime can run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # An arena keeps the most that was ever needed, for each caller at once: half a gigabyte of four pictures.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3  # errors only
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no other class in common
        raise ModelError(f"{path} is not a model that can be run. Remove it and fetch it again.") from error


def _sources(file: ModelFile) -> tuple[str, ...]:
    """Return where to ask for the file, in order: the mirror, if there is one, then where it is published."""
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


def _is_good(path: Path, file: ModelFile) -> bool:
    try:
        found = path.stat()
        return found.st_size == file.bytes and _sha256(path, found.st_mtime_ns, found.st_ino) == file.sha256
    except OSError:
        return False


@lru_cache(maxsize=64)
def _sha256(path: Path, _mtime_ns: int, _inode: int) -> str:
    """Return the sum of a file, read once for each state of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _spec(name: str, table: Any, folder: Path) -> ModelSpec:
    texts = ("title", "role", "licence", "source", "input")
    _demand_keys(table, {*texts, "files", "classes"}, name)
    for key in texts:
        _demand(isinstance(table[key], str) and table[key] != "", f"no {key} for {name}")
    _demand(table["role"] in ("detector", "estimator"), f"an unknown role, {table['role']!r}, for {name}")
    classes, files = table["classes"], table["files"]
    _demand(isinstance(files, list) and files != [], f"no list of files for {name}")
    _demand(isinstance(classes, list) and all(map(_are_texts, classes)), f"odd classes for {name}")
    return ModelSpec(
        name=name,
        files=tuple(_file(file, name) for file in files),
        classes=tuple(tuple(labels) for labels in classes),
        folder=folder,
        **{key: table[key] for key in texts},
    )


def _file(table: Any, model: str) -> ModelFile:
    _demand_keys(table, {"name", "sha256", "bytes", "urls"}, f"a file of {model}")
    name, sha256, size, urls = table["name"], table["sha256"], table["bytes"], table["urls"]
    # A plain name, as it becomes a path in the cache.
    _demand(_matches(r"\w[\w.-]*", name), f"{name!r}, which is no name for a file, for {model}")
    _demand(_matches(r"[0-9a-f]{64}", sha256), f"no SHA-256 for {name}")
    _demand(type(size) is int and size > 0, f"no number of bytes for {name}")
    _demand(_are_texts(urls) and all(map(is_url, urls)), f"something that is no web address for {name}")
    return ModelFile(name, sha256, size, tuple(urls))


def _demand_keys(table: Any, keys: set[str], of: str) -> None:
    found = set(table) if isinstance(table, dict) else set()
    _demand(found == keys, f"for {of} not these keys and no others: {', '.join(sorted(keys))}")


def _demand(holds: bool, found_instead: str) -> None:
    if not holds:
        raise ModelError(f"The list of models (manifest.toml) has {found_instead}.")


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
