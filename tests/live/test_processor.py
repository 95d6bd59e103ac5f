"""Frames of every kind go through; nothing stops the picture, piles up or stays behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import VideoStreamTrack
from aiortc.contrib.media import MediaRelay
from clips import face_on
from streamlit_webrtc.models import CallbackAttachableProcessor
from streamlit_webrtc.process import AsyncVideoProcessTrack
from stubs import Stub

from agegender import runtime
from agegender.analyzer import Analyzer
from agegender.drawing.view_options import ViewOptions
from agegender.errors import ModelError
from agegender.live.patches import let_nothing_queue_up
from agegender.live.processor import Settings, VideoProcessor
from agegender.live.webrtc import WebRTC, to_image
from agegender.live.worker import PATIENCE_S
from agegender.types import Box, Image

MIDDLE = Box(0.4, 0.3, 0.6, 0.6)


def webrtc_of(
    stub: Stub, clock: Callable[[], float] = time.monotonic, *, mirror: bool = False, **view: object
) -> WebRTC:
    settings = Settings(Analyzer(stub, stub), ViewOptions(**view), mirror)  # type: ignore[arg-type]
    # A quick analysis is waited for however busy the machine is, a slow one as in earnest.
    return WebRTC(VideoProcessor(settings, clock), PATIENCE_S if stub.seconds else 60.0)


def frame_of(image: Image, pixels: str = "yuv420p", pts: int = 0) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
    frame.pts, frame.time_base = pts, Fraction(1, 90_000)
    return frame


def grey(width: int = 640, height: int = 480, level: int = 90) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def settle() -> None:
    """Wait until no analysis is under way."""
    for thread in threading.enumerate():
        if thread.name == "live-analysis":
            thread.join(10)


@pytest.mark.parametrize("pixels", ["yuv420p", "rgb24", "bgr24", "gray", "yuvj420p", "nv12", "rgba"])
@pytest.mark.parametrize("size", [(640, 480), (641, 479), (480, 640), (33, 17), (1280, 720)])
def test_a_frame_of_any_format_and_size_comes_back_annotated(pixels: str, size: tuple[int, int]) -> None:
    width, height = size
    webrtc = webrtc_of(Stub(MIDDLE))
    returned = webrtc.recv(frame_of(grey(width, height), pixels, pts=1234))
    assert (returned.width, returned.height) == (width, height)
    assert (returned.pts, returned.time_base) == (1234, Fraction(1, 90_000))
    assert webrtc.processor.latest is not None
    assert webrtc.processor.latest.error is None
    assert len(webrtc.processor.latest.tracks) == 1
    difference = returned.to_ndarray(format="rgb24").astype(int) - webrtc.processor.latest.image
    assert (np.abs(difference) > 60).any(), "no box was drawn"


def test_the_mirrored_picture_is_looked_at_and_sent_back_mirrored() -> None:
    image = grey()
    image[:, :200] = (200, 0, 0)
    webrtc = webrtc_of(Stub(), mirror=True)
    returned = webrtc.recv(frame_of(image, "rgb24")).to_ndarray(format="rgb24")
    np.testing.assert_array_equal(returned, image[:, ::-1])


class Turned:
    """A frame that its camera says must be turned to be upright; PyAV can only read such a mark."""

    def __init__(self, frame: av.VideoFrame, rotation: int) -> None:
        self.rotation = rotation
        self.to_ndarray = frame.to_ndarray


@pytest.mark.parametrize("rotation", [0, 90, 180, -90, -180])
def test_a_turned_frame_is_made_upright(rotation: int) -> None:
    upright = face_on(320, 240, 60)
    as_taken = np.rot90(upright, -rotation // 90)
    frame = Turned(frame_of(np.ascontiguousarray(as_taken), "rgb24"), rotation)
    np.testing.assert_array_equal(to_image(frame, mirror=False), upright)  # type: ignore[arg-type]


def test_sizes_may_change_at_any_time() -> None:
    stub = Stub(MIDDLE)
    webrtc = webrtc_of(stub)
    for width, height in [(320, 240), (640, 480), (480, 640), (640, 360), (2, 2), (640, 480)]:
        returned = webrtc.recv(frame_of(grey(width, height)))
        assert (returned.width, returned.height) == (width, height)
        assert webrtc.processor.latest is not None
        assert webrtc.processor.latest.error is None


def test_nobody_and_thirty_people() -> None:
    webrtc = webrtc_of(Stub())
    untouched = webrtc.recv(frame_of(grey(), "rgb24")).to_ndarray(format="rgb24")
    np.testing.assert_array_equal(untouched, grey())
    crowd = [
        Box(0.02 + 0.16 * (i % 6), 0.02 + 0.19 * (i // 6), 0.12 + 0.16 * (i % 6), 0.15 + 0.19 * (i // 6))
        for i in range(30)
    ]
    webrtc = webrtc_of(Stub(*crowd))
    webrtc.recv(frame_of(grey()))
    assert webrtc.processor.latest is not None
    assert len(webrtc.processor.latest.tracks) == len(webrtc.processor.latest.analysis.readings) == 30
    lefts = [reading.face.box.left for reading in webrtc.processor.latest.analysis.readings]
    assert lefts == sorted(lefts)


@pytest.mark.parametrize(
    ("error", "text"),
    [(ModelError("The net is ill."), "The net is ill."), (ZeroDivisionError("x"), "ZeroDivisionError")],
)
def test_an_error_gives_the_raw_frame_is_logged_once_and_told_and_passes(
    error: Exception, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    stub = Stub(MIDDLE)
    stub.error = error
    webrtc = webrtc_of(stub)
    for _ in range(5):
        frame = frame_of(grey())
        assert webrtc.recv(frame) is frame
    assert webrtc.processor.latest is not None
    assert text in (webrtc.processor.latest.error or "")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    stub.error = None
    webrtc.recv(frame_of(grey()))
    assert webrtc.processor.latest.error is None
    assert len(webrtc.processor.latest.tracks) == 1


class Broken:
    """A frame whose pixels cannot be had."""

    width, height, rotation, pts, time_base = 64, 48, 0, 1, None

    def to_ndarray(self, **_: object) -> Image:
        raise ValueError("no pixels")


def test_an_unreadable_frame_comes_back_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    webrtc, frame = webrtc_of(Stub(MIDDLE)), Broken()
    assert webrtc.recv(frame) is frame  # type: ignore[comparison-overlap, arg-type]
    assert webrtc.processor.latest is not None
    assert webrtc.processor.latest.error == "ValueError in a frame"
    assert len(caplog.records) == 1


def is_veiled(frame: av.VideoFrame, picture: Image) -> bool:
    """Whether only broad colours of a picture are shown, beside a word in a corner."""
    shown = frame.to_ndarray(format="rgb24")[60:].astype(int)
    detail = [np.abs(np.diff(one, axis=1)).mean() for one in (shown, picture[60:].astype(int))]
    return bool(detail[0] < 0.3 * detail[1] and abs(shown.mean() - picture[60:].mean()) < 10)


def test_hiding_faces_of_a_running_video_shows_no_frame_that_was_not_looked_through() -> None:
    picture = face_on(640, 480, 128)
    webrtc = webrtc_of(Stub(MIDDLE, seconds=0.2))
    for _ in range(2):
        webrtc.recv(frame_of(picture, "rgb24"))
    settle()
    webrtc.processor.settings = replace(webrtc.processor.settings, view=ViewOptions(blur=True))
    assert is_veiled(webrtc.recv(frame_of(picture, "rgb24")), picture)
    assert webrtc.processor.latest is not None
    assert webrtc.processor.latest.hidden is None
    settle()


def test_hidden_faces_stay_hidden_whatever_happens() -> None:
    stub = Stub(MIDDLE, seconds=0.0)
    picture = face_on(640, 480, 128)
    webrtc = webrtc_of(stub, blur=True)
    sent = webrtc.recv(frame_of(picture, "rgb24")).to_ndarray(format="rgb24")
    inside = np.s_[180:280, 270:370]
    assert np.abs(sent[inside].astype(int) - picture[inside]).mean() > 10
    stub.error = ValueError("broken")
    failed = webrtc.recv(frame_of(picture[:, ::-1], "rgb24")).to_ndarray(format="rgb24")
    np.testing.assert_array_equal(failed, sent)  # the last hidden frame stays
    slow = webrtc_of(Stub(MIDDLE, seconds=0.2), blur=True)
    assert is_veiled(slow.recv(frame_of(picture, "rgb24")), picture), "it was not looked through yet"
    settle()
    later = slow.recv(frame_of(picture, "rgb24")).to_ndarray(format="rgb24")
    assert np.abs(later[inside].astype(int) - picture[inside]).mean() > 10
    settle()


def test_settings_take_effect_with_the_next_frame() -> None:
    stub = Stub(MIDDLE)
    webrtc = webrtc_of(stub, labels=())
    webrtc.recv(frame_of(grey()))
    assert webrtc.processor.latest is not None
    plain = webrtc.processor.latest.picture
    webrtc.processor.settings = Settings(webrtc.processor.settings.analyzer)
    webrtc.recv(frame_of(grey()))
    assert (webrtc.processor.latest.picture != plain).any()
    webrtc.processor.settings = Settings(webrtc.processor.settings.analyzer, ViewOptions(score=0.95))
    for _ in range(2):
        time.sleep(0.3)
        webrtc.recv(frame_of(grey()))
    assert webrtc.processor.latest.tracks == ()
    other = Stub(Box(0.1, 0.1, 0.2, 0.2), Box(0.7, 0.1, 0.8, 0.2))
    webrtc.processor.settings = Settings(Analyzer(other, other))
    webrtc.recv(frame_of(grey()))
    assert len(webrtc.processor.latest.tracks) == 2


def test_a_slow_analyzer_holds_nothing_up_and_never_runs_twice_at_once() -> None:
    stub = Stub(MIDDLE, seconds=0.3)
    webrtc = webrtc_of(stub)
    held = []
    for i in range(60):
        picture = grey(level=i)
        start = time.perf_counter()
        returned = webrtc.recv(frame_of(picture, "rgb24")).to_ndarray(format="rgb24")
        held.append(time.perf_counter() - start)
        assert returned[0, 0, 0] == i, "an old picture was sent"
        time.sleep(0.02)
    settle()
    assert stub.most_running == 1
    assert max(held) < stub.seconds  # no frame waits for a slow analysis, not even its own
    assert webrtc.processor.latest is not None
    assert len(webrtc.processor.latest.tracks) == 1
    assert webrtc.processor.latest.figures.dropped > 30


class Camera(VideoStreamTrack):
    """Thirty frames a second, each as bright as its number, until it has no more."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.number = -1
        self.frames = frames

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(1 / 30)
        self.number += 1
        return frame_of(grey(64, 48, level=self.number), "rgb24", pts=self.number * 3000)


# streamlit-webrtc leaves its worker's event loop to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_behind_streamlit_webrtc_what_is_shown_is_hardly_older_than_the_newest_frame() -> None:
    stub = Stub(MIDDLE, seconds=0.3)
    webrtc = webrtc_of(stub)
    lags = []

    async def play() -> None:
        camera = Camera(60)
        callbacks = CallbackAttachableProcessor(webrtc.recv, webrtc.recv_queued, webrtc.on_ended)
        track = AsyncVideoProcessTrack(camera, callbacks)
        for _ in range(60):
            shown = await track.recv()  # type: ignore[no-untyped-call]
            lags.append(camera.number - int(shown.to_ndarray(format="rgb24")[0, 0, 0]))
        track.stop()  # type: ignore[no-untyped-call]

    asyncio.run(play())
    settle()
    gc.collect()
    assert max(lags[5:]) <= 0.3 * 30, "older than one analysis"
    assert sorted(lags)[len(lags) // 2] <= 2
    assert webrtc.processor.latest is None  # it has ended


def test_a_slow_encoder_is_given_the_newest_frame_and_no_other_waits() -> None:
    async def play() -> None:
        relay, camera = MediaRelay(), Camera(60)
        let_nothing_queue_up(relay)
        encoder = relay.subscribe(camera)
        await encoder.recv()
        for _ in range(3):
            began = camera.number
            while camera.number < began + 10:  # it encodes for as long as ten frames take to come
                await asyncio.sleep(0.01)
            frame = await encoder.recv()
            assert frame.pts is not None and frame.pts // 3000 >= began + 10
        camera.stop()

    asyncio.run(play())


def test_frames_that_streamlit_webrtc_drops_are_counted() -> None:
    webrtc = webrtc_of(Stub())
    returned = asyncio.run(webrtc.recv_queued([frame_of(grey(level=i)) for i in range(5)]))
    assert len(returned) == 1
    assert webrtc.processor.latest is not None
    assert webrtc.processor.latest.figures.dropped == 4
    assert webrtc.processor.latest.image[0, 0, 0] == pytest.approx(4, abs=3)


def test_fifty_openings_and_closings_leave_nothing_behind() -> None:
    webrtc = webrtc_of(Stub(MIDDLE))

    def open_and_close() -> None:
        for _ in range(5):
            webrtc.recv(frame_of(grey()))
        webrtc.on_ended()
        webrtc.on_ended()  # it may come twice

    open_and_close()
    settle()
    threads = threading.active_count()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(50):
            open_and_close()
        settle()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert threading.active_count() <= threads
    assert webrtc.processor.latest is None
    assert grown < 640 * 480 * 3, "as much as a frame has stayed"


def test_a_long_video_takes_no_more_memory_than_a_short_one() -> None:
    webrtc = webrtc_of(Stub(MIDDLE, seconds=0.001))
    frame = frame_of(grey(160, 120))
    for _ in range(300):
        webrtc.recv(frame)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(20):
            webrtc.recv(frame)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(500):
            webrtc.recv(frame)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000


def test_a_long_video_gives_memory_back_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[float] = []
    now_s = 1000.0
    monkeypatch.setattr(runtime, "give_back", lambda: given_back.append(now_s))
    webrtc = webrtc_of(Stub(), clock=lambda: now_s)
    for second in range(150):
        now_s = 1000.0 + second
        webrtc.recv(frame_of(grey()))
        settle()
    assert given_back == [1000, 1060, 1120]


def test_a_visitor_who_just_goes_leaves_no_thread() -> None:
    webrtc = webrtc_of(Stub(MIDDLE, seconds=0.1))
    webrtc.recv(frame_of(grey()))
    del webrtc  # and on_ended never comes
    settle()
    assert not [thread for thread in threading.enumerate() if thread.name == "live-analysis"]


def test_a_new_video_starts_with_new_people_and_an_old_result_does_not_leak_into_it() -> None:
    stub = Stub(MIDDLE, seconds=0.1)
    webrtc = webrtc_of(stub)
    webrtc.recv(frame_of(grey()))
    webrtc.on_ended()
    stub.faces = ()
    settle()
    webrtc.recv(frame_of(grey()))
    settle()
    webrtc.recv(frame_of(grey()))
    assert webrtc.processor.latest is not None
    assert webrtc.processor.latest.tracks == ()
    settle()


def test_two_visitors_share_an_analyzer_and_nothing_else() -> None:
    stub = Stub(MIDDLE)
    one, other = webrtc_of(stub), webrtc_of(stub, mirror=True)
    one.recv(frame_of(grey(level=10)))
    other.recv(frame_of(grey(level=200)))
    one.on_ended()
    assert one.processor.latest is None
    assert other.processor.latest is not None
    assert other.processor.latest.image[0, 0, 0] > 150


def test_people_who_are_missed_once_do_not_blink() -> None:
    now = [0.0]
    stub = Stub(MIDDLE)
    webrtc = webrtc_of(stub, clock=lambda: now[0])
    webrtc.recv(frame_of(grey()))
    faces, stub.faces = stub.faces, ()
    counts = []
    for now[0] in (0.1, 0.2, 0.3, 0.4):
        webrtc.recv(frame_of(grey()))
        assert webrtc.processor.latest is not None
        counts.append(len(webrtc.processor.latest.tracks))
    assert counts == [1, 1, 0, 0]
    stub.faces = faces
    now[0] = 0.5
    webrtc.recv(frame_of(grey()))
    latest = webrtc.processor.latest
    assert latest is not None
    assert [track.number for track in latest.tracks] == [1]


def test_figures() -> None:
    now = [0.0]
    webrtc = webrtc_of(Stub(), clock=lambda: now[0])
    for i in range(1, 91):
        now[0] = i / 30
        webrtc.recv(frame_of(grey(64, 48)))
    assert webrtc.processor.latest is not None
    figures = webrtc.processor.latest.figures
    assert figures.frames_per_s == pytest.approx(30, abs=1)
    assert figures.analysed_per_s == pytest.approx(30, abs=6)
    assert 0 < figures.frame_ms < 100
