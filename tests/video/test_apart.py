"""A video in a process of its own: whatever becomes of that one, this one gets words and keeps nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from clips import face_on
from films import film

from agegender.analyzer import Analyzer, build_analyzer
from agegender.errors import VideoError
from agegender.video import apart, limits
from agegender.video.annotate import annotate_video
from agegender.video.apart import annotate_apart

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of Unix")


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return build_analyzer("bundled")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = face_on(320, 240, 90)
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    return film(path, ((i / 15, image) for i in range(90)), sound="aac")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started, as they are."""
    found: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start(*arguments: object, **named: object) -> subprocess.Popen[bytes]:
        found.append(real(*arguments, **named))  # type: ignore[call-overload]
        return found[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    return found


def test_it_says_the_same_as_in_this_process(tmp_path: Path, analyzer: Analyzer, clip: Path) -> None:
    *_, here = annotate_video(clip, tmp_path / "here.mp4", analyzer)
    steps = list(annotate_apart(clip, tmp_path / "there.mp4", analyzer))
    there = steps[-1]
    assert (there.people, there.frames, there.seconds) == (here.people, here.frames, here.seconds)
    assert there.people and there.people[0].crop.startswith(b"\xff\xd8")
    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()
    parts = [step.part for step in steps]
    assert parts == sorted(parts)


def test_an_upload_is_read_from_this_process_s_memory(
    tmp_path: Path, analyzer: Analyzer, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    *_, last = annotate_apart(BytesIO(clip.read_bytes()), tmp_path / "out.mp4", analyzer)
    assert last.frames == 90


def ended(steps: Iterator[object]) -> str:
    with pytest.raises(VideoError) as told:
        list(steps)
    return str(told.value)


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGXCPU])
def test_a_native_crash_is_an_error_in_words(
    tmp_path: Path, analyzer: Analyzer, clip: Path, started: list[subprocess.Popen[bytes]], how: int
) -> None:
    steps = annotate_apart(clip, tmp_path / "out.mp4", analyzer)
    next(steps)
    started[0].send_signal(how)
    assert "than a video should" in ended(steps)
    assert list(tmp_path.iterdir()) == []
    *_, last = annotate_apart(clip, tmp_path / "out.mp4", analyzer)  # nobody else notices
    assert last.frames == 90


def test_stopping_ends_the_process_and_removes_its_file(
    tmp_path: Path, analyzer: Analyzer, clip: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    with closing(annotate_apart(clip, tmp_path / "out.mp4", analyzer)) as steps:
        next(steps)
    assert started[0].returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_words_of_the_other_process_come_through(tmp_path: Path, analyzer: Analyzer) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video\n" * 99)
    assert "not a video" in ended(annotate_apart(tmp_path / "bad.mp4", tmp_path / "out.mp4", analyzer))
    assert "cannot be opened" in ended(annotate_apart(tmp_path / "none", tmp_path / "out.mp4", analyzer))


LIMITS = "from agegender.imaging.sandbox import address_space_bytes\nfrom agegender.video import limits\n"


def limited(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIMITS + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a limit of address space")
def test_memory_beyond_the_limit_is_not_had() -> None:
    take = "limits.limit_memory(address_space_bytes(), 1000)\nbytearray({} * 10**6)"
    assert limited(take.format(100)).returncode == 0
    assert "MemoryError" in limited(take.format(600)).stderr


def test_a_step_that_does_not_end_is_ended() -> None:
    code = "limits.STEP_S = 1\nlimits.limit_step()\nwhile True: pass"
    assert limited(code).returncode == -signal.SIGXCPU


def test_a_small_file_may_compute_for_less_than_a_large_one() -> None:
    code = "import resource\nlimits.limit_whole({}, 10_000, 72_000)\n"
    code += "print(resource.getrlimit(resource.RLIMIT_CPU)[1])"
    small, large = (int(limited(code.format(size)).stdout) for size in (2_661, 200_000_000))
    assert limits.WHOLE_S < small < 300 < large


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_it_ends_with_the_one_that_started_it(tmp_path: Path, clip: Path) -> None:
    code = (
        "import subprocess\nfrom pathlib import Path\n"
        "from agegender.analyzer import build_analyzer\nfrom agegender.video import apart\n"
        "real = subprocess.Popen\n"
        "class Popen(real):\n"
        "    def __init__(self, *a, **k):\n"
        "        super().__init__(*a, **k)\n"
        "        print(self.pid, flush=True)\n"
        "apart.subprocess.Popen = Popen\n"
        f"steps = apart.annotate_apart(Path({str(clip)!r}), Path({str(tmp_path / 'o.mp4')!r}), "
        "build_analyzer('bundled'))\n"
        "next(steps)\ninput()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert parent.stdin and parent.stdout
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for pipe in (parent.stdin, parent.stdout):
        pipe.close()
    for _ in range(200):
        if not _runs(child):
            break
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def test_credentials_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "secret")
    monkeypatch.setenv("AGEGENDER_ICE", "secret")
    monkeypatch.setenv("AGEGENDER_CACHE", "there")
    found = apart._environment()
    assert "secret" not in found.values()
    assert found["AGEGENDER_CACHE"] == "there"
    assert str(Path(__file__).parents[2]) in found["PYTHONPATH"].split(os.pathsep)
