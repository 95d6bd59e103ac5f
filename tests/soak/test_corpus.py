"""The whole corpus of hostile pictures, bombs and all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import hostile
import pytest

SLICES = 6


@pytest.mark.parametrize("first", range(SLICES))
def test_the_whole_corpus_is_read_or_refused_and_nothing_else(first: int, tmp_path: Path) -> None:
    reports = hostile.decoded(tmp_path, first, SLICES, "--bombs")
    longest, largest = max(report.cpu_s for report in reports), max(report.held_mb for report in reports)
    print(f"\n{len(reports)} files, {dict(Counter(report.outcome for report in reports))}", end="")
    print(f"; at most {longest} s of computing and {largest:.0f} MB of memory for one", end="")
    hostile.assert_harmless(reports)
    assert len(reports) * SLICES > 5_000
