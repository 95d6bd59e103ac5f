"""The list of models, models/manifest.toml: their files, checksums and licences."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agegender import places
from agegender.errors import ModelError

MANIFEST = places.MODELS / "manifest.toml"

Role = Literal["detector", "estimator"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model. Without `urls` it is bundled, next to the manifest."""

    name: str
    sha256: str
    bytes: int
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model's entry in the manifest.

    `classes` has the labels of each classifying output, in order. `folder` is the manifest's own, which holds
    the bundled files. `title`, `licence`, `source` and `input` are for display.
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
        """Total size of its files."""
        return sum(file.bytes for file in self.files)


def load_manifest(path: Path = MANIFEST) -> dict[str, ModelSpec]:
    """Read the models by name, in the manifest's order. Raises `ModelError` if the manifest is invalid."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # RecursionError: endlessly nested brackets
        raise ModelError(f"The list of models, {path}, cannot be read: {error}") from error
    specs = {name: _spec(name, table, path.parent) for name, table in tables.items()}
    names = [file.name for spec in specs.values() for file in spec.files]
    _demand(len(names) == len(set(names)), "two files of one name, which would share a place in the cache")
    return specs


def is_url(source: str) -> bool:
    """Tell a URL from a path."""
    return source.lower().startswith(("http://", "https://"))


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
    # A plain name, because it becomes a path in the cache.
    _demand(_matches(r"\w[\w.-]*", name), f"{name!r}, which is not a file name, for {model}")
    _demand(_matches(r"[0-9a-f]{64}", sha256), f"no SHA-256 for {name}")
    _demand(type(size) is int and size > 0, f"no number of bytes for {name}")
    _demand(_are_texts(urls) and all(map(is_url, urls)), f"something other than a URL for {name}")
    return ModelFile(name, sha256, size, tuple(urls))


def _demand_keys(table: Any, keys: set[str], of: str) -> None:
    found = set(table) if isinstance(table, dict) else set()
    _demand(found == keys, f"for {of} other keys than these: {', '.join(sorted(keys))}")


def _demand(holds: bool, found_instead: str) -> None:
    if not holds:
        raise ModelError(f"The list of models (manifest.toml) has {found_instead}.")


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
