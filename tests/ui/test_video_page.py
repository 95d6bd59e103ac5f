"""The video page and command without a browser: what they show, and that nothing stays behind."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

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
from agegender.ui import loader, people_table, video_result

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
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def make(path: Path, seconds: float = 2.0, level: int = 200) -> Path:
    image = np.full((96, 128, 3), level, np.uint8)
    return film(path, ((i / 10, image) for i in range(round(10 * seconds))), sound="aac", rate=10)


def video_page(path: Path | None = None) -> AppTest:
    """The page, after uploading this file if there is one."""
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
    assert "**1 person** in 2 s" in [text.value for text in page.markdown]
    assert len(page.get("video")) == 1
    known = ("<b>about 29</b> · likely 22–37", "group 25–32, 70 %", "<b>Female</b> 97 %", "2.0 s")
    assert all(words in html(page) for words in known)
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
    assert "**No faces found.**" in page.info[0].value
    assert downloads(page) == ["Video (MP4)"]


@pytest.mark.usefixtures("stub")
def test_the_sample_is_made_on_the_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_result, "EVERY_S", 0.0)
    page = video_page()
    page.segmented_control[0].set_value("Sample").run()
    assert len(press(page, "Find faces").get("video")) == 1


def test_times_are_told_as_players_do() -> None:
    assert [clock(seconds) for seconds in (0, 5.4, 65, 599.6)] == ["0:00", "0:05", "1:05", "10:00"]


def test_every_bar_lies_where_its_person_is_in_view_and_leads_there() -> None:
    person = Person(3, AGE, GENDER, ((0.0, 2.0), (60.0, 65.0)), b"")
    table = people_table.timeline([person], 100.0)
    bars = re.findall(r"class='bar (\w+)' data-seek='([\d.]+)' style='(.*?)' aria-label='(.*?)'", table)
    assert bars == [
        ("female", "0.00", "left:0.00%;width:2.00%", "Person 3 in view from 0:00 to 0:02"),
        ("female", "60.00", "left:60.00%;width:5.00%", "Person 3 in view from 1:00 to 1:05"),
    ]
    assert "data-seek='0.00' aria-label='Person 3: go to 0:00'" in table


def test_a_result_stays_from_page_to_page_and_says_when_settings_changed(stub: Stub, tmp_path: Path) -> None:
    page = press(video_page(make(tmp_path / "in.mp4")), "Find faces")
    page.switch_page("pages/1_Photos.py").run()
    calls = stub.calls
    page.switch_page("pages/3_Video.py").run()
    assert (len(good(page).get("video")), stub.calls) == (1, calls)
    assert "Still here: in\\.mp4" in [caption.value for caption in page.caption]
    told = "**Settings changed: process again.**"
    assert told not in [text.value for text in page.markdown]
    page.sidebar.slider(key="choose-score").set_value(0.8).run()
    assert told in [text.value for text in good(page).markdown]
    assert len(press(page, "Process again").get("video")) == 1
    assert told not in [text.value for text in page.markdown]


@pytest.mark.usefixtures("stub")
def test_what_shows_faces_is_withdrawn_when_they_are_to_be_hidden(tmp_path: Path) -> None:
    page = press(video_page(make(tmp_path / "in.mp4")), "Find faces")
    page.sidebar.toggle(key="choose-blur").set_value(True).run()
    assert (len(good(page).get("video")), downloads(page)) == (0, [])
    assert "data:image" not in html(page)
    assert "made with its faces shown" in page.info[0].value
    press(page, "Process again")
    assert len(page.get("video")) == 1
    assert len(downloads(page)) == 3


@pytest.mark.usefixtures("stub")
def test_about_how_long_it_will_take_is_told_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "in.mp4", seconds=4.0)
    steps = [SimpleNamespace(elapsed_s=2.0, part=0.025)]
    monkeypatch.setattr(video_result, "annotate_apart", lambda *_: (step for step in steps))
    assert "Takes about 1 min 20 s." in [caption.value for caption in video_page(path).caption]


@pytest.mark.usefixtures("stub")
def test_the_command_writes_the_video_and_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(make(tmp_path / "in.mp4"))
    out, table, data = (str(tmp_path / name) for name in ("out.mp4", "out.csv", "out.json"))
    assert main(["video", source, "--out", out, "--csv", table, "--json", data, "--per-second", "5"]) == 0
    assert "Female 97 %" in capsys.readouterr().out
    with Path(table).open(encoding="utf-8-sig", newline="") as file:
        assert [row["seconds"] for row in csv.DictReader(file)] == ["2.0"]
    assert json.loads(Path(data).read_text(encoding="utf-8"))["people"][0]["seconds"] == 2.0
    before = Path(out).read_bytes()
    assert main(["video", source, "--out", out]) == 1
    assert "already" in capsys.readouterr().err
    assert Path(out).read_bytes() == before
