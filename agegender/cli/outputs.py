"""Output files: checked before any work, written under a temporary name, renamed when complete."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import combinations
from pathlib import Path

from agegender.errors import AgeGenderError

NAME_BYTES = 200
"""Maximum length of a name that, with its affixes, stays within the 255 bytes of file systems."""


class OutputError(AgeGenderError):
    """A file or folder that cannot or must not be written."""


def check_files(sources: Mapping[str, Path], outputs: Mapping[str, Path | None]) -> None:
    """Raise `OutputError` if an output is not writable, or would replace a source or another output.

    Both are keyed by the names the user knows them by, such as `--csv`.
    """
    named = {name: path for name, path in outputs.items() if path is not None}
    for name, path in named.items():
        if path.is_dir():
            raise OutputError(f"{name}: “{path}” is a folder.")
        check_folder(path.parent, name)
    for (name, path), (other, second) in combinations([*sources.items(), *named.items()], 2):
        if is_same(path, second):
            raise OutputError(f"{other} is the same file as {name}. Choose another name.")


def check_folder(folder: Path, name: str) -> None:
    """Raise `OutputError` if the folder is not writable."""
    if not folder.is_dir():
        raise OutputError(f"{name}: There is no folder “{folder}”. Make it first.")
    place = _part(folder / "trial")
    try:
        place.touch()
        place.unlink()
    except OSError as error:
        raise OutputError(f"{name}: Nothing can be written to “{folder}” ({error.strerror}).") from error


def make_folder(folder: Path, name: str) -> None:
    """Create the folder if needed; raises `OutputError` if that fails or it is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{name}: “{folder}” cannot be made a folder ({error.strerror}).") from error
    check_folder(folder, name)


def is_same(path: Path, other: Path) -> bool:
    """Return whether two paths are the same file, existing or not."""
    with suppress(OSError):
        return path.samefile(other)
    try:
        both = {os.path.normcase(each.resolve()) for each in (path, other)}
    except (OSError, RuntimeError):  # circular links
        return False
    return len(both) == 1


@contextmanager
def beside(path: Path, replace: bool = True) -> Iterator[Path]:
    """Context manager for a temporary name, which is renamed to `path` on success.

    Raises `OutputError` if it cannot be written, and `FileExistsError` if `path` exists by then and `replace`
    is not set.
    """
    _sweep(path)
    part = _part(path)
    try:
        yield part
        if replace:
            part.replace(path)
        else:
            _rename_new(part, path)
    except FileExistsError:
        raise
    except OSError as error:
        raise OutputError(f"“{path}” cannot be written ({error.strerror}).") from error
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, replace: bool = True) -> None:
    """Write a file whole or not at all; raises as `beside` does."""
    with beside(path, replace) as part:
        part.write_bytes(content)


def _part(path: Path) -> Path:
    """The temporary name under which this process writes a file."""
    name = os.fsencode(path.name)[:NAME_BYTES].decode(errors="ignore")
    return path.with_name(f".{name}.{os.getpid()}.part")


def _sweep(path: Path) -> None:
    """Remove what killed processes have left of this file."""
    if os.name != "posix":
        return
    ending = _part(path).name.rsplit(".", 2)[0]
    with suppress(OSError):
        for part in path.parent.iterdir():
            name, _, number = part.name.removesuffix(".part").rpartition(".")
            if part.name.endswith(".part") and name == ending and number.isdigit() and not _runs(int(number)):
                part.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _rename_new(part: Path, path: Path) -> None:
    """Rename without replacing anything."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system
        if path.exists():
            raise FileExistsError(path) from None
        part.rename(path)
