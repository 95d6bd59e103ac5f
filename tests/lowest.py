"""Print the lowest versions that the package allows, and what the tests need, for `pip install -r`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROVEN = ("hypothesis", "packaging", "playwright", "pytest", "websockets", "PyYAML")
"""Packages the tests need, in the versions they are run with."""


def lowest() -> list[str]:
    """A line for each requirement of the package and all its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    found = (re.match(r"([\w.-]+)>=([\w.]+)", line) for line in lines)
    return sorted({f"{match[1]}=={match[2]}" for match in found if match})


def tools() -> list[str]:
    """Lines of requirements-dev.txt that the tests cannot do without."""
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.partition("==")[0] in PROVEN]


if __name__ == "__main__":
    print("\n".join([*lowest(), *tools()]))
