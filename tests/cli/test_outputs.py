"""Output files: refused before the work if impossible, and written whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import face_on
from films import film
from stubs import Stub

from agegender.analyzer import Analyzer
from agegender.cli import console, outputs
from agegender.cli.main import main
from agegender.cli.outputs import OutputError, beside, check_files, write_bytes
from agegender.types import Box

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    found = Stub(Box(0.25, 0.25, 0.75, 0.75))
    monkeypatch.setattr(console, "build_analyzer", lambda *_: Analyzer(found, found))
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    image = np.full((96, 128, 3), 200, np.uint8)
    return film(tmp_path / "in.mp4", ((i / 10, image) for i in range(10)))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--out", "out.mp4", "--csv", "in.mp4"), "--csv is the same file as IN"),
        (("--out", "out.mp4", "--json", "sub/../in.mp4"), "--json is the same file as IN"),
        (("--out", "out.mp4", "--csv", "out.mp4"), "--csv is the same file as --out"),
        (("--out", "out.mp4", "--csv", "a", "--json", "a"), "--json is the same file as --csv"),
        (("--out", "out.mp4", "--csv", "hard.link"), "--csv is the same file as IN"),
        (("--out", "in.mp4"), "already"),
        (("--out", "none/out.mp4"), "There is no folder"),
        (("--out", "out.mp4", "--csv", "none/a.csv"), "There is no folder"),
        (("--out", "out.mp4", "--csv", "sub"), "is a folder"),
    ],
)
def test_outputs_that_must_not_be_are_told_before_the_work(
    source: Path,
    stub: Stub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(source.parent)
    Path("sub").mkdir()
    os.link("in.mp4", "hard.link")
    before = source.read_bytes()
    assert main(["video", "in.mp4", *arguments]) == 1
    assert told in capsys.readouterr().err
    assert (stub.calls, source.read_bytes()) == (0, before)
    assert sorted(path.name for path in source.parent.iterdir()) == ["hard.link", "in.mp4", "sub"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no folder here that takes no files")
@pytest.mark.parametrize(
    "arguments",
    [
        ("analyze", "x.jpg", "--annotate", "/proc/none"),
        ("evaluate", "--dataset", "utkface", "x", "--plots", "/proc"),
        ("video", "x.mp4", "--out", "/proc/x.mp4"),
    ],
)
def test_folders_that_take_nothing_are_told_before_the_work(
    stub: Stub, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert main(list(arguments)) == 1
    assert "/proc" in capsys.readouterr().err
    assert stub.calls == 0


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("before")
    with pytest.raises(ZeroDivisionError), beside(target) as part:
        part.write_text("half")
        assert target.read_text() == "before"
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert target.read_text() == "before"
    write_bytes(target, b"after")
    assert target.read_text() == "after"
    with pytest.raises(FileExistsError):
        write_bytes(target, b"never", replace=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_full_disk_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(OutputError, match="No space left"):
        write_bytes(tmp_path / "a.jpg", b"picture")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="processes are told apart by POSIX")
def test_what_a_killed_run_left_goes_with_the_next_one(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    stale = tmp_path / f".out.mp4.{done.pid}.part"
    others = [tmp_path / f".out.mp4.{os.getppid()}.part", tmp_path / ".other.mp4.1x.part"]
    for path in (stale, *others):
        path.write_text("half")
    write_bytes(tmp_path / "out.mp4", b"whole")
    assert not stale.exists()
    assert all(path.exists() for path in others)


def test_names_that_differ_are_not_the_same_file(tmp_path: Path) -> None:
    check_files({"IN": tmp_path / "a"}, {"--out": tmp_path / "b", "--csv": None})
    assert not outputs.is_same(tmp_path / "a", tmp_path / "b")
    assert outputs.is_same(tmp_path / "a", tmp_path / "x" / ".." / "a")


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGHUP and SIGINT reach what is started, even if the tests run under nohup or in the background."""
    before = {
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.skipif(os.name != "posix", reason="these are signals of POSIX")
@pytest.mark.usefixtures("heard")
def test_no_signal_leaves_half_a_file_and_the_next_run_works(tmp_path: Path) -> None:
    image = face_on(320, 240, 90)
    source = film(tmp_path / "in.mp4", ((i / 15, image) for i in range(900)))
    out = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "agegender", "video", str(source), "--out", str(out)]
    command += ["--detector", "bundled"]
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        while not list(tmp_path.glob(".out.mp4.*.part")) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        expected = -number if number == signal.SIGKILL else 128 + number
        assert process.wait(timeout=30) == expected
        assert not out.exists()
        assert bool(list(tmp_path.glob(".*.part"))) is (number == signal.SIGKILL)
    short = film(tmp_path / "short.mp4", ((i / 15, image) for i in range(15)))
    command[4] = str(short)
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4", "short.mp4"]
