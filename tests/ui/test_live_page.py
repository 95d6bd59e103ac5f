"""The Live page without a browser: its calls of streamlit-webrtc, and what it shows of the results."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import streamlit as st
from aiortc.contrib.media import MediaRelay
from streamlit.testing.v1 import AppTest
from stubs import ON_THE_LEFT, Stub

from agegender.analyzer import Analyzer
from agegender.imaging.io import decode
from agegender.live import patches
from agegender.live.control import Control
from agegender.types import Image
from agegender.ui import live_view, loader

ROOT = Path(__file__).parents[2]


class Streamer:
    """Stands in for `webrtc_streamer`: records its arguments by camera, and plays when told to."""

    def __init__(self) -> None:
        self.asked: dict[str, dict[str, Any]] = {}
        self.state = SimpleNamespace(playing=False, signalling=False)

    def __call__(self, **asked: Any) -> Streamer:
        self.asked[asked["key"].removeprefix("live-")] = asked
        st.session_state[asked["key"]] = self
        return self

    def send(self, image: Image, camera: str = "Front") -> Image:
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        returned: Image = self.asked[camera]["video_frame_callback"](frame).to_ndarray(format="rgb24")
        return returned


class Clock:
    """A clock that can be advanced."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    found = Stub(ON_THE_LEFT)
    monkeypatch.setattr(loader, "analyzer", lambda *_: Analyzer(found, found))
    monkeypatch.setenv("AGEGENDER_ICE", "none")
    return found


@pytest.fixture
def streamer(monkeypatch: pytest.MonkeyPatch, stub: Stub) -> Streamer:
    assert stub.error is None
    found = Streamer()
    monkeypatch.setattr(live_view, "webrtc_streamer", found)
    monkeypatch.setattr(patches, "get_global_relay", MediaRelay)
    monkeypatch.setattr(patches, "close", lambda _: None)
    return found


def live() -> AppTest:
    home = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    home.switch_page("pages/2_Live.py")
    return rerun(home)


def rerun(page: AppTest) -> AppTest:
    page.run()
    assert [exception.value for exception in page.exception] == []
    return page


def texts(page: AppTest) -> str:
    shown = [*page.markdown, *page.caption, *page.error, *page.warning, *page.info]
    return "\n".join(element.value for element in shown) + "\n".join(
        found.proto.body for found in page.get("html")
    )


def picture() -> Image:
    return np.full((240, 320, 3), 90, np.uint8)


def control_of(page: AppTest) -> Control:
    found = page.session_state["live"]
    assert isinstance(found, Control)
    return found


def later(page: AppTest, seconds: float) -> AppTest:
    """Run the page some time later, as far as connections can tell."""
    clock = control_of(page).clock
    if not isinstance(clock, Clock):
        clock = control_of(page).clock = Clock()
    clock.ahead_s += seconds
    return rerun(page)


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    return rerun(page)


def playing(streamer: Streamer) -> AppTest:
    """Open the page and let it play as if the camera had been allowed; no frame has arrived yet."""
    page = live()
    press(page, "START")
    control_of(page).camera_said("ready")
    later(page, 2)
    later(page, 0)
    assert streamer.asked["Front"]["desired_playing_state"] is True
    streamer.state.playing = True
    control_of(page).clock = time.monotonic
    control_of(page)._since_s = time.monotonic() - 0.5
    return rerun(page)


def test_before_start_it_says_what_to_expect_and_opens_nothing(streamer: Streamer) -> None:
    page = live()
    for camera, facing in (("Front", "user"), ("Back", "environment")):
        asked = streamer.asked[camera]
        assert asked["async_processing"] is True
        assert asked["media_stream_constraints"]["audio"] is False
        assert asked["media_stream_constraints"]["video"]["width"] == {"ideal": 640}
        assert asked["media_stream_constraints"]["video"]["facingMode"] == facing
        assert asked["rtc_configuration"] == {"iceServers": []}
        assert asked["desired_playing_state"] is False
    assert "analysed in its memory" in texts(page)
    assert "None of the video is stored" in texts(page)
    assert [button.disabled for button in page.button] == [False, True]  # nothing to take a picture of


def test_what_is_sent_comes_back_with_a_box_and_in_the_table(streamer: Streamer) -> None:
    page = playing(streamer)
    assert (streamer.send(picture()) != 90).any()
    rerun(page)
    for text in ("about 29</b> · likely 22–37", "Female", "97 %", "frames a second over WebRTC"):
        assert text in texts(page)
    press(page, "STOP")
    assert "25–32" not in texts(page)
    assert streamer.asked["Front"]["desired_playing_state"] is False


def test_settings_reach_the_frames_while_it_plays(streamer: Streamer) -> None:
    page = playing(streamer)
    image = picture()
    image[:, :160] = 200
    mirrored = streamer.send(image)
    assert mirrored[-1, -1, 0] == 200
    next(toggle for toggle in page.toggle if toggle.label == "Mirror").set_value(False).run()
    assert streamer.send(image)[-1, -1, 0] == 90
    callback = streamer.asked["Front"]["video_frame_callback"]
    next(toggle for toggle in page.toggle if toggle.label == "Hide faces").set_value(True).run()
    page.slider[0].set_value(0.95)
    page.slider[1].set_value(50).run()
    assert streamer.asked["Front"]["video_frame_callback"] == callback  # the video continued
    view = callback.__self__.processor.settings.view
    assert (view.blur, view.score, view.smallest_px) == (True, 0.95, 50)


def test_the_other_camera_starts_by_itself_and_is_not_mirrored(streamer: Streamer) -> None:
    page = playing(streamer)
    streamer.send(picture())
    rerun(page)
    page.segmented_control(key="live-camera").set_value("Back")
    rerun(page)
    rerun(page)
    assert [streamer.asked[c]["desired_playing_state"] for c in ("Front", "Back")] == [False, False]
    streamer.state.playing = False
    later(page, 4)
    later(page, 0)
    assert [streamer.asked[c]["desired_playing_state"] for c in ("Front", "Back")] == [False, True]
    assert streamer.asked["Back"]["video_frame_callback"].__self__.processor.settings.mirror is False


def test_a_picture_is_kept_as_it_is_shown(streamer: Streamer) -> None:
    page = playing(streamer)
    shown = streamer.send(picture())
    rerun(page)
    press(page, "Take a picture")
    streamer.send(picture() // 2)
    rerun(page)
    data, name, _ = page.session_state["live_picture"]
    assert name.endswith(".jpg")
    assert np.abs(decode(data).astype(int) - shown).mean() < 3
    assert len(page.get("download_button")) == 1


def test_hiding_faces_withdraws_at_once_what_is_not_hidden(streamer: Streamer) -> None:
    page = playing(streamer)
    streamer.send(picture())
    rerun(page)
    press(page, "Take a picture")
    next(toggle for toggle in page.toggle if toggle.label == "Hide faces").set_value(True).run()
    assert "25–32" not in texts(page), "the crops in the table are of a frame that shows faces"
    assert len(page.get("download_button")) == 0
    assert next(button for button in page.button if button.label == "Take a picture").disabled
    streamer.send(picture())
    rerun(page)
    rerun(page)
    assert "25–32" in texts(page)


def test_an_error_is_shown_and_goes(streamer: Streamer, stub: Stub) -> None:
    page = playing(streamer)
    stub.error = RuntimeError("details that are nobody's business")
    streamer.send(picture())
    rerun(page)
    assert "RuntimeError" in page.error[0].value
    assert "business" not in texts(page)
    stub.error = None
    streamer.send(picture())
    rerun(page)
    assert len(page.error) == 0


def test_where_webrtc_brings_nothing_it_says_so_and_goes_another_way(streamer: Streamer) -> None:
    page = live()
    press(page, "START")
    control_of(page).camera_said("ready")
    later(page, 7)
    assert "cannot reach each other" not in texts(page)
    streamer.asked.clear()
    later(page, 2)
    rerun(page)
    assert "cannot reach each other by WebRTC" in texts(page)
    assert not streamer.asked, "its component is gone"
    press(page, "Try WebRTC again")
    assert set(streamer.asked) == {"Front", "Back"}
    assert "cannot reach each other by WebRTC" not in texts(page)


def test_a_problem_of_the_camera_has_a_panel_with_another_way(streamer: Streamer) -> None:
    assert not streamer.asked
    page = press(live(), "START")
    control_of(page).camera_said("NotAllowedError")
    rerun(page)
    assert "The camera is blocked" in texts(page)
    assert any(link.proto.page == "Photos" for link in page.get("page_link"))
    assert any(button.label == "START" for button in page.button)


def test_another_page_ends_it(streamer: Streamer) -> None:
    page = playing(streamer)
    streamer.send(picture())
    page.switch_page("pages/1_Photos.py").run()
    page.switch_page("pages/2_Live.py")
    rerun(page)
    assert control_of(page).phase == "stopped"
    assert streamer.asked["Front"]["desired_playing_state"] is False


def test_a_wrong_list_of_servers_is_told_at_once(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not streamer.asked
    monkeypatch.setenv("AGEGENDER_ICE", "[oops")
    assert "AGEGENDER" in live().warning[0].value


def test_ice_servers_are_made_anew_until_it_plays(
    streamer: Streamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = live()
    servers = [{"urls": "turn:relay.example", "username": "ada", "credential": "s"}]
    monkeypatch.setenv("AGEGENDER_ICE", json.dumps(servers))
    rerun(page)
    assert streamer.asked["Front"]["rtc_configuration"] == {"iceServers": servers}
    press(page, "START")
    monkeypatch.setenv("AGEGENDER_ICE", "none")
    rerun(page)
    assert streamer.asked["Front"]["rtc_configuration"] == {"iceServers": servers}
