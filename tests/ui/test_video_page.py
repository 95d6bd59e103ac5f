"""The video page and the command without a browser: what they show, and that nothing stays behind."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from films import film
from streamlit.testing.v1 import AppTest
from stubs import AGE, GENDER, ON_THE_LEFT, Stub

from agegender.analyzer import Analyzer
from agegender.cli import console
from agegender.cli.main import main
from agegender.text import clock
from agegender.tracking.people import Person
from agegender.ui import loader, timeline, video_result

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    st.cache_data.clear()
    st.cache_resource.clear()
    found = Stub(ON_THE_LEFT, sees=lambda image: bool(image.max() > 128))
    monkeypatch.setattr(loader, "build_analyzer", lambda *_: Analyzer(found, found))
    monkeypatch.setattr(console, "build_analyzer", lambda *_: Analyzer(found, found))
    monkeypatch.setattr(loader, "fetch_model", lambda _: None)
    yield found
    st.cache_resource.clear()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files lie."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def make(path: Path, seconds: float = 2.0, level: int = 200) -> Path:
    image = np.full((96, 128, 3), level, np.uint8)
    return film(path, ((i / 10, image) for i in range(round(10 * seconds))), sound="aac", rate=10)


def video_page(path: Path | None = None) -> AppTest:
    """Return the page, after an upload of this file if there is one."""
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    good(page.switch_page("pages/3_Video.py").run())
    if path:
        page.file_uploader[0].set_value((path.name, path.read_bytes(), "video/mp4")).run()
    return good(page)


def good(page: AppTest) -> AppTest:
    assert [exception.value for exception in page.exception] == []
    return page


def press(page: AppTest, label: str) -> AppTest:
    (button,) = [button for button in page.button if button.label == label]
    return good(button.click().run())


def html(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def downloads(page: AppTest) -> list[str]:
    return [button.proto.label for button in page.get("download_button")]


def test_limits_are_told_before_anything_is_uploaded(stub: Stub) -> None:
    page = video_page()
    calls = stub.calls
    assert "up to 10 minutes and 200 MB" in page.file_uploader[0].label
    assert (len(page.button), stub.calls) == (0, calls)


def test_a_video_shows_its_people_and_leaves_no_file(stub: Stub, tmp_path: Path, temporary: Path) -> None:
    page = video_page(make(tmp_path / "in.mp4"))
    calls = stub.calls
    press(page, "Find faces")
    assert stub.calls - calls == 20
    assert "**1 person** in 2 seconds" in [text.value for text in page.markdown]
    assert len(page.get("video")) == 1
    assert len(page.get("arrow_vega_lite_chart")) + len(page.get("vega_lite_chart")) == 1
    assert all(words in html(page) for words in ("<b>25–32</b> 70 %", "<b>Female</b> 97 %", "2.0 s"))
    assert downloads(page) == ["Video (MP4)", "Table (CSV)", "Data (JSON)"]
    assert list(temporary.iterdir()) == []
    assert "Stop" not in [button.label for button in page.button]


def test_it_does_not_start_by_itself_nor_twice(stub: Stub, tmp_path: Path) -> None:
    page = video_page(make(tmp_path / "in.mp4"))
    calls = stub.calls
    page.run()
    assert stub.calls == calls
    press(page, "Find faces")
    calls = stub.calls
    good(page.run())
    assert stub.calls == calls
    assert len(page.get("video")) == 1


def test_stopping_half_way_leaves_no_file_and_does_not_go_on(
    stub: Stub, tmp_path: Path, temporary: Path
) -> None:
    page = video_page(make(tmp_path / "in.mp4"))
    stub.calls = 0

    def click_stop() -> None:
        if stub.calls == 7:
            assert [path.name for folder in temporary.iterdir() for path in folder.iterdir()] == ["video.mp4"]
            st.session_state.video_running = None  # as the button's callback does
            st.rerun()

    stub.then = click_stop
    press(page, "Find faces")
    assert stub.calls == 7
    assert list(temporary.iterdir()) == []
    assert [button.label for button in page.button] == ["Find faces"]
    assert len(page.get("video")) == 0


@pytest.mark.usefixtures("stub")
def test_what_is_no_video_is_told_and_another_can_follow(tmp_path: Path, temporary: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video\n" * 99)
    page = press(video_page(bad), "Find faces")
    assert "not a video" in page.error[0].value
    assert list(temporary.iterdir()) == []
    better = make(tmp_path / "in.mp4")
    page.file_uploader[0].set_value((better.name, better.read_bytes(), "video/mp4")).run()
    assert len(page.error) == 0
    assert len(press(page, "Find faces").get("video")) == 1


@pytest.mark.usefixtures("stub")
def test_a_video_without_faces_says_so(tmp_path: Path) -> None:
    page = press(video_page(make(tmp_path / "dark.mp4", level=20)), "Find faces")
    assert "No face was found" in page.info[0].value
    assert downloads(page) == ["Video (MP4)"]


@pytest.mark.usefixtures("stub")
def test_the_sample_is_made_on_the_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_result, "EVERY_S", 0.0)
    page = video_page()
    page.segmented_control[0].set_value("Sample").run()
    assert len(press(page, "Find faces").get("video")) == 1


def test_times_are_told_as_players_do() -> None:
    assert [clock(seconds) for seconds in (0, 5.4, 65, 599.6)] == ["0:00", "0:05", "1:05", "10:00"]
    person = Person(3, AGE, GENDER, ((0.0, 2.0), (61.0, 65.0)), b"")
    assert timeline.description([person]) == "Person 3: 0:00 to 0:02, 1:01 to 1:05"


@pytest.mark.usefixtures("stub")
def test_the_command_writes_the_video_and_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(make(tmp_path / "in.mp4"))
    out, table, data = (str(tmp_path / name) for name in ("out.mp4", "out.csv", "out.json"))
    assert main(["video", source, "--out", out, "--csv", table, "--json", data, "--per-second", "5"]) == 0
    assert "Female 97 %" in capsys.readouterr().out
    with Path(table).open(encoding="utf-8", newline="") as file:
        assert [row["seconds"] for row in csv.DictReader(file)] == ["2.0"]
    assert json.loads(Path(data).read_text(encoding="utf-8"))["people"][0]["seconds"] == 2.0
    before = Path(out).read_bytes()
    assert main(["video", source, "--out", out]) == 1
    assert "already" in capsys.readouterr().err
    assert Path(out).read_bytes() == before
