"""State of a live video, from START to STOP, over either transport."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from agegender.live.seats import Seats

CONNECT_S = 8.0
"""How long WebRTC may take until the first frame; then the page's own connection takes over."""

OWN_CONNECT_S = 20.0
"""How long that one may take: a camera has to be opened, and a connection may be slow."""

SILENT_S = 6.0
"""Time without a frame over WebRTC after which the camera or the network is considered gone."""

SETTLE_S = 0.8
"""streamlit-webrtc's component closes its connection half a second after being told to stop."""

MOUNT_S = 1.5
"""A streamlit-webrtc component that is told to start while it settles would do so several times over."""

SIGNAL_S = 6.0
"""Time within which a started component may only be stopped once it has made its offer.

Before that, it would continue with a connection that it has closed (an InvalidStateError).
"""

BREAKS = 2
"""How many connections may end before a frame arrives.

About one in two hundred fails at the start, and the component tries again by itself.
"""

Way = Literal["webrtc", "websocket"]
Phase = Literal["stopped", "waiting", "asking", "starting", "playing"]


def preferred(environment: Mapping[str, str]) -> Way:
    """The transport that AGEGENDER_LIVE asks for; WebRTC by default."""
    return "websocket" if environment.get("AGEGENDER_LIVE", "").strip().lower() == "websocket" else "webrtc"


@dataclass
class Control:
    """State machine of one visitor's live video.

    `phase`: stopped; waiting for a seat, with `before` others ahead; asking for permission to use the camera;
    starting, until the first frame arrives; playing. `problem` names what ended it: a browser's name for a
    camera error, or 'silent', 'nothing', 'ended'. `fell_back` says that WebRTC was tried in vain. `turn`
    counts presses of START, so that a browser report from one is not mistaken for another's.
    """

    seats: Seats
    who: str
    way: Way = "webrtc"
    camera: str = "Front"
    clock: Callable[[], float] = time.monotonic
    phase: Phase = "stopped"
    before: int = 0
    problem: str = ""
    fell_back: bool = False
    turn: int = 0
    _since_s: float = 0.0
    _mounted_s: float | None = None
    _streamer: _Streamer = field(default_factory=lambda: _Streamer())

    @property
    def active(self) -> bool:
        """Return whether START was pressed, and STOP was not."""
        return self.phase != "stopped"

    @property
    def wanted(self) -> bool:
        """Return whether frames should arrive now."""
        return self.phase in ("starting", "playing")

    @property
    def busy(self) -> bool:
        """Return whether anything is still in progress, even the end of a connection."""
        return self.active or self._streamer.on is not None

    def start(self) -> None:
        """START: take a seat, or wait in line for one."""
        self.problem, self.phase, self.turn = "", "waiting", self.turn + 1
        self._take_seat()

    def stop(self, problem: str = "") -> None:
        """STOP, or the end for a reason; frees the seat."""
        self.problem, self.phase = problem, "stopped"
        self.seats.leave(self.who)

    def camera_said(self, what: str) -> None:
        """Handle the browser's camera report: 'ready', or a browser's name for an error."""
        if what != "ready":
            if self.active:
                self.stop(what)
        elif self.phase == "asking":
            self._begin()

    def take_camera(self, camera: str) -> None:
        """Switch to another camera, immediately if one is in use."""
        self.camera = camera
        if self.wanted:
            self._begin()

    def go(self, way: Way) -> None:
        """Switch the transport, immediately if a video plays."""
        self.way, self.fell_back = way, False
        if self.wanted:
            self._begin()

    def plays_over_webrtc(self, camera: str) -> bool:
        """Return whether this camera's streamlit-webrtc component should play now."""
        return self._streamer.on == camera

    def drawn(self) -> None:
        """Record that the streamlit-webrtc components are on the page."""
        if self._mounted_s is None:
            self._mounted_s = self.clock()

    def removed(self) -> None:
        """Record that they have left the page, which ends whatever they played."""
        self._mounted_s, self._streamer = None, _Streamer()

    def left(self) -> None:
        """Record that the visitor left the page: nothing plays any more."""
        self.stop()
        self.removed()

    def step(self, webrtc_active: bool, frame_s: float | None) -> bool:
        """Advance the state; return whether the page must be redrawn.

        `webrtc_active` says whether a streamlit-webrtc component is playing or connecting, `frame_s` when the
        newest frame arrived.
        """
        before = (self.phase, self.way, self.before, self.problem, self._streamer.on)
        if self.active and not self._take_seat():
            pass  # in line, or in line again after a long absence
        elif self.phase == "starting":
            self._await_frames(frame_s)
        elif self.phase == "playing" and self.way == "webrtc" and self._silent_s(frame_s) > SILENT_S:
            self.stop("silent")
        self._streamer.step(self._wanted_camera(), webrtc_active, self.clock())
        return before != (self.phase, self.way, self.before, self.problem, self._streamer.on)

    def _wanted_camera(self) -> str | None:
        if not self.wanted or self.way != "webrtc" or self._mounted_s is None:
            return None
        return self.camera if self.clock() - self._mounted_s >= MOUNT_S else None

    def _take_seat(self) -> bool:
        self.before = self.seats.ask(self.who)
        if self.before:
            self.phase = "waiting"
        elif self.phase == "waiting":
            self._since_s = self.clock()
            self.phase = "asking" if self.way == "webrtc" else "starting"
        return not self.before

    def _begin(self) -> None:
        self.phase, self._since_s = "starting", self.clock()

    def _await_frames(self, frame_s: float | None) -> None:
        if frame_s is not None and frame_s > self._since_s:
            self.phase = "playing"
        elif self.way == "webrtc":
            if self._streamer.breaks >= BREAKS or self.clock() - self._since_s >= CONNECT_S:
                self.way, self.fell_back = "websocket", True
                self._begin()
        elif self.clock() - self._since_s >= OWN_CONNECT_S:
            self.stop("nothing")

    def _silent_s(self, frame_s: float | None) -> float:
        return self.clock() - max(frame_s or 0.0, self._since_s)


@dataclass
class _Streamer:
    """The camera whose streamlit-webrtc component is told to play: never two, and one step at a time.

    `breaks` counts how often its connection has ended without being told to.
    """

    on: str | None = None
    breaks: int = 0
    _active: bool = False
    _signalled: bool = False
    _told_s: float = float("-inf")

    def step(self, wanted: str | None, active: bool, now_s: float) -> None:
        """Take the next step towards the wanted camera, once the last one is done."""
        if self.on is not None:
            self.breaks += self._active and not active
            self._signalled = self._signalled or active
        self._active = active
        if wanted == self.on:
            return
        if self.on is not None:
            if self._signalled or now_s - self._told_s >= SIGNAL_S:
                self.on, self._told_s = None, now_s
        elif not active and now_s - self._told_s >= SETTLE_S:
            self.on, self.breaks, self._signalled, self._told_s = wanted, 0, False, now_s
