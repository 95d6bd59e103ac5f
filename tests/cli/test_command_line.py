"""The command line as people and scripts use it: what is printed where, and the exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from agegender.analyzer import Analyzer
from agegender.cli import console
from agegender.cli.main import main
from agegender.errors import ModelError
from agegender.estimation.age import from_ranges
from agegender.export.faces import COLUMNS
from agegender.imaging.io import decode, encode_png
from agegender.models import store
from agegender.models.manifest import ModelSpec, load_manifest
from agegender.types import RANGES, Analysis, Box, Face, Gender, Image, Reading

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
HOPPER, COLLINS = SAMPLES / "grace_hopper.jpg", SAMPLES / "astronaut.png"
COMMAND = (sys.executable, "-m", "agegender")


class StubAnalyzer(Analyzer):
    """Detects one face in every picture that is not black."""

    def __init__(self, notes: tuple[str, ...] = ()) -> None:
        self.notes = notes

    def __call__(self, image: Image, found: Sequence[Face] | None = None) -> Analysis:  # noqa: ARG002
        reading = Reading(Face(Box(4, 4, 28, 28), 0.9), from_ranges(np.full(8, 0.125)), Gender(0.9))
        return Analysis(image.shape[1], image.shape[0], (reading,) if image.any() else (), 0.0)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "build_analyzer", lambda *_: StubAnalyzer())


def picture(path: Path, value: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.full((32, 48, 3), value, np.uint8)))
    return path


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def files_of(printed: str) -> list[str]:
    return [json.loads(line)["file"] for line in printed.splitlines()]


# The program itself, with what is bundled


def test_good_and_broken_pictures(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(HOPPER.read_bytes()[:3000])
    missing = tmp_path / "missing.jpg"
    paths = [str(path) for path in (COLLINS, broken, missing, HOPPER)]
    done = subprocess.run(
        [*COMMAND, "analyze", "--json", "--detector", "bundled", *paths],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    complaints = done.stderr.decode().splitlines()
    assert [line.split(": ")[0] for line in complaints] == [str(broken), str(missing)]
    collins, hopper = map(json.loads, done.stdout.decode().splitlines())
    assert (collins["file"], collins["width_px"], collins["height_px"]) == (str(COLLINS), 512, 512)
    assert (hopper["file"], hopper["width_px"], hopper["height_px"]) == (str(HOPPER), 512, 600)
    (face,) = hopper["faces"]
    assert Box(**face["box"]).iou(Box(177.4, 123.4, 355.7, 335.7)) > 0.6
    assert list(face["age"]["probabilities"]) == list(RANGES)
    assert sum(face["age"]["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_start_takes_only_what_it_needs() -> None:
    heavy = {"pandas", "altair", "streamlit", "av", "requests"}
    code = f"import sys, agegender.__main__; print({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == b"set()\n"


@pytest.mark.skipif(os.name != "posix", reason="signals are another thing on this system")
@pytest.mark.parametrize(("end", "status"), [("interrupt", 130), ("close", 141)])
def test_reader_that_had_enough_ends_it_quietly(end: str, status: int) -> None:
    # As from a terminal: background processes may have been told to ignore Ctrl-C.
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "; runpy.run_module('agegender', run_name='__main__')"
    with subprocess.Popen(
        [sys.executable, "-c", code, "analyze", "--detector", "bundled", *[str(HOPPER)] * 3000],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout and process.stderr
        assert b"file" in process.stdout.readline()
        assert b"grace_hopper" in process.stdout.readline()
        if end == "close":
            process.stdout.close()
        else:
            process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
    assert process.returncode == status


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "models"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"disk is full" in done.stderr


# analyze


@pytest.mark.usefixtures("stub")
def test_folders_are_searched_for_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [picture(tmp_path / name) for name in ("a.png", "b/c/e.JPEG", "b/d.heic", "b/f.HIF", "b/g.jfif")]
    for name in (".hidden.png", ".hidden.txt", ".git/x.png", "._a.png", "notes.txt"):
        picture(tmp_path / name)
    named = picture(tmp_path / "elsewhere" / "picture.txt")  # a file given by name may have any ending
    assert run("analyze", "--json", tmp_path, named) == 0
    printed = capsys.readouterr()
    assert sorted(files_of(printed.out)) == sorted(map(str, [*shown, named]))
    assert files_of(printed.out)[-1] == str(named)
    assert printed.err == "Skipped, not pictures by their names: 2 files (2 .txt).\n"


@pytest.mark.usefixtures("stub")
def test_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [picture(tmp_path / "a.png"), picture(tmp_path / "black.png", 0)]
    assert run("analyze", *paths) == run("analyze", "--table", *paths) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[:3] == table[3:]
    assert "Female 90 %" in table[1]
    assert "no face found" in table[2]
    assert run("analyze", "--csv", *paths) == 0
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff")))
    assert tuple(header) == COLUMNS
    assert [row[0] for row in rows] == [str(paths[0])]
    assert run("analyze", "--json", *paths) == 0
    assert [len(json.loads(line)["faces"]) for line in capsys.readouterr().out.splitlines()] == [1, 0]


@pytest.mark.usefixtures("stub")
def test_every_failure_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "two\nlines\x1b[2J.jpg"
    bad.write_text("no picture")
    good = picture(tmp_path / "good.png")
    assert run("analyze", bad, good, tmp_path / "missing.png") == 1
    printed = capsys.readouterr()
    assert [line.split(": ")[0].rpartition("/")[2] for line in printed.err.splitlines()] == [
        "two?lines?[2J.jpg",
        "missing.png",
    ]
    assert len(printed.out.splitlines()) == 2


@pytest.mark.usefixtures("stub")
def test_folder_without_pictures_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyze", "--json", tmp_path) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no pictures" in printed.err


@pytest.mark.usefixtures("stub")
def test_what_was_passed_over_in_folders_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.MOV", "b.mov", "c.nef", "d", "e.txt", "f.x", "g.y", "h.z"):
        (tmp_path / name).write_text("")
    assert run("analyze", tmp_path) == 0
    nothing, passed_over = capsys.readouterr().err.splitlines()
    assert "no pictures" in nothing
    assert "8 files (2 .mov, " in passed_over
    assert "and others" in passed_over
    assert "“video”" in passed_over
    assert "as JPEG first" in passed_over


@pytest.mark.usefixtures("stub")
def test_annotated_pictures_are_in_folders_as_the_pictures_are(tmp_path: Path) -> None:
    for name in ("x.png", "a/x.png", "a/b/x.png"):
        picture(tmp_path / "in" / name)
    written = {"x-annotated.jpg", "a/x-annotated.jpg", "a/b/x-annotated.jpg"}
    assert run("analyze", tmp_path / "in", "--annotate", tmp_path / "out") == 0
    assert run("analyze", *(tmp_path / "in").rglob("*.png"), "--annotate", tmp_path / "named") == 0
    assert run("analyze", tmp_path / "in/a", tmp_path / "in/x.png", "--annotate", tmp_path / "both") == 0
    for folder in ("out", "named", "both"):
        found = {str(path.relative_to(tmp_path / folder)) for path in (tmp_path / folder).rglob("*.jpg")}
        assert found == written


def test_libraries_keep_their_own_lines_to_themselves(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.effect_noise((64, 64), 90).save(file, "TIFF", compression="tiff_lzw")
    broken = tmp_path / "broken.tif"
    data = bytearray(file.getvalue())
    data[40:200] = bytes(160)
    broken.write_bytes(bytes(data))
    with PIL.Image.open(broken) as opened, pytest.raises(OSError, match="decoder error"):
        opened.load()
    done = subprocess.run(
        [*COMMAND, "analyze", "--detector", "bundled", str(broken)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{broken}: The picture is damaged")


@pytest.mark.usefixtures("stub")
def test_what_is_to_be_said_of_a_file_is_in_json_and_beside_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := picture(tmp_path / "x.png")).write_bytes(path.read_bytes()[:-12])
    assert run("analyze", "--json", path) == run("analyze", path) == 0
    printed = capsys.readouterr()
    (note,) = json.loads(printed.out.splitlines()[0])["notes"]
    assert "breaks off" in note
    assert printed.err.splitlines() == [f"{path}: {note}"] * 2


@pytest.mark.usefixtures("stub")
def test_annotated_pictures_overwrite_nothing(tmp_path: Path) -> None:
    first, second = picture(tmp_path / "a" / "x.png", 50), picture(tmp_path / "b" / "x.png", 250)
    own = [picture(tmp_path / folder / "x-annotated.jpg", 90) for folder in ("a", "b")]
    before = {path: path.read_bytes() for path in (first, second, *own)}
    assert run("analyze", first, second, "--annotate", tmp_path) == 0
    for path, content in before.items():
        assert path.read_bytes() == content
    written = [decode(tmp_path / folder / "x-annotated-2.jpg") for folder in ("a", "b")]
    for image, value in zip(written, (50, 250), strict=True):
        assert image.shape == (32, 48, 3)
        assert abs(int(image[16, 16, 0]) - value) < 12  # inside the box
        assert image.std() > 5  # and there is a box


@pytest.mark.usefixtures("stub")
def test_annotated_pictures_are_not_analyzed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = picture(tmp_path / "x.png")
    for _ in range(2):
        assert run("analyze", "--json", tmp_path, "--annotate", tmp_path / "new" / "annotated") == 0
        assert files_of(capsys.readouterr().out) == [str(path)]
    assert len(list((tmp_path / "new" / "annotated").iterdir())) == 2


@pytest.mark.usefixtures("stub")
def test_folder_for_annotated_pictures_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = picture(tmp_path / "x.png")
    assert run("analyze", path, "--annotate", path) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "cannot be made a folder" in printed.err


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no folder here that takes no files")
@pytest.mark.usefixtures("stub")
def test_picture_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = picture(tmp_path / "x.png")
    assert run("analyze", "--json", path, "--annotate", "/proc") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Nothing can be written to “/proc”" in printed.err


def test_notes_of_the_analyzer_are_no_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "build_analyzer", lambda *_: StubAnalyzer(("Second best.",)))
    assert run("analyze", "--json", picture(tmp_path / "x.png")) == 0
    printed = capsys.readouterr()
    assert len(files_of(printed.out)) == 1
    assert printed.err == "Second best.\n"


# Models


@pytest.mark.parametrize(
    "arguments",
    [
        ("analyze", HOPPER, "--detector", "nonsense"),
        ("analyze", HOPPER, "--estimator", "nonsense"),
        ("evaluate", "--dataset", "utkface", SAMPLES, "--estimator", "nonsense"),
        ("models", "fetch", "yunet", "nonsense"),
    ],
)
def test_unknown_models_are_told(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "fetch", lambda *_, **__: pytest.fail("nothing should be fetched"))
    arguments = (*arguments, "--detector", "bundled") if "--estimator" in arguments else arguments
    assert run(*arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "nonsense" in printed.err
    assert len(printed.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("models",), ("models", "list")])
def test_list_has_all_models(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    for spec, line in zip(load_manifest().values(), lines[1:], strict=True):
        for told in (spec.name, spec.role, spec.title, spec.licence, store.status(spec)):
            assert told in line


def test_fetch_says_where_files_are(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGEGENDER_CACHE", str(tmp_path))
    assert run("models", "fetch", "ssd", "bundled") == 0
    *files, faces, refinement = capsys.readouterr().out.splitlines()
    for line in files:
        path = Path(line.removeprefix("ssd: "))
        assert path.read_bytes() == (mirror / path.name).read_bytes()
    assert len(files) == 2
    for line, name in ((faces, "faces.onnx"), (refinement, "refinement.onnx")):
        assert Path(line.removeprefix("bundled: ")) == ROOT / "models" / name


def test_fetch_goes_on_after_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(spec: ModelSpec, *_: object, **__: object) -> dict[str, Path]:
        if spec.name == "ssd":
            raise ModelError("It cannot be had.")
        return {"file": Path("somewhere")}

    monkeypatch.setattr(store, "fetch", fetch)
    assert run("models", "fetch", "ssd", "yunet") == 1
    printed = capsys.readouterr()
    assert printed.err == "ssd: It cannot be had.\n"
    assert printed.out == "yunet: somewhere\n"


# evaluate


def test_evaluation_prints_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "77_1_0_20170117173333333.jpg").write_bytes(HOPPER.read_bytes())
    (tmp_path / "9_0_0_20170117173333333.jpg").write_bytes(b"no picture")
    arguments = ("evaluate", "--dataset", "utkface", tmp_path, "--detector", "bundled")
    assert run(*arguments, "--json") == 1
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["dataset"], report["detector"], report["estimator"]) == ("utkface", "faces", "apparent")
    assert (report["pictures"], report["unreadable"]) == (2, 1)
    assert report["figures"]["faces_found"]["value"] == 1.0
    assert report["figures"]["faces_found"]["count"] == 1
    assert list(report["groups"]["age"]) == ["3–9", "70+"]
    assert set(report["figures"]) == {
        *("faces_found", "gender_accuracy", "age_range_exact", "age_range_within_one", "age_mae_years"),
        "age_in_interval",
    }
    assert printed.err.startswith("9_0_0_20170117173333333.jpg: ")
    assert run(*arguments, "--limit", "1") == 0
    printed = capsys.readouterr()
    assert "utkface, pictures 1," in printed.out
    assert printed.err == ""


@pytest.mark.usefixtures("stub")
def test_data_sets_that_make_no_sense_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.csv").write_text("file,age,gender,service_test\n1.jpg,35,Male,False\n")
    for path, told in ((tmp_path, "labels.csv, line 2: "), (tmp_path / "none.tar", "There is no folder")):
        assert run("evaluate", "--dataset", "fairface", path) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith(told)
        assert len(printed.err.splitlines()) == 1


# Usage


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("analyze",),
        ("analyze", HOPPER, "--json", "--csv"),
        ("models", "fetch"),
        ("models", "burn"),
        ("evaluate", SAMPLES),
        ("evaluate", "--dataset", "faces", SAMPLES),
        ("evaluate", "--dataset", "fairface", SAMPLES, "--limit", "0"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        run(*arguments)
    assert exit_info.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.search(r"^usage: (python -m )?agegender", printed.err, re.MULTILINE)
