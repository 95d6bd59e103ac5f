"""The batch itself: distribute unfinished pictures, write parts, survive dying processes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from agegender.batch.parts import Results
from agegender.batch.pools import Lost, Pool
from agegender.batch.sources import Item
from agegender.batch.work import Models, Row, error_row

TASK = 25
"""Maximum pictures per task: a few tenths of a second, so that workers finish together."""

FIRST_TASK = 4
"""Size of the first tasks, smaller so that progress shows soon."""

DEATHS = 2
"""How often a process must die with a single picture before that picture is blamed."""

KILLED = "The picture ends the process that reads it."


@dataclass(slots=True)
class Counts:
    """Progress of this run: pictures, faces in them, and pictures that could not be read."""

    pictures: int = 0
    faces: int = 0
    errors: int = 0


@dataclass(slots=True)
class _Task:
    items: Sequence[Item]
    deaths: int = 0


@dataclass(slots=True)
class Run:
    """Analyses items in a pool and writes parts of at least `part_size` pictures to `results`.

    `stop()` makes it finish what is running, write that, and return. `tell` is called with the counts after
    every task.
    """

    results: Results
    pool: Pool
    models: Models
    part_size: int = 500
    tell: Callable[[Counts], object] = lambda _: None
    counts: Counts = field(default_factory=Counts)
    _rows: list[Row] = field(default_factory=list)
    _pictures: int = 0
    _stopped: bool = False

    def __call__(self, items: Iterable[Item]) -> Counts:
        """Process all items, and return the counts."""
        again: deque[_Task] = deque()
        new = _tasks(items, min(TASK, self.part_size), self.pool.slots)
        running: dict[Any, _Task] = {}
        try:
            while True:
                while not self._stopped and len(running) < self.pool.slots:
                    task = again.popleft() if again else next(new, None)
                    if task is None:
                        break
                    running[self.pool.submit(task.items)] = task
                if not running:
                    return self.counts
                for future in self.pool.first_done(running):
                    self._take(future, running.pop(future), again)
        finally:
            self._write()

    def stop(self) -> None:
        """Submit no more tasks."""
        self._stopped = True

    def _take(self, future: Any, task: _Task, again: deque[_Task]) -> None:
        try:
            rows = self.pool.rows(future)
        except Lost:
            rows = self._blame(task, again)
        if not rows:
            return
        pictures = len({row["path"] for row in rows})
        self.counts.pictures += pictures
        self.counts.faces += sum(row["face"] is not None for row in rows)
        self.counts.errors += sum(row["error"] is not None for row in rows)
        self._rows += rows
        self._pictures += pictures
        if self._pictures >= self.part_size:
            self._write()
        self.tell(self.counts)

    def _blame(self, task: _Task, again: deque[_Task]) -> list[Row]:
        """Halve a lost task; a single picture becomes an error once it was lost often enough."""
        if len(task.items) > 1:
            middle = len(task.items) // 2
            again.extendleft((_Task(task.items[middle:]), _Task(task.items[:middle])))
            return []
        if task.deaths + 1 < DEATHS:
            again.appendleft(_Task(task.items, task.deaths + 1))
            return []
        return [error_row(task.items[0], self.models, KILLED)]

    def _write(self) -> None:
        if self._rows:
            self.results.write(self._rows)
            self._rows, self._pictures = [], 0


def unfinished(
    items: Iterable[Item], results: Results, *, retry_errors: bool = False
) -> tuple[list[Item], int]:
    """The items that no finished part has, and the total number of items.

    Pictures that have changed since, and with `retry_errors` those that could not be read, are included;
    their old rows are dropped.
    """
    known, errors = results.finished()
    wanted: list[Item] = []
    stale: set[str] = set()
    total = 0
    for item in items:
        total += 1
        before = known.get(item.path)
        if before == (item.size, item.modified_s) and not (retry_errors and item.path in errors):
            continue
        wanted.append(item)
        if before is not None:
            stale.add(item.path)
    if stale:
        results.drop(stale)
    return wanted, total


def figures(counts: Counts, start_s: float) -> dict[str, float]:
    """Figures of a run, for the manifest."""
    seconds = time.monotonic() - start_s
    return {
        "pictures": counts.pictures,
        "faces": counts.faces,
        "errors": counts.errors,
        "seconds": round(seconds, 1),
        "pictures_per_s": round(counts.pictures / max(seconds, 1e-9), 1),
    }


def _tasks(items: Iterable[Item], size: int, slots: int) -> Iterator[_Task]:
    waiting = iter(items)
    sizes = [min(FIRST_TASK, size)] * slots
    while True:
        count = sizes.pop() if sizes else size
        some = list(islice(waiting, count))
        if not some:
            return
        yield _Task(some)
