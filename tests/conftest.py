"""Shared fixtures: the optional evaluation data, and an empty model cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["browsing"]

# No test fails because of the clock, however busy the machine.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# The only place that names the folder of optional data (see CONTRIBUTING.md).
SHARED = Path(os.environ.get("AGEGENDER_SHARED") or Path(__file__).parents[2] / "shared")


def optional(part: str) -> Path:
    """A folder of the optional data; skips the test without it."""
    folder = SHARED / part
    if not folder.is_dir():
        pytest.skip(f"optional data: there is no {part} folder beside the checkout (AGEGENDER_SHARED)")
    return folder


@pytest.fixture(scope="session")
def photos() -> Path:
    return optional("photos")


@pytest.fixture(scope="session")
def cases() -> Path:
    return optional("cases")


@pytest.fixture(scope="session")
def mirror() -> Path:
    return optional("models")


@pytest.fixture(scope="session")
def datasets() -> Path:
    return optional("data")


@pytest.fixture(scope="session", autouse=True)
def models_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Isolate the tests from the user's cache and, if there is a mirror, from the network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGEGENDER_CACHE", str(tmp_path_factory.mktemp("cache")))
        if not os.environ.get("AGEGENDER_MIRROR") and (SHARED / "models").is_dir():
            patch.setenv("AGEGENDER_MIRROR", str(SHARED / "models"))
        yield


@pytest.fixture(scope="session", autouse=True)
def style_at_once() -> Iterator[None]:
    """Keep sessions without a browser from waiting for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agegender.ui.sidebar.STYLED_S", 0.0)
        yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no mirror, and no proxy between the tests and their server."""
    monkeypatch.setenv("AGEGENDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AGEGENDER_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"
