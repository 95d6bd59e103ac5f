"""Whose turn it is: only so much is worked on at once, so that memory lasts however many people come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agegender import runtime

TELL_S = 0.5
"""How often somebody who waits is told how many are before them."""

Tell = Callable[[int], object]
"""Called with how many are before one who waits, and with 0 when the wait is over."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    pixels: int


class AdmissionQueue:
    """Lets `at_once` work at a time, on `pixels` in sum, first come, first served; others wait.

    Who asks for more than `pixels` alone gets a turn when nobody else has one.
    """

    def __init__(self, at_once: int, pixels: int) -> None:
        self.at_once = at_once
        self.pixels = pixels
        self._changed = threading.Condition()
        # In the order of coming. Those who have a turn are always the first ones: they may be as many as
        # fit, and nobody overtakes.
        self._tickets: list[_Ticket] = []

    @contextmanager
    def turn(self, pixels: int, tell: Tell | None = None) -> Iterator[None]:
        """Wait for a turn, for `with`, which gives it back.

        `tell` is called in this thread, every half second while it waits. Whatever it raises, such as the
        end of a run of a page, ends the waiting and goes on up.
        """
        ticket = _Ticket(pixels)
        with self._changed:
            self._tickets.append(ticket)
        try:
            self._wait(ticket, tell)
            yield
        finally:
            with self._changed:
                self._tickets.remove(ticket)
                self._changed.notify_all()
            runtime.give_back()

    def _wait(self, ticket: _Ticket, tell: Tell | None) -> None:
        if self._has_turn(ticket, 0.0):
            return
        while True:
            if tell:  # and not while the others are locked out: it may take its time
                tell(self._before(ticket))
            if self._has_turn(ticket, TELL_S):
                break
        if tell:
            tell(0)

    def _has_turn(self, ticket: _Ticket, within_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._fits(ticket), within_s)

    def _fits(self, ticket: _Ticket) -> bool:
        before = self._tickets.index(ticket)
        pixels = sum(one.pixels for one in self._tickets[: before + 1])
        return before == 0 or (before < self.at_once and pixels <= self.pixels)

    def _before(self, ticket: _Ticket) -> int:
        with self._changed:
            return self._tickets.index(ticket)


PICTURES = AdmissionQueue(at_once=2, pixels=30_000_000)
"""For whole pictures, decoded. Two of a telephone's 12 megapixels; more at once would be no faster."""

VIDEOS = AdmissionQueue(at_once=1, pixels=0)
"""For videos: one in full HD takes nearly 300 MB, most of it for the frames that codecs hold."""
