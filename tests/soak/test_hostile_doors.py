"""Hostile files at every door: words within 5 s of computing, and at most 400 MB above a sound file.

Each command is run with a sound file first: its memory is what the door takes anyway. Time is that of all its
processes together, as the clock tells more of what else the machine does.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from browsing import ROOT, serve
from clips import face_on
from conftest import optional
from films import film
from measuring import Tell, all_mb, computed_s, peak_mb, process_of, tell
from visiting import Visitor

__all__ = ["tell"]  # a fixture

MOST_S, MOST_MB = 5.0, 400.0
SOUND = ROOT / "samples" / "astronaut.png"
LIBRARY = (
    "import sys; from pathlib import Path; from agegender import ImageError, build_analyzer; "
    "from agegender.analyzer import analyze_file\n"
    "try: print(analyze_file(Path(sys.argv[1]), build_analyzer('bundled')))\n"
    "except ImageError as error: print(error)"
)
DOORS = {
    "the library": ["-c", LIBRARY, "{}"],
    "analyze": ["-m", "agegender", "analyze", "{}"],
    "analyze --annotate": ["-m", "agegender", "analyze", "{}", "--annotate", "{out}"],
    "video": ["-m", "agegender", "video", "{}", "--out", "{out}"],
    "batch": ["-m", "agegender", "batch", "{}", "--out", "{out}", "--workers", "1"],
}


def hostile_pictures() -> list[Path]:
    return sorted(path for path in (optional("cases") / "hostile").iterdir() if path.suffix != ".mkv")


def ran(door: str, path: Path, out: Path) -> tuple[float, float, str]:
    """Return the seconds that a command computes, the MB at most of all its processes, and what it says."""
    command = [part.format(path, out=out) if part != LIBRARY else part for part in DOORS[door]]
    before_s = ended_s()
    with (
        subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
        peak_mb(process.pid) as peak,
    ):
        told = process.communicate(timeout=60)[0]
    return ended_s() - before_s, peak[0], told


def ended_s() -> float:
    """Return the seconds that processes which have ended have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def answered(process: int, doing: Callable[[], float]) -> tuple[float, float, float]:
    """Return what an answer takes: seconds of the server's computing and of the clock, MB above idle."""
    idle_mb, before_s = all_mb(process), computed_s(process)
    with peak_mb(process) as peak:
        clock_s = doing()
    return computed_s(process) - before_s, clock_s, peak[0] - idle_mb


@pytest.mark.parametrize("door", [door for door in DOORS if door != "video"])
def test_pictures_at_the_doors_of_a_terminal(door: str, tmp_path: Path, tell: Tell) -> None:
    usual_s, usual_mb, told = ran(door, SOUND, tmp_path / "sound")
    assert "Traceback" not in told
    tell(f"{door}, a sound picture: {usual_s:.1f} s, {usual_mb:.0f} MB")
    for path in hostile_pictures():
        seconds, megabytes, told = ran(door, path, tmp_path / path.stem)
        tell(f"{door}, {path.name}: {seconds:.1f} s, {megabytes - usual_mb:+.0f} MB")
        assert "Traceback" not in told
        assert seconds <= MOST_S, path.name
        assert megabytes - usual_mb <= MOST_MB, path.name


def test_a_folder_of_them(tmp_path: Path, tell: Tell) -> None:
    """Each is told of, and the sound picture among them is read."""
    for path in (*hostile_pictures(), SOUND):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    seconds, megabytes, told = ran("analyze", tmp_path, tmp_path)
    tell(f"analyze, a folder of all: {seconds:.1f} s, {megabytes:.0f} MB")
    assert "Female" in told
    for path in hostile_pictures():
        assert f"{path.name}: The picture" in told
    assert seconds <= MOST_S * len(hostile_pictures())


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "log.txt") as address:
        yield address


def test_pictures_on_the_page(url: str, tell: Tell) -> None:
    """While they are dealt with, two at a time, somebody else's photo is analysed."""
    process, files = process_of(url), hostile_pictures()
    with Visitor(url, "Photos") as one, Visitor(url, "Photos") as two, Visitor(url, "Photos") as third:
        for visitor in (one, two, third):
            visitor.run()
        third.choose_files([("a.png", SOUND.read_bytes())])
        third.run()
        for path in files:
            one.choose_files([(path.name, path.read_bytes())])
            seconds, clock_s, megabytes = answered(process, one.run)
            tell(f"Photos, {path.name}: {seconds:.1f} s ({clock_s:.1f} s pass), {megabytes:+.0f} MB")
            assert any("could not be read" in text for text in one.texts())
            assert seconds <= MOST_S and megabytes <= MOST_MB, path.name
        with ThreadPoolExecutor(2) as pool:
            for visitor, path in ((one, files[1]), (two, files[2])):
                visitor.choose_files([(path.name, path.read_bytes())])
            third.choose_files([("b.png", SOUND.read_bytes() + b" ")])
            running = [pool.submit(visitor.run) for visitor in (one, two)]
            clock_s = third.run()
            busy = sum(not future.done() for future in running)
        tell(f"Photos, a photo beside two of these: {clock_s:.1f} s pass, {busy} are still being read")
        assert any("Female" in text for text in third.texts())


def test_a_video_at_both_doors(url: str, tmp_path: Path, tell: Tell) -> None:
    data = (optional("cases") / "hostile" / "audio-gap.mkv").read_bytes()
    gap, sound = tmp_path / "gap.mkv", tmp_path / "sound.mp4"
    gap.write_bytes(data)
    film(sound, ((n / 15, face_on(640, 480, 200)) for n in range(15)))
    process = process_of(url)
    usual_s, usual_mb, _ = ran("video", sound, tmp_path / "sound-out.mp4")
    seconds, megabytes, told = ran("video", gap, tmp_path / "gap-out.mp4")
    tell(f"video, a sound one: {usual_s:.1f} s; {gap.name}: {seconds:.1f} s, {megabytes - usual_mb:+.0f} MB")
    assert "Traceback" not in told
    assert seconds <= MOST_S and megabytes - usual_mb <= MOST_MB
    with Visitor(url, "Video") as visitor:
        visitor.run()
        visitor.choose_files([("gap.mkv", data)])
        seconds, clock_s, megabytes = answered(process, visitor.run)  # tells how long it will take
        tell(f"Video, chosen: {seconds:.1f} s ({clock_s:.1f} s pass), {megabytes:+.0f} MB")
        assert seconds <= MOST_S and megabytes <= MOST_MB
        seconds, clock_s, megabytes = answered(process, lambda: visitor.press("Find faces"))
        tell(f"Video, processed: {seconds:.1f} s ({clock_s:.1f} s pass), {megabytes:+.0f} MB")
        assert seconds <= MOST_S and megabytes <= MOST_MB
