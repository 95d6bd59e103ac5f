"""A live video takes one step after the other, whatever is pressed and whichever way its frames come."""

from __future__ import annotations

import random

import pytest

from agegender.live.control import (
    CONNECT_S,
    MOUNT_S,
    OWN_CONNECT_S,
    SETTLE_S,
    SILENT_S,
    Control,
    Way,
    preferred,
)
from agegender.live.seats import GONE_S, Seats, limit


class Page:
    """A page with the components of streamlit-webrtc, as the browser and the clock would move them."""

    def __init__(self, way: Way = "webrtc", seats: Seats | None = None, who: str = "ada") -> None:
        self.now_s = 1000.0
        self.seats = seats or Seats(1, lambda: self.now_s)
        self.control = Control(self.seats, who, way, clock=lambda: self.now_s)
        self.control.drawn()
        self.connects = True
        self.frame_s: float | None = None
        self.signals_s = 0.4
        self.playing: str | None = None
        self._told: tuple[str | None, float] = None, 0.0
        self.faults: list[str] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.now_s += 0.1
            self._browser()
            self.control.step(self.playing is not None, self.frame_s)

    def _browser(self) -> None:
        told = next((c for c in ("Front", "Back") if self.control.plays_over_webrtc(c)), None)
        if told != self._told[0]:
            if told is None and self.playing is None and self.now_s - self._told[1] < 6:
                self.faults.append("stopped before it made its offer")
            if told is not None and self._told[0] is None and self.now_s - self._told[1] < SETTLE_S - 0.15:
                self.faults.append("started before it was closed")
            if told and self._told[0]:
                self.faults.append("two at once")
            self._told = told, self.now_s
        ready = self.now_s - self._told[1] >= self.signals_s
        self.playing = told if told and ready else None
        comes = self.control.way == "websocket" and self.control.wanted
        if comes or (self.playing and self.connects):
            self.frame_s = self.now_s


def stands(page: Page) -> tuple[str, str]:
    return page.control.way, page.control.phase


def test_over_webrtc_it_asks_for_the_camera_and_plays() -> None:
    page = Page()
    page.control.start()
    assert stands(page) == ("webrtc", "asking")
    page.run(3)
    assert stands(page) == ("webrtc", "asking"), "as long as somebody thinks about it"
    page.control.camera_said("ready")
    page.run(1)
    assert stands(page)[1] == "playing"
    assert page.control.plays_over_webrtc("Front")
    page.control.stop()
    page.run(0.2)
    assert not page.control.busy


def test_a_component_that_has_just_come_is_left_to_settle() -> None:
    page = Page()
    page.control.start()
    page.control.camera_said("ready")
    page.run(MOUNT_S - 0.2)
    assert not page.control.plays_over_webrtc("Front")
    page.run(0.4)
    assert page.control.plays_over_webrtc("Front")


def test_without_a_frame_after_eight_seconds_it_goes_on_over_the_own_connection_and_back() -> None:
    page = Page()
    page.connects = False
    page.control.start()
    page.control.camera_said("ready")
    page.run(CONNECT_S - 0.5)
    assert stands(page) == ("webrtc", "starting")
    page.run(1)
    assert stands(page) == ("websocket", "playing")
    assert page.control.fell_back
    page.connects = True
    page.control.go("webrtc")
    page.run(2)
    assert stands(page) == ("webrtc", "playing")


def test_a_connection_that_breaks_once_is_tried_again_and_one_that_breaks_twice_is_not() -> None:
    page = Page()
    page.control.start()
    page.control.camera_said("ready")
    page.now_s += MOUNT_S
    for active in (False, True, False, True):
        page.control.step(active, None)
    assert stands(page)[0] == "webrtc"
    page.control.step(False, None)
    page.control.step(False, None)
    assert stands(page)[0] == "websocket"


@pytest.mark.parametrize("pause_s", [0.1, 0.5, 1.0, 3.0])
def test_twenty_switches_of_the_camera_in_a_row(pause_s: float) -> None:
    page = Page()
    page.control.start()
    page.control.camera_said("ready")
    page.run(3)
    for i in range(20):
        page.control.take_camera("Front" if i % 2 else "Back")
        page.run(pause_s)
    page.run(4)
    assert page.control.plays_over_webrtc("Front")
    assert stands(page)[1] == "playing"
    assert page.faults == []


def press(control: Control, what: str) -> None:
    if what == "start":
        control.start()
    elif what == "stop":
        control.stop()
    elif what == "ready":
        control.camera_said("ready")
    else:
        control.take_camera(what)


def test_whatever_is_pressed_the_component_is_never_told_two_things_at_once() -> None:
    dice = random.Random(7)
    for _ in range(30):
        page = Page()
        page.signals_s = dice.uniform(0.1, 3)
        for _ in range(30):
            press(page.control, dice.choice(("start", "stop", "ready", "Front", "Back")))
            page.run(dice.uniform(0.1, 2))
        page.control.stop()
        page.run(8)
        assert page.faults == []
        assert not page.control.busy


@pytest.mark.parametrize("name", ["NotAllowedError", "NotFoundError", "ended"])
def test_a_problem_of_the_camera_ends_it_and_frees_the_seat(name: str) -> None:
    page = Page()
    page.control.start()
    page.control.camera_said(name)
    assert (page.control.phase, page.control.problem) == ("stopped", name)
    assert page.seats.ask("grace") == 0
    page.seats.leave("grace")
    page.control.start()
    assert page.control.problem == ""


def test_a_camera_that_falls_silent_and_one_that_never_spoke() -> None:
    page = Page()
    page.control.start()
    page.control.camera_said("ready")
    page.run(3)
    page.connects = False
    page.run(SILENT_S + 0.5)
    assert page.control.problem == "silent"
    mute = Control(Seats(1), "grace", "websocket", clock=lambda: page.now_s)
    mute.start()
    page.now_s += OWN_CONNECT_S
    mute.step(False, None)
    assert mute.problem == "nothing"


def test_over_the_own_connection_a_pause_is_no_problem() -> None:
    page = Page("websocket")
    page.control.start()
    page.run(1)
    assert stands(page)[1] == "playing"
    page.now_s += 20  # the tab was hidden
    page.control.step(False, page.frame_s)
    assert stands(page)[1] == "playing"


def test_who_comes_too_many_stands_in_line_and_gets_the_next_seat() -> None:
    first = Page()
    others = [Page("websocket", first.seats, who) for who in ("grace", "mary")]
    first.control.start()
    for other in others:
        other.control.start()
    assert [other.control.before for other in others] == [1, 2]
    assert all(other.control.phase == "waiting" for other in others)
    first.control.stop()
    for other in others:
        other.now_s = first.now_s
        other.control.step(False, None)
    assert [other.control.phase for other in others] == ["starting", "waiting"]
    assert others[1].control.before == 1


def test_who_is_not_heard_of_loses_the_seat() -> None:
    now_s = [0.0]
    seats = Seats(1, lambda: now_s[0])
    assert (seats.ask("ada"), seats.ask("grace")) == (0, 1)
    for _ in range(40):
        now_s[0] += 1
        place = seats.ask("grace")
    assert now_s[0] > GONE_S
    assert place == 0
    assert seats.ask("ada") == 1


def test_the_number_of_seats() -> None:
    assert limit({"AGEGENDER_LIVE_MAX": "3"}, cores=1) == 3
    for wrong in ("", "0", "many", "-1", "1.5"):
        assert limit({"AGEGENDER_LIVE_MAX": wrong}, cores=2) == limit({}, cores=2) > 0
    assert limit({}) >= 1


def test_the_way_that_the_owner_asks_for() -> None:
    assert preferred({}) == preferred({"AGEGENDER_LIVE": "auto"}) == "webrtc"
    assert preferred({"AGEGENDER_LIVE": " WebSocket "}) == "websocket"
