"""A hundred videos that lie, each in its process: a video or words, and never more than the limits."""

from __future__ import annotations

import resource
import time
from collections import Counter
from io import BytesIO
from pathlib import Path

from lying import lying_videos
from measuring import Tell, number_from, tell

from agegender.analyzer import build_analyzer
from agegender.errors import VideoError
from agegender.video.apart import TOO_MUCH, annotate_apart

__all__ = ["tell"]  # a fixture

VIDEOS = int(number_from("AGEGENDER_SOAK_VIDEOS", 100))
MORE_MB, CPU_S = 400, 20.0
"""Beside what a small sound video takes: two of its clips of 1.5 seconds, up to full HD, are in a file."""


def test_videos_that_lie_end_in_a_video_or_in_words(tmp_path: Path, tell: Tell) -> None:
    analyzer, target = build_analyzer("bundled"), tmp_path / "out.mp4"
    outcomes: Counter[str] = Counter()
    slowest, usual_mb = (0.0, ""), 0.0
    for name, data in lying_videos(VIDEOS):
        before, start = _cpu_s(), time.perf_counter()
        try:
            *_, last = annotate_apart(BytesIO(data), target, analyzer)
            outcome = "video"
            assert target.stat().st_size > 0, name
            assert last.seconds <= 1300, name
            target.unlink()
        except VideoError as error:
            outcome = str(error)
            assert "Invalid" not in outcome, name
        assert not target.exists(), name
        assert list(tmp_path.iterdir()) == [], name
        outcomes[outcome] += 1
        usual_mb = usual_mb or _peak_mb()
        slowest = max(slowest, (_cpu_s() - before, name))
        if outcome == TOO_MUCH:
            tell(f"{name}: ended after {time.perf_counter() - start:.1f} s")
    for outcome, times in outcomes.most_common():
        tell(f"{times} × {outcome}")
    tell(
        f"at most {slowest[0]:.1f} s of computing ({slowest[1]}), {_peak_mb():.0f} MB (usual {usual_mb:.0f})"
    )
    assert slowest[0] <= CPU_S
    assert _peak_mb() <= usual_mb + MORE_MB


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peak_mb() -> float:
    """Return the most memory that any process which has ended has had, in MB of 2**20 bytes."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
