"""What runs elsewhere: workflow, hooks, forms and image refer to files and commands that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


JOBS: dict[str, dict[str, Any]] = read(".github/workflows/test.yml")["jobs"]
SCRIPTS = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]


def pythons(job: dict[str, Any]) -> dict[str, set[str]]:
    """A job's Pythons by system."""
    matrix = job["strategy"]["matrix"]
    found = {system: set(matrix["python"]) for system in matrix["os"]}
    for more in matrix["include"]:
        found.setdefault(more["os"], set()).add(more["python"])
    return found


def test_the_pythons_that_are_claimed_are_tested_and_no_others() -> None:
    claimed = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: 3." in line}
    by_system = pythons(JOBS["test"])
    assert by_system["ubuntu-latest"] == claimed
    assert {"macos-latest", "windows-latest"} <= set(by_system)
    assert set().union(*by_system.values()) == claimed
    lowest = min(claimed, key=lambda version: int(version.partition(".")[2]))
    assert PROJECT["requires-python"] == f">={lowest}"
    (step,) = [step for step in JOBS["lowest"]["steps"] if "python-version" in step.get("with", {})]
    assert step["with"]["python-version"] == lowest


def test_every_step_says_what_it_does_and_in_which_version() -> None:
    for name, job in JOBS.items():
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), name
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+", step.get("uses", "a/b@v1")), step


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine")
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_command_is_one(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, capture_output=True)
    for path in re.findall(r"(?<![\w/.-])(?:tests|samples|agegender)/[\w./-]+", script):
        assert (ROOT / path).exists(), path
    for file in re.findall(r"-r (requirements\S*)", script):
        assert (ROOT / file).is_file(), file
    for target in re.findall(r"^make (\w+)", script, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    for marker in re.findall(r"not (\w+)", script):
        assert marker in (ROOT / "pyproject.toml").read_text(), marker


def test_the_lowest_versions_are_those_of_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "tests/lowest.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pins = dict(line.split("==") for line in done.stdout.splitlines())
    for line in PROJECT["dependencies"]:
        name, _, lowest = re.split(r"(>=)", line.partition(",")[0])
        assert pins[name] == lowest
    assert {"av", "streamlit", "pytest"} <= set(pins)


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")
def test_make_help_lists_every_target() -> None:
    command = ["make", "--no-print-directory", "help"]  # which it prints where make runs the tests
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {line.split()[1] for line in listed.splitlines()} == set(phony.split())


def test_slow_tests_are_named() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in (ROOT / "tests").rglob("test_*.py"):
        for name in re.findall(r"@pytest\.mark\.slow\n(?:@.+\n)*def (\w+)", path.read_text(encoding="utf-8")):
            assert f"`{name}`" in text, f"{path.name}: {name}"


def test_hooks_have_the_pinned_versions() -> None:
    pins = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    revisions = {hook["repo"]: hook.get("rev") for hook in read(".pre-commit-config.yaml")["repos"]}
    assert f"ruff=={revisions['https://github.com/astral-sh/ruff-pre-commit'].removeprefix('v')}" in pins


@pytest.mark.parametrize(
    "path",
    [
        ".github/dependabot.yml",
        *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob(".github/ISSUE_TEMPLATE/*")),
    ],
)
def test_forms_can_be_read(path: str) -> None:
    assert read(path)


def test_the_citation_is_of_this_version() -> None:
    import agegender

    citation = read("CITATION.cff")
    assert (citation["version"], citation["license"]) == (agegender.__version__, PROJECT["license"])


def test_the_image_copies_what_is_there_and_looks_after_its_health() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("COPY"):
            assert all((ROOT / source).exists() for source in line.split()[1:-1]), line
    assert any(line.startswith("HEALTHCHECK") and "/_stcore/health" in line for line in lines)
    assert len(lines) <= 15
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {"app.py", "pages", "agegender", "models", "samples", ".streamlit"}.isdisjoint(ignored)
