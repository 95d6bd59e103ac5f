"""The package: an installation works from any folder, says what it lacks, and keeps its promises."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from browsing import wait_until_healthy
from packaging.requirements import Requirement
from visiting import Visitor

import agegender
from agegender.cli.main import main

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LEFT_OUT = {"agegender"}  # an extra that contains another one names the package itself


def requirements(*parts: list[str]) -> dict[str, Requirement]:
    found = [Requirement(line) for part in parts for line in part]
    return {each.name: each for each in found if each.name not in LEFT_OUT}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel installed, plus everything the tests run with."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    Path(own, "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True, capture_output=True)
    return python


def elsewhere() -> dict[str, str]:
    """The environment, without variables by which an installed program could find the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_the_wheel_analyses_a_sample_from_another_folder(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = str(ROOT / "samples" / "astronaut.png")
    arguments = ["analyze", "--json", "--detector", "bundled", sample]
    program = installed.with_name("agegender.exe" if os.name == "nt" else "agegender")
    done = subprocess.run(
        [program, *arguments], cwd=tmp_path, env=elsewhere(), capture_output=True, text=True, check=True
    )
    assert main(arguments) == 0
    ours, theirs = json.loads(capsys.readouterr().out), json.loads(done.stdout)
    assert theirs == ours
    assert len(ours["faces"]) == 1


def test_the_wheel_serves_the_app_from_another_folder(installed: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(installed), "-m", "agegender", "app", "--port", str(port)]
    command += ["--address", "127.0.0.1", "--headless"]
    log = tmp_path / "log.txt"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=tmp_path, env=elsewhere(), stdout=output, stderr=output) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_healthy(process, f"{url}/_stcore/health", log)
            with Visitor(url) as visitor:
                visitor.run()
                assert any("Female" in text for text in visitor.texts())
        finally:
            process.terminate()
            process.wait(10)


def test_the_wheel_names_its_version_and_its_types(installed: Path, tmp_path: Path) -> None:
    code = (
        "import agegender, importlib.metadata, importlib.resources\n"
        "print(agegender.__version__, importlib.metadata.version('agegender'))\n"
        "print(importlib.resources.files('agegender').joinpath('py.typed').is_file())"
    )
    done = subprocess.run(
        [installed, "-c", code], cwd=tmp_path, env=elsewhere(), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [agegender.__version__, agegender.__version__, "True"]


def test_public_names_are_there_and_load_nothing_heavy_before_they_are_used() -> None:
    code = "import sys, agegender; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"numpy", "cv2", "onnxruntime", "PIL"}.isdisjoint(loaded.stdout.split())
    for name in agegender.__all__:
        assert getattr(agegender, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        agegender.analyse  # noqa: B018


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [(["video", "in.mp4", "--out", "out.mp4"], "av", "video"), (["app"], "streamlit", "app")],
)
def test_a_command_that_lacks_its_libraries_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    module: str,
    extra: str,
) -> None:
    monkeypatch.setattr(
        "agegender.cli.console.find_spec", lambda name: None if name == module else find_spec(name)
    )
    assert main(command) == 1
    told = capsys.readouterr().err
    assert module in told and f"agegender[{extra}]" in told


def test_pins_lie_within_the_ranges_of_the_package_and_leave_none_out() -> None:
    extras = PROJECT["optional-dependencies"]
    ranges = requirements(PROJECT["dependencies"], *extras.values())
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.partition(";")[0].split("==") for line in lines if line and line[0] != "#")
    for name, pin in pins.items():
        assert ranges[name].specifier.contains(pin), f"{name} {pin} is not in {ranges[name]}"
    assert set(requirements(PROJECT["dependencies"], extras["app"], extras["video"])) <= set(pins)
