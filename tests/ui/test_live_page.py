"""The live page without a browser: what it asks of streamlit-webrtc, and what it shows of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import streamlit as st
import streamlit_webrtc
from aiortc.contrib.media import MediaRelay
from streamlit.testing.v1 import AppTest
from stubs import ON_THE_LEFT, Stub

from agegender.analyzer import Analyzer
from agegender.imaging.io import decode
from agegender.types import Image
from agegender.ui import loader

ROOT = Path(__file__).parents[2]


class Streamer:
    """Stands in for `webrtc_streamer`: remembers what it was asked for, and plays when told to."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.state = SimpleNamespace(playing=False, signalling=False)

    def __call__(self, **asked: Any) -> Streamer:
        self.asked = asked
        return self

    def send(self, image: Image) -> Image:
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        returned: Image = self.asked["video_frame_callback"](frame).to_ndarray(format="rgb24")
        return returned


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
    monkeypatch.setattr(streamlit_webrtc, "webrtc_streamer", found)
    monkeypatch.setattr(streamlit_webrtc.relay, "get_global_relay", MediaRelay)
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


def test_it_asks_for_a_small_video_without_sound_and_says_what_becomes_of_it(streamer: Streamer) -> None:
    page = live()
    assert streamer.asked["async_processing"] is True
    constraints = streamer.asked["media_stream_constraints"]
    assert constraints["audio"] is False
    assert constraints["video"]["width"] == {"ideal": 640}
    assert constraints["video"]["facingMode"] == "user"
    assert streamer.asked["rtc_configuration"] == {"iceServers": []}
    assert "analysed in its memory" in texts(page)
    assert "Nothing of the video is stored" in texts(page)
    assert page.button[0].disabled  # nothing to take a picture of


def test_what_is_sent_comes_back_with_a_box_and_in_the_table(streamer: Streamer) -> None:
    page = live()
    streamer.state.playing = True
    rerun(page)
    assert "Connecting" in texts(page)
    assert (streamer.send(picture()) != 90).any()
    rerun(page)
    for text in ("<b>about 29</b> · likely 22–37", "group 25–32, 70 %", "Female", "97 %", "frames a second"):
        assert text in texts(page)
    streamer.asked["on_video_ended"]()
    streamer.state.playing = False
    rerun(page)
    assert "25–32" not in texts(page)


def test_settings_reach_the_frames_while_it_plays(streamer: Streamer) -> None:
    page = live()
    streamer.state.playing = True
    rerun(page)
    image = picture()
    image[:, :160] = 200
    mirrored = streamer.send(image)
    assert mirrored[-1, -1, 0] == 200
    next(toggle for toggle in page.toggle if toggle.label == "Mirror").set_value(False).run()
    assert streamer.send(image)[-1, -1, 0] == 90
    callback = streamer.asked["video_frame_callback"]
    next(toggle for toggle in page.toggle if toggle.label == "Hide faces").set_value(True).run()
    page.slider[0].set_value(0.95)
    page.slider[1].set_value(50).run()
    assert streamer.asked["video_frame_callback"] == callback  # the video went on
    processor = callback.__self__
    settings = processor.settings
    assert (settings.view.blur, settings.view.score, settings.view.smallest_px) == (True, 0.95, 50)


def test_the_other_camera_starts_by_itself_and_is_not_mirrored(streamer: Streamer) -> None:
    page = live()
    front = streamer.asked
    streamer.state.playing = True
    rerun(page)
    streamer.state.playing = False  # the other one does not play yet
    page.segmented_control(key="live-camera").set_value("Back")
    rerun(page)
    back = streamer.asked
    assert back["key"] != front["key"]
    assert back["media_stream_constraints"]["video"]["facingMode"] == "environment"
    assert back["video_frame_callback"].__self__.settings.mirror is False
    assert back["video_frame_callback"].__self__ is not front["video_frame_callback"].__self__
    assert back["desired_playing_state"] is None  # it must settle first
    page.session_state["live_switch"] = "mounting", 0.0
    rerun(page)
    assert streamer.asked["desired_playing_state"] is True
    page.session_state["live_switch"] = "starting", 0.0
    rerun(page)
    assert streamer.asked["desired_playing_state"] is None  # it did not start, so START is there again


def test_a_picture_is_kept_as_it_is_shown(streamer: Streamer) -> None:
    page = live()
    streamer.state.playing = True
    rerun(page)
    shown = streamer.send(picture())
    page.button[0].click().run()
    streamer.send(picture() // 2)
    rerun(page)
    data, name = page.session_state["live_picture"]
    assert name.endswith(".jpg")
    assert np.abs(decode(data).astype(int) - shown).mean() < 3
    assert len(page.get("download_button")) == 1


def test_an_error_is_shown_and_goes(streamer: Streamer, stub: Stub) -> None:
    page = live()
    streamer.state.playing = True
    rerun(page)
    stub.error = RuntimeError("details that are nobody's business")
    streamer.send(picture())
    rerun(page)
    assert "RuntimeError" in page.error[0].value
    assert "business" not in texts(page)
    stub.error = None
    streamer.send(picture())
    rerun(page)
    assert len(page.error) == 0


def test_without_a_connection_it_says_why_after_a_while_and_points_to_the_photos(
    streamer: Streamer,
) -> None:
    page = live()
    streamer.state.signalling = True
    rerun(page)
    page.session_state["live_asked_s"] -= 14
    rerun(page)
    assert "No video has come through" not in texts(page)
    page.session_state["live_asked_s"] -= 1.5
    rerun(page)
    assert "No video has come through" in texts(page)
    assert any(link.proto.page == "Photos" for link in page.get("page_link"))
    streamer.state.signalling = False
    rerun(page)
    assert "No video has come through" in texts(
        page
    )  # the browser has given up: that is no reason to be silent
    streamer.state.signalling = True
    rerun(page)
    assert "No video has come through" not in texts(page)  # another attempt
    page.session_state["live_asked_s"] -= 20
    streamer.send(picture())
    rerun(page)
    assert "No video has come through" not in texts(page)


def test_a_connection_that_breaks_off_at_once_says_so_until_the_next_try(streamer: Streamer) -> None:
    page = live()
    assert "broke off" not in texts(page)
    streamer.state.playing = True
    rerun(page)
    rerun(page)
    assert "broke off" not in texts(page)  # it may come still
    streamer.state.playing = False
    rerun(page)
    assert "broke off" in texts(page)
    streamer.state.playing = True
    rerun(page)
    streamer.send(picture())
    rerun(page)
    streamer.state.playing = False
    rerun(page)
    assert "broke off" not in texts(page)  # this one was stopped


def test_ice_servers_are_made_anew_until_it_plays(
    streamer: Streamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = live()
    servers = [{"urls": "turn:relay.example", "username": "ada", "credential": "s"}]
    monkeypatch.setenv(
        "AGEGENDER_ICE", '[{"urls": "turn:relay.example", "username": "ada", "credential": "s"}]'
    )
    rerun(page)
    assert streamer.asked["rtc_configuration"] == {"iceServers": servers}
    streamer.state.playing = True
    rerun(page)
    monkeypatch.setenv("AGEGENDER_ICE", "none")
    rerun(page)
    assert streamer.asked["rtc_configuration"] == {"iceServers": servers}
