"""No telemetry: no addresses but those asked for, and no files outside the cache."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NAMESPACE = ("unshare", "--map-root-user", "--net", "--mount")


def trapped(program: str, home: Path) -> dict[str, Any]:
    """Network traffic of a Python program in its own network namespace; skips where that is impossible."""
    if (
        not shutil.which("ip")
        or subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system gives no network of one's own (unshare, ip)")
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    command = [*NAMESPACE, sys.executable, str(ROOT / "tests" / "trap.py"), sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_trap_catches_what_is_told_natively_too(tmp_path: Path) -> None:
    program = "import os; os.system('getent hosts told.example'); import socket;"
    program += "socket.create_connection(('198.51.100.9', 80), 0.2)"
    found = trapped(program, tmp_path / "home")
    assert found["names"] == ["told.example"]
    assert "198.51.100.9" in found["addresses"]


EVERYTHING = """
from pathlib import Path
from agegender import ModelError, build_analyzer
from agegender.analyzer import DETECTORS, ESTIMATORS, analyze_file
built = 0
for names in [(detector, "apparent") for detector in DETECTORS] + [("auto", name) for name in ESTIMATORS]:
    try:
        analyzer = build_analyzer(*names)
    except ModelError as error:
        print(error)
        continue
    built += len(analyze_file(Path("samples/astronaut.png"), analyzer)[1].readings) == 1
from browsing import serve
from visiting import Visitor
for page in ("", "Photos"):
    with serve(Path("{log}")) as url, Visitor(url, page) as visitor:
        visitor.run()
        if page:
            visitor.choose_files([("a.png", Path("samples/astronaut.png").read_bytes())])
            visitor.run()
            assert any("1 face" in text for text in visitor.texts()), visitor.texts()
import subprocess, sys
from browsing import wait_until_healthy
command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", "--server.port=8729"]
with subprocess.Popen(command, stdout=-3, stderr=-3) as process:  # as a host does
    wait_until_healthy(process, "http://127.0.0.1:8729/_stcore/health", Path("{log}"))
    process.terminate()
print("built", built)
"""


def test_building_analysing_and_serving_tell_nobody(tmp_path: Path) -> None:
    found = trapped(EVERYTHING.replace("{log}", str(tmp_path / "log.txt")), tmp_path / "home")
    assert found["status"] == 0, found["output"]
    assert int(found["output"].split()[-1]) >= 2, found["output"]
    asked_for = {"raw.githubusercontent.com"}  # missing models
    assert set(found["names"]) <= asked_for
    assert set(found["addresses"]) <= {"203.0.113.7"}
    if not found["names"]:
        assert found["addresses"] == []
    assert [str(path) for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def test_onnx_runtime_is_imported_only_where_its_telemetry_is_off_by_then() -> None:
    """Both packages turn it off in their `__init__`, which runs before any of their modules."""
    folders = ("agegender", "pages", "training", "benchmarks", "docs")
    files = [ROOT / "app.py", *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    importing = {str(path.relative_to(ROOT)) for path in files if "onnxruntime" in imports(path)}
    assert importing == {"agegender/models/session.py", "training/quantize.py"}
    program = (
        "import sys, os, {}; print('onnxruntime' in sys.modules, os.environ.get('ORT_DISABLE_TELEMETRY'))"
    )
    for package in ("agegender", "training"):
        command = [sys.executable, "-c", program.format(package)]
        environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["False", "1"]


def imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    others = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | others}
