"""Whatever the file: an answer within 5 s of computing, and at most 400 MB above idle over all processes.

`AGEGENDER_SOAK_FILES` (5000) makes the fuzzing shorter, `AGEGENDER_SOAK_PICTURES` (1000) and
`AGEGENDER_SOAK_KILLS` (100) the search for leaks. Time is what workers compute.
"""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import hostile
import pytest
import structured
from conftest import optional
from measuring import Tell, all_mb, number_from, peak_mb, tell

from agegender.errors import ImageError
from agegender.imaging.workers import TooMuchError, Workers

__all__ = ["tell"]  # a fixture

FILES = int(number_from("AGEGENDER_SOAK_FILES", 5000))
PICTURES = int(number_from("AGEGENDER_SOAK_PICTURES", 1000))
KILLS = int(number_from("AGEGENDER_SOAK_KILLS", 100))
MOST_S, MOST_MB = 5.0, 400.0


@pytest.fixture
def pool() -> Iterator[Workers]:
    made = Workers()
    made.decode(hostile.sound()["baseline.jpg"])
    yield made
    made.close()


def computed_s(pool: Workers) -> float:
    """Return the seconds that workers, ended ones too, have computed."""
    running = [Path(f"/proc/{worker.process.pid}/stat").read_text().split() for worker in pool._idle]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = sum(int(fields[13]) + int(fields[14]) for fields in running) / 100
    return ended.ru_utime + ended.ru_stime + ticks


def answered(pool: Workers, data: bytes) -> tuple[str, float, float]:
    """Return what became of a file, the seconds of computing and the MB at most."""
    before_s = computed_s(pool)
    idle = all_mb(os.getpid())
    with peak_mb(os.getpid()) as peak:
        try:
            pool.measure(data)
            outcome = "read" if pool.decode_at_least(data, 1280).image.size else ""
            pool.decode(data)
        except TooMuchError:
            outcome = "too much"
        except ImageError:
            outcome = "refused"
    return outcome, computed_s(pool) - before_s, peak[0] - idle


def hold(pool: Workers, name: str, data: bytes, tell: Tell) -> str:
    start_s = time.monotonic()
    outcome, seconds, megabytes = answered(pool, data)
    wall_s = time.monotonic() - start_s
    tell(f"{name}: {outcome} after {wall_s:.1f} s, {seconds:.1f} s of computing, +{megabytes:.0f} MB")
    assert megabytes <= MOST_MB, f"{name}: {megabytes:.0f} MB"
    assert seconds <= MOST_S, f"{name}: {seconds:.1f} s"
    return outcome


def test_hostile_files_from_the_field(pool: Workers, tell: Tell) -> None:
    for path in sorted((optional("cases") / "hostile").iterdir()):
        if path.suffix != ".mkv":
            assert hold(pool, path.name, path.read_bytes(), tell) != "read"


@pytest.mark.parametrize("megapixels", [12, 49.9])
def test_large_pictures_of_every_format(pool: Workers, megapixels: float, tell: Tell) -> None:
    width = int((megapixels * 1e6 * 4 / 3) ** 0.5)
    picture = hostile.noise(int(megapixels * 1e6 / width), width)
    kinds: dict[str, dict[str, object]] = {
        "JPEG": {"quality": 85},
        "JPEG, progressive": {"quality": 85, "progressive": True},
        "JPEG, progressive, 4:4:4": {"quality": 85, "progressive": True, "subsampling": 0},
        "PNG": {"compress_level": 1},
        "TIFF": {"compression": "tiff_lzw"},
        "BMP": {},
    }
    if megapixels < 25:
        kinds |= {"WEBP": {"method": 0}, "AVIF": {"speed": 10}}
    for name, options in kinds.items():
        file = BytesIO()
        picture.save(file, name.partition(",")[0], **options)
        outcome = hold(pool, f"{megapixels} megapixels, {name}", file.getvalue(), tell)
        assert megapixels > 12 or outcome == "read"


def test_files_made_of_misplaced_parts(pool: Workers, tell: Tell) -> None:
    outcomes: Counter[str] = Counter()
    longest, largest = (0.0, ""), (0.0, "")
    for name, data in structured.files(FILES):
        outcome, seconds, megabytes = answered(pool, data)
        outcomes[outcome] += 1
        longest, largest = max(longest, (seconds, name)), max(largest, (megabytes, name))
        assert seconds <= MOST_S and megabytes <= MOST_MB, f"{name}: {seconds:.1f} s, {megabytes:.0f} MB"
    tell(f"{FILES} files: {dict(outcomes)}")
    tell(f"at most {longest[0]:.1f} s of computing ({longest[1]}), +{largest[0]:.0f} MB ({largest[1]})")
    assert min(outcomes["read"], outcomes["refused"]) > FILES // 20, "both are tried"


def test_nothing_leaks(pool: Workers, tell: Tell) -> None:
    files = [hostile.saved(hostile.noise(600 + 10 * i, 800), "JPEG") for i in range(10)]
    for number in range(PICTURES):
        pool.decode(files[number % 10])
        if number == PICTURES // 10:
            first, fds = all_mb(os.getpid()), len(list(Path("/proc/self/fd").iterdir()))
    tell(f"{PICTURES} pictures: {first:.0f} to {all_mb(os.getpid()):.0f} MB")
    for _ in range(KILLS):
        pool._idle[-1].process.kill()
        with pytest.raises(TooMuchError):
            pool.decode(files[0])
        pool.decode(files[0])
    tell(f"{KILLS} killed workers: {all_mb(os.getpid()):.0f} MB")
    assert all_mb(os.getpid()) <= 1.05 * first + 5
    assert len(list(Path("/proc/self/fd").iterdir())) == fds
