"""A coverage-guided fuzzer (atheris, which is libFuzzer for Python) on decoding: run by `test_fuzzing.py`.

It sees which lines of Pillow's own Python and of ours a file reaches, and prefers files that reach new ones.
The libraries in C are not watched, but have to stand whatever comes by.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

with atheris.instrument_imports(include=["PIL", "pillow_heif", "agegender"]):
    import hostile


def fuzz(data: bytes) -> None:
    result = hostile.outcome(data)
    if result not in ("picture", "refused"):
        raise AssertionError(result)


def main() -> None:
    warnings.simplefilter("ignore")
    seeds = Path(sys.argv[1])
    for name, data in hostile.sound().items():
        (seeds / name).write_bytes(data)
    atheris.Setup([sys.argv[0], *sys.argv[1:]], fuzz)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
