"""Whose turn it is: all that decodes or encodes shares one budget of memory, however many people come."""

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


@dataclass(slots=True, eq=False)
class _Ticket:
    queue: AdmissionQueue
    memory_mb: float
    has_turn: bool = False


class Budget:
    """So much memory, in MB of 2**20 bytes, for all queues that draw on it."""

    def __init__(self, memory_mb: float) -> None:
        self.memory_mb = memory_mb
        self.changed = threading.Condition()
        # In the order of coming, those who have a turn among them.
        self.tickets: list[_Ticket] = []

    def admit(self) -> None:
        """Give a turn to everybody who may have one by now; called with `changed` held.

        Who is stopped by nothing but memory has it kept for them, so that small things that come later
        do not eat up what a large one waits for. Who waits behind others of their queue has not.
        """
        taken_mb = sum(ticket.memory_mb for ticket in self.tickets if ticket.has_turn)
        in_line: dict[AdmissionQueue, int] = {}
        for ticket in self.tickets:
            before = in_line.get(ticket.queue, 0)
            in_line[ticket.queue] = before + 1
            if ticket.has_turn or before >= ticket.queue.at_once:
                continue
            ticket.has_turn = taken_mb == 0 or taken_mb + ticket.memory_mb <= self.memory_mb
            taken_mb += ticket.memory_mb
            if not ticket.has_turn:
                in_line[ticket.queue] = ticket.queue.at_once  # nobody overtakes in one queue
        self.changed.notify_all()


class AdmissionQueue:
    """Lets `at_once` work at a time, as far as the budget goes, first come, first served; others wait.

    Queues that share a budget do not wait for each other's turns, only for memory. Who asks for more than
    the whole budget gets a turn when nobody else has one.
    """

    def __init__(self, at_once: int, budget: Budget) -> None:
        self.at_once = at_once
        self.budget = budget

    @contextmanager
    def turn(self, memory_mb: float, tell: Tell | None = None) -> Iterator[None]:
        """Wait for a turn with so much memory, for `with`, which gives it back.

        `tell` is called in this thread, every half second while it waits. Whatever it raises, such as the
        end of a run of a page, ends the waiting and goes on up.
        """
        budget, ticket = self.budget, _Ticket(self, memory_mb)
        with budget.changed:
            budget.tickets.append(ticket)
            budget.admit()
        try:
            self._wait(ticket, tell)
            yield
        finally:
            with budget.changed:
                budget.tickets.remove(ticket)
                budget.admit()
            runtime.give_back()

    def _wait(self, ticket: _Ticket, tell: Tell | None) -> None:
        if ticket.has_turn:
            return
        while True:
            if tell:  # and not while the others are locked out: it may take its time
                tell(self._before(ticket))
            with self.budget.changed:
                if self.budget.changed.wait_for(lambda: ticket.has_turn, TELL_S):
                    break
        if tell:
            tell(0)

    def _before(self, ticket: _Ticket) -> int:
        with self.budget.changed:
            tickets = self.budget.tickets
            earlier = tickets[: tickets.index(ticket)]
            return max(1, sum(other.queue is self for other in earlier))


MEMORY = Budget(360)
"""What the smallest host (690 MB) has beside the idle server and one live stream."""

PICTURES = AdmissionQueue(at_once=3, budget=MEMORY)
"""For pictures being decoded: as many as there are workers, so that two bombs hold up nobody."""

VIDEOS = AdmissionQueue(at_once=1, budget=MEMORY)
"""For videos being read and written: more at once would be no faster."""
