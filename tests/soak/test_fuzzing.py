"""Pictures that a coverage-guided fuzzer makes, where it is installed: `pip install atheris==3.0.0`."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MINUTES = float(os.environ.get("AGEGENDER_FUZZ_MINUTES", "5"))


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed (pip install atheris==3.0.0)",
)
def test_no_picture_that_a_fuzzer_finds_breaks_the_decoder(tmp_path: Path) -> None:
    program = Path(__file__).with_name("fuzz_decoding.py")
    (tmp_path / "seeds").mkdir()
    options = [
        str(tmp_path / "seeds"),
        f"-max_total_time={60 * MINUTES:.0f}",
        "-timeout=10",  # seconds for one file, of a process that is watched and so several times slower
        "-rss_limit_mb=1500",
        "-max_len=20000",
        f"-artifact_prefix={tmp_path}/",
        "-seed=7",
        "-print_final_stats=1",
    ]
    done = subprocess.run(
        [sys.executable, str(program), *options],
        cwd=tmp_path,
        capture_output=True,
        timeout=60 * MINUTES + 600,
        check=False,
    )
    told = done.stderr.decode(errors="replace")
    found = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert (done.returncode, found) == (0, []), told[-3000:]
    tried = re.search(r"number_of_executed_units:\s*(\d+)", told)
    assert tried and int(tried[1]) > 1_000
    print(f"\n{int(tried[1]):,} files tried in {MINUTES:g} minutes", end="")
