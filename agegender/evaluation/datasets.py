"""Labelled data sets in their published layouts: the pictures, and the labels of each face."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from agegender.errors import DatasetError
from agegender.evaluation import label_files
from agegender.evaluation.archive import Files

Kind = Literal["fairface", "utkface", "congress", "adience"]
KINDS: tuple[Kind, ...] = get_args(Kind)

FAIRFACE_AGES = ((0, 2), (3, 9), (10, 19), (20, 29), (30, 39), (40, 49), (50, 59), (60, 69), (70, 120))
"""First and last whole year of FairFace's nine groups, the last of which it calls 'more than 70'."""

UTKFACE_RACES = ("White", "Black", "Asian", "Indian", "Others")

# [age]_[gender]_[race]_[date and time].jpg.chip.jpg; a few published names lack the race.
_UTKFACE_NAME = re.compile(r"(\d{1,3})_([01])_(?:([0-4])_)?\d+\.(?:.*\.)?(?:jpe?g|png)", re.ASCII | re.I)
_PICTURE_NAME = re.compile(r".+\.(?:jpe?g|png)", re.I | re.S)
# Excludes fold_frontal_0_data.txt and the like, which list some of the same pictures again.
_FOLD_NAME = re.compile(r"fold_\d_data\.txt", re.ASCII)

_COLUMNS = {
    "fairface": "file, age, gender and service_test, or file, age_min, age_max and gender",
    "utkface": "file, age and gender",
    "congress": "file, age_min, age_max, gender, served_from and served_to",
    "adience": "user_id, original_image, face_id, age and gender",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A labelled picture. `ages` are the first and last whole year the person may be, or None if unknown.

    `gender` is 'Female', 'Male' or None if unknown; `race` is the data set's own term, or ''.
    """

    name: str
    ages: tuple[int, int] | None
    gender: str | None
    race: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """An open data set: `files.read(sample.name)` returns a sample's picture.

    `unlabelled` counts the pictures without labels.
    """

    kind: Kind
    files: Files
    samples: tuple[Sample, ...]
    unlabelled: int = 0


@contextmanager
def open_dataset(kind: Kind, path: Path) -> Iterator[Dataset]:
    """Open a data set in its public layout, as a context manager. Raises `DatasetError` if that fails.

    `path` is a folder, a tar archive or the label file. For FairFace and UTKFace, labels may also be in
    NAME.csv beside NAME.tar; of several label files in a folder, the one with 'val' in its name is used.
    Without a label file, UTKFace's labels come from its file names. Adience's are in its fold files, one or
    all of them.
    """
    source, label_file = label_files.locate(path, partial(_fits, kind))
    with Files(source) as files:
        tables = (
            {label_file.name: label_files.read(label_file)} if label_file else _tables_within(kind, files)
        )
        if tables:
            found = [sample for name, content in tables.items() for sample in _samples(kind, name, content)]
            unlabelled = 0
        elif kind == "utkface":
            found, unlabelled = _samples_by_name(files.names)
        else:
            raise DatasetError(f"“{path}” has no label file with the columns {_COLUMNS[kind]}.")
        if not found:
            raise DatasetError(f"“{path}” has no labelled pictures of {kind}.")
        yield Dataset(kind, files, _in_order(files, found), unlabelled)


def _fits(kind: Kind, columns: Collection[str]) -> bool:
    columns = set(columns)
    in_office = columns >= {"served_from", "served_to"}
    if kind == "congress":
        return in_office and columns >= {"file", "gender", "age_min", "age_max"}
    if kind == "fairface":
        return (columns >= {"file", "gender", "age_min", "age_max"} and not in_office) or columns >= {
            *("file", "gender", "age", "service_test")
        }
    if kind == "utkface":
        return columns >= {"file", "age", "gender"} and "service_test" not in columns
    return False


def _tables_within(kind: Kind, files: Files) -> dict[str, bytes]:
    """The label files found among the pictures, by name."""
    if kind == "adience":
        folds = [name for name in files.names if _FOLD_NAME.fullmatch(PurePosixPath(name).name)]
        return {name: files.read(name) for name in folds}
    tables = {name: files.read(name) for name in files.names if name.lower().endswith(".csv")}
    fitting = [name for name, content in tables.items() if _fits(kind, label_files.columns(content))]
    return {name: tables[name] for name in (label_files.choose(fitting),)} if fitting else {}


def _samples(kind: Kind, name: str, content: bytes) -> Iterator[Sample]:
    if kind == "adience":
        return label_files.parse(name, content, "\t", _adience_sample)
    if not _fits(kind, label_files.columns(content)):
        raise DatasetError(f"{name} does not have the columns {_COLUMNS[kind]}.")
    of_row = {"fairface": _fairface_sample, "utkface": _utkface_sample, "congress": _congress_sample}
    return label_files.parse(name, content, ",", of_row[kind])


def _fairface_sample(row: dict[str, str]) -> Sample:
    if "age_min" in row:
        first, last = row["age_min"], row["age_max"]
    else:
        first, _, last = ("70-120" if row["age"] == "more than 70" else row["age"]).partition("-")
    if (int(first), int(last)) not in FAIRFACE_AGES:
        raise ValueError(f"{first} to {last} years is not one of FairFace's groups")
    return Sample(row["file"], (int(first), int(last)), _gender(row["gender"]), row.get("race", ""))


def _utkface_sample(row: dict[str, str]) -> Sample:
    age = int(row["age"])
    if not 0 <= age <= 120:
        raise ValueError(f"{age} years is not an age")
    return Sample(row["file"], (age, age), _gender(row["gender"]), row.get("race", ""))


def _congress_sample(row: dict[str, str]) -> Sample:
    ages = int(row["age_min"]), int(row["age_max"])
    if not 0 <= ages[0] <= ages[1] <= 120:
        raise ValueError(f"{ages[0]} to {ages[1]} years is not a range of ages")
    return Sample(row["file"], ages, _gender(row["gender"]))


def _adience_sample(row: dict[str, str]) -> Sample:
    picture = f"coarse_tilt_aligned_face.{row['face_id']}.{row['original_image']}"
    gender = None if row["gender"] in ("u", "") else _gender(row["gender"])
    return Sample(f"faces/{row['user_id']}/{picture}", _adience_ages(row["age"]), gender)


def _adience_ages(text: str) -> tuple[int, int] | None:
    """First and last year from '(25, 32)' or '35'; None for 'None'."""
    if text in ("None", ""):
        return None
    years = [int(part) for part in text.strip("()").split(",")]
    return years[0], years[-1]


def _gender(text: str) -> str:
    if text.lower() in ("female", "f"):
        return "Female"
    if text.lower() in ("male", "m"):
        return "Male"
    raise ValueError(f"{text!r} is neither female nor male")


def _samples_by_name(names: Collection[str]) -> tuple[list[Sample], int]:
    """UTKFace's samples by file name, and the number of pictures whose names carry no labels."""
    pictures = [name for name in names if _PICTURE_NAME.fullmatch(name)]
    samples = []
    for name in pictures:
        if match := _UTKFACE_NAME.fullmatch(PurePosixPath(name).name):
            age, race = int(match[1]), UTKFACE_RACES[int(match[3])] if match[3] else ""
            samples.append(Sample(name, (age, age), ("Male", "Female")[int(match[2])], race))
    return samples, len(pictures) - len(samples)


def _in_order(files: Files, samples: list[Sample]) -> tuple[Sample, ...]:
    """The samples renamed to match the files and put in the files' order, with missing files last."""
    found = [replace(sample, name=files.find(sample.name)) for sample in samples]
    order = {name: place for place, name in enumerate(files.names)}
    if not any(sample.name in order for sample in found):
        raise DatasetError(
            f"None of the {len(found):,} pictures in the labels, starting with “{found[0].name}”, "
            f"is in “{files.path}”."
        )
    return tuple(sorted(found, key=lambda sample: order.get(sample.name, len(order))))
