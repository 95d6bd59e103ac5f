"""Data sets: each public layout, in folders and archives, and everything that can be wrong with them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agegender.errors import AgeGenderError, DatasetError, ImageError
from agegender.evaluation import archive as archives
from agegender.evaluation.archive import Files
from agegender.evaluation.datasets import Kind, Sample, open_dataset

SAMPLES = Path(__file__).parents[2] / "samples"
HOPPER = (SAMPLES / "grace_hopper.jpg").read_bytes()
COLLINS = (SAMPLES / "astronaut.png").read_bytes()

Layout = dict[str, bytes]
"""The files of a data set, by name."""

FAIRFACE_HEADER = b"file,age,gender,race,service_test\n"
FAIRFACE: Layout = {
    "fairface_label_train.csv": FAIRFACE_HEADER + b"train/1.jpg,0-2,Male,Black,False\n",
    "fairface_label_val.csv": FAIRFACE_HEADER
    + b"val/1.jpg,more than 70,Female,White,True\nval/2.jpg,30-39,Female,East Asian,False\n",
    "val/1.jpg": HOPPER,
    "val/2.jpg": COLLINS,
}
FAIRFACE_SAMPLES = (
    Sample("val/1.jpg", (70, 120), "Female", "White"),
    Sample("val/2.jpg", (30, 39), "Female", "East Asian"),
)
UTKFACE: Layout = {
    "77_1_0_20170117173333333.jpg.chip.jpg": HOPPER,
    "35_1_20170117173333334.jpg.chip.jpg": COLLINS,  # some names lack a race
    "3_0_3_20161219230000000.JPG": COLLINS,
    "holiday.jpg": HOPPER,
    "readme.txt": b"",
}
UTKFACE_SAMPLES = (
    Sample("35_1_20170117173333334.jpg.chip.jpg", (35, 35), "Female", ""),
    Sample("3_0_3_20161219230000000.JPG", (3, 3), "Male", "Indian"),
    Sample("77_1_0_20170117173333333.jpg.chip.jpg", (77, 77), "Female", "White"),
)
ADIENCE_COLUMNS = (
    *("user_id", "original_image", "face_id", "age", "gender", "x", "y", "dx", "dy"),
    *("tilt_ang", "fiducial_yaw_angle", "fiducial_score"),
)
ADIENCE_HEADER = "\t".join(ADIENCE_COLUMNS).encode() + b"\n"
ADIENCE_END = b"\t0\t0\t9\t9\t0\t0\t1\n"
ADIENCE: Layout = {
    "fold_0_data.txt": ADIENCE_HEADER
    + (b"7@N03\t11_a_o.jpg\t1\t(60, 100)\tf" + ADIENCE_END)
    + (b"7@N03\t12_b_o.jpg\t2\t35\tu" + ADIENCE_END),
    "fold_3_data.txt": ADIENCE_HEADER + (b"8@N01\t13_c_o.jpg\t9\tNone\tm" + ADIENCE_END),
    "fold_frontal_0_data.txt": ADIENCE_HEADER + (b"7@N03\t11_a_o.jpg\t1\t(60, 100)\tf" + ADIENCE_END),
    "faces/7@N03/coarse_tilt_aligned_face.1.11_a_o.jpg": HOPPER,
    "faces/7@N03/coarse_tilt_aligned_face.2.12_b_o.jpg": COLLINS,
    "faces/8@N01/coarse_tilt_aligned_face.9.13_c_o.jpg": COLLINS,
}
ADIENCE_SAMPLES = (
    Sample("faces/7@N03/coarse_tilt_aligned_face.1.11_a_o.jpg", (60, 100), "Female"),
    Sample("faces/7@N03/coarse_tilt_aligned_face.2.12_b_o.jpg", (35, 35), None),
    Sample("faces/8@N01/coarse_tilt_aligned_face.9.13_c_o.jpg", None, "Male"),
)
PUBLIC: list[tuple[Kind, Layout, tuple[Sample, ...]]] = [
    ("fairface", FAIRFACE, FAIRFACE_SAMPLES),
    ("utkface", UTKFACE, UTKFACE_SAMPLES),
    ("adience", ADIENCE, ADIENCE_SAMPLES),
]
WITH_CSV: list[tuple[Kind, bytes, Sample]] = [
    (
        "fairface",
        b"file,age_min,age_max,gender,race\n1.jpg,3,9,male,East Asian\n",
        Sample("1.jpg", (3, 9), "Male", "East Asian"),
    ),
    (
        "utkface",
        b"file,age,gender,race\n1.jpg,35,female,White\n",
        Sample("1.jpg", (35, 35), "Female", "White"),
    ),
]


def write_folder(path: Path, layout: Layout) -> Path:
    for name, content in layout.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_tar(path: Path, layout: Layout, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in sorted(layout.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


WAYS: dict[str, Callable[[Path, Layout], Path]] = {
    "folder": lambda path, layout: write_folder(path / "set", layout),
    "tar": lambda path, layout: write_tar(path / "set.tar", layout),
    "tar.gz": lambda path, layout: write_tar(path / "set.tar.gz", layout, "w:gz"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("kind", "layout", "expected"), PUBLIC, ids=["fairface", "utkface", "adience"])
def test_public_layouts(
    tmp_path: Path, kind: Kind, layout: Layout, expected: tuple[Sample, ...], way: str
) -> None:
    with open_dataset(kind, WAYS[way](tmp_path, layout)) as dataset:
        assert set(dataset.samples) == set(expected)
        assert len(dataset.samples) == len(expected)
        for sample in dataset.samples:
            assert dataset.files.read(sample.name) == layout[sample.name]
        assert dataset.unlabelled == (1 if kind == "utkface" else 0)


@pytest.mark.parametrize("prefix", ["./", "some/where/"])
@pytest.mark.parametrize(("kind", "layout", "expected"), PUBLIC, ids=["fairface", "utkface", "adience"])
def test_archives_with_folders_around(
    tmp_path: Path, kind: Kind, layout: Layout, expected: tuple[Sample, ...], prefix: str
) -> None:
    moved = {prefix + name: content for name, content in layout.items()}
    with open_dataset(kind, write_tar(tmp_path / "set.tar", moved)) as dataset:
        assert len(dataset.samples) == len(expected)
        for sample in dataset.samples:
            assert dataset.files.read(sample.name) == moved[prefix + sample.name.removeprefix("some/where/")]


@pytest.mark.parametrize("named", ["set-val.tar", "set-val.csv", ""])
@pytest.mark.parametrize(("kind", "table", "expected"), WITH_CSV, ids=["fairface", "utkface"])
def test_tar_beside_its_csv(tmp_path: Path, kind: Kind, table: bytes, expected: Sample, named: str) -> None:
    write_tar(tmp_path / "set-val.tar", {"1.jpg": HOPPER})
    # Neighbours in the same folder that must be ignored:
    write_folder(tmp_path, {f"{kind}-val.csv": other for kind, other, _ in WITH_CSV if other != table})
    write_folder(tmp_path, {"set-val.csv": table, "set-train.csv": table, "notes.csv": b"\xff\x00\n"})
    with open_dataset(kind, tmp_path / named) as dataset:
        assert dataset.samples == (expected,)
        assert dataset.files.read("1.jpg") == HOPPER


def test_one_fold_of_adience(tmp_path: Path) -> None:
    path = write_folder(tmp_path, ADIENCE) / "fold_3_data.txt"
    with open_dataset("adience", path) as dataset:
        assert dataset.samples == ADIENCE_SAMPLES[2:]


def test_samples_of_an_archive_come_in_its_order(tmp_path: Path) -> None:
    table = "".join(f"{number}.jpg,30,female\n" for number in (1, 5, 3, 2, 4))
    layout = {f"{number}.jpg": HOPPER for number in range(1, 6)}
    path = write_tar(tmp_path / "set.tar", {**layout, "labels.csv": f"file,age,gender\n{table}".encode()})
    with open_dataset("utkface", path) as dataset:
        assert [sample.name for sample in dataset.samples] == sorted(layout)


WRONG: dict[str, tuple[Kind, Layout, str]] = {
    "nothing": ("fairface", {"val/1.jpg": HOPPER}, "no label file with the columns file, age, gender"),
    "no folds": ("adience", {"faces/1.jpg": HOPPER}, "no label file with the columns user_id"),
    "no labels in names": ("utkface", {"1.jpg": HOPPER}, "no labelled pictures"),
    "no rows": ("fairface", {"a.csv": FAIRFACE_HEADER}, "no labelled pictures"),
    "an age": ("fairface", {"a.csv": FAIRFACE_HEADER + b"1.jpg,30-39,Male,,\n2.jpg,35,Male,,\n"}, "line 3"),
    "a group": ("fairface", {"a.csv": FAIRFACE_HEADER + b"1.jpg,30-40,Male,,\n"}, "30 to 40 years is not"),
    "a gender": ("fairface", {"a.csv": FAIRFACE_HEADER + b"1.jpg,30-39,?,,\n"}, "line 2: '\\?' is neither"),
    "a short row": ("fairface", {"a.csv": FAIRFACE_HEADER + b"1.jpg\n"}, "line 2"),
    "unknown age": ("utkface", {"a.csv": b"file,age,gender\n1.jpg,-1,male\n"}, "-1 years is not an age"),
    "not UTF-8": ("utkface", {"a.csv": b"file,age,gender\n\xff.jpg,1,male\n"}, "not a text file in UTF-8"),
    "no column": ("adience", {"fold_0_data.txt": b"user_id\tage\n1\t35\n"}, "no column 'face_id'"),
    "fold's age": (
        *("adience", {"fold_0_data.txt": ADIENCE_HEADER + b"a\tb\t1\t(x)\tf" + ADIENCE_END}),
        "fold_0_data.txt, line 2",
    ),
    "other pictures": (
        *("fairface", {"a.csv": FAIRFACE_HEADER + b"9.jpg,30-39,Male,,\n", "1.jpg": HOPPER}),
        "None of the 1 pictures",
    ),
    "two tables": ("utkface", dict.fromkeys(("a.csv", "b.csv"), b"file,age,gender\n"), "a.csv, b.csv"),
    "twice": (
        *("fairface", {"a.csv": FAIRFACE_HEADER + b"1.jpg,30-39,Male,,\n", "x/1.jpg": b"", "y/1.jpg": b""}),
        "several pictures",
    ),
}


@pytest.mark.parametrize("way", ["folder", "tar"])
@pytest.mark.parametrize("wrong", WRONG)
def test_labels_that_make_no_sense_are_named(tmp_path: Path, wrong: str, way: str) -> None:
    kind, layout, message = WRONG[wrong]
    path = WAYS[way](tmp_path, layout)
    with pytest.raises(DatasetError, match=message), open_dataset(kind, path):
        pass


@pytest.mark.parametrize("name", ["nowhere", "nowhere.tar", "nowhere.csv", "nowhere.txt", "not-a.tar"])
@pytest.mark.parametrize("kind", ["fairface", "utkface", "adience"])
def test_wrong_paths_are_told(tmp_path: Path, kind: Kind, name: str) -> None:
    (tmp_path / "not-a.tar").write_bytes(HOPPER)
    with pytest.raises(DatasetError, match=name), open_dataset(kind, tmp_path / name):
        pass


@pytest.mark.parametrize("way", ["tar", "tar.gz"])
def test_archive_that_breaks_off_is_told(tmp_path: Path, way: str) -> None:
    path = WAYS[way](tmp_path, UTKFACE)
    path.write_bytes(path.read_bytes()[: -len(HOPPER) // 2 - 20_000])
    with pytest.raises(DatasetError, match="not a tar archive, or it is damaged"):
        Files(path)


def test_hostile_archive_gives_bytes_and_touches_no_disk(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    path = tmp_path / "inner" / "set.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        for name, kind, target in (
            ("30_0_0_1.jpg", tarfile.SYMTYPE, str(secret)),
            ("31_0_0_1.jpg", tarfile.LNKTYPE, "../secret.jpg"),
            ("32_0_0_1.jpg", tarfile.FIFOTYPE, ""),
            ("33_0_0_1.jpg", tarfile.CHRTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
        for name in ("../34_0_0_1.jpg", "/35_0_0_1.jpg"):
            member = tarfile.TarInfo(name)
            member.size = len(HOPPER)
            archive.addfile(member, io.BytesIO(HOPPER))
    before = sorted(tmp_path.rglob("*"))
    with open_dataset("utkface", path) as dataset:
        assert [sample.ages for sample in dataset.samples] == [(34, 34), (35, 35)]
        assert [dataset.files.read(sample.name) for sample in dataset.samples] == [HOPPER, HOPPER]
    assert sorted(tmp_path.rglob("*")) == before


def test_labels_cannot_reach_out_of_their_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    names = ["1.jpg", "../secret.jpg", str(tmp_path / "secret.jpg")]
    table = "file,age,gender\n" + "".join(f"{name},30,male\n" for name in names)
    folder = write_folder(tmp_path / "set", {"1.jpg": HOPPER, "labels.csv": table.encode()})
    with open_dataset("utkface", folder) as dataset:
        assert dataset.files.read(dataset.samples[0].name) == HOPPER
        for sample in dataset.samples[1:]:
            with pytest.raises(AgeGenderError, match="not in"):
                dataset.files.read(sample.name)


@pytest.mark.parametrize("way", WAYS)
def test_file_that_is_far_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    path = WAYS[way](tmp_path, {"small.jpg": b"12345", "large.jpg": b"123456"})
    monkeypatch.setattr(archives, "MAX_BYTES", 5)
    with Files(path) as files:
        assert files.read("small.jpg") == b"12345"
        with pytest.raises(ImageError, match="larger than"):
            files.read("large.jpg")
