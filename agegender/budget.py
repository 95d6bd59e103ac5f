"""Admission queues: everything that decodes or encodes shares one memory budget, however many people come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agegender import runtime

TELL_S = 0.5
"""Interval for telling waiting visitors how many are ahead of them."""

Tell = Callable[[int], object]
"""Called with the number of people ahead while waiting, and with 0 when the wait is over."""


@dataclass(slots=True, eq=False)
class _Ticket:
    queue: AdmissionQueue
    memory_mb: float
    has_turn: bool = False


class Budget:
    """A memory budget, in MB of 2**20 bytes, for all queues that draw on it."""

    def __init__(self, memory_mb: float) -> None:
        self.memory_mb = memory_mb
        self.changed = threading.Condition()
        # In order of arrival, including those whose turn it is.
        self.tickets: list[_Ticket] = []

    def admit(self) -> None:
        """Give a turn to everybody who may have one by now; called with `changed` held.

        Memory is reserved for tickets held up by nothing else, so that later small ones do not use up what a
        large one waits for, but not for tickets behind others in their queue.
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
                in_line[ticket.queue] = ticket.queue.at_once  # no overtaking within a queue
        self.changed.notify_all()


class AdmissionQueue:
    """Admits `at_once` at a time, as far as the budget allows, first come, first served; others wait.

    Queues that share a budget do not wait for each other's turns, only for memory. A request for more than
    the whole budget is admitted when nobody else has a turn.
    """

    def __init__(self, at_once: int, budget: Budget) -> None:
        self.at_once = at_once
        self.budget = budget

    @contextmanager
    def turn(self, memory_mb: float, tell: Tell | None = None) -> Iterator[None]:
        """Wait for a turn with this much memory; a context manager, which returns it.

        `tell` is called in this thread every half second while waiting. Whatever it raises, such as the end
        of a page run, ends the wait and propagates.
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
            if tell:  # not while holding the lock: it may take its time
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
"""Memory of the smallest host (690 MB) left by the idle server and one live stream."""

PICTURES = AdmissionQueue(at_once=3, budget=MEMORY)
"""For pictures being decoded: as many as there are workers, so that two bombs hold up nobody."""

VIDEOS = AdmissionQueue(at_once=1, budget=MEMORY)
"""For videos being read and written: more at once would be no faster."""
