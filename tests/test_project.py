"""Project-wide rules that no linter checks."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]


def imported(source: Path) -> set[str]:
    """Top-level names of all packages that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_one_distribution_provides_cv2() -> None:
    providers = {
        file.dist.metadata["Name"]
        for distribution in importlib.metadata.distributions()
        for file in distribution.files or ()
        if str(file) == "cv2/__init__.py" and file.dist is not None
    }
    assert providers == {"opencv-python-headless"}


def test_every_requirement_is_pinned() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9.]+(; .+)?", line)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_leave_tensors_to_the_library(page: Path) -> None:
    assert imported(page).isdisjoint({"cv2", "onnxruntime", "av"})


def test_the_command_line_starts_without_the_web_app() -> None:
    code = "import sys, agegender.__main__; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"streamlit", "pandas", "altair", "av"}.isdisjoint(loaded.stdout.split())


def test_the_readme_example_runs() -> None:
    code = re.findall("```python\n(.+?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Female 25–32 ")


def test_the_map_names_every_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in (ROOT / "agegender").iterdir():
        if path.stem[0] != "_" and path.suffix in ("", ".py") and path.stem != "bundled":
            assert f"`{path.stem}`" in text, path.stem
