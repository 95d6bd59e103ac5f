"""Process pools: of the standard library, or of a Dask cluster."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Collection, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, Self

from agegender.batch.sources import Item
from agegender.batch.work import Models, Row, analyze_items
from agegender.errors import BatchError, MissingExtraError


class Lost(Exception):
    """The process with these pictures has died: killed, crashed or out of memory."""


class Pool(Protocol):
    """A place to analyse pictures. `slots` tasks run at once; more wait."""

    slots: int

    def submit(self, items: Sequence[Item]) -> Any:
        """Start on some pictures and return a future."""
        ...

    def first_done(self, futures: Collection[Any]) -> Collection[Any]:
        """Wait until at least one of the futures is done, and return those that are."""
        ...

    def rows(self, future: Any) -> list[Row]:
        """Rows from a finished future. Raises `Lost`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class ProcessPool:
    """Local processes, each in its own executor: if one dies, it is known which pictures it had."""

    def __init__(self, workers: int, models: Models) -> None:
        self.slots = workers
        self._models = models
        self._free = [_executor() for _ in range(workers)]
        self._busy: dict[concurrent.futures.Future[list[Row]], concurrent.futures.ProcessPoolExecutor] = {}

    def submit(self, items: Sequence[Item]) -> concurrent.futures.Future[list[Row]]:
        """Start on some pictures in a free process."""
        executor = self._free.pop()
        try:
            future = executor.submit(analyze_items, items, self._models)
        except BrokenProcessPool:  # it died while idle
            executor = _executor()
            future = executor.submit(analyze_items, items, self._models)
        self._busy[future] = executor
        return future

    def first_done(
        self, futures: Collection[concurrent.futures.Future[list[Row]]]
    ) -> Collection[concurrent.futures.Future[list[Row]]]:
        """Wait for the first futures that are done."""
        return concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED).done

    def rows(self, future: concurrent.futures.Future[list[Row]]) -> list[Row]:
        """Rows from a finished future; frees its process, or replaces it by a new one."""
        executor = self._busy.pop(future)
        try:
            found = future.result()
        except BrokenProcessPool as error:
            executor.shutdown(wait=False)
            self._free.append(_executor())
            raise Lost from error
        self._free.append(executor)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for executor in (*self._free, *self._busy.values()):
            executor.shutdown(wait=False, cancel_futures=True)


class DaskPool:
    """The workers of a Dask cluster: `local` starts one for this run, otherwise a scheduler's address."""

    def __init__(self, scheduler: str, workers: int, models: Models) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingExtraError("--scheduler needs Dask: pip install 'agegender[cluster]'") from None
        self._dask = distributed
        self._models = models
        self._cluster = None
        if scheduler == "local":
            self._cluster = distributed.LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers, threads_per_worker=1, dashboard_address=":0"
            )
        try:
            self.client = distributed.Client(self._cluster or scheduler)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError, ValueError) as error:
            raise BatchError(f"There is no Dask scheduler at {scheduler}.") from error
        self.slots = max(1, 2 * sum(self.client.nthreads().values()))  # type: ignore[no-untyped-call]

    def submit(self, items: Sequence[Item]) -> Any:
        """Submit some pictures to the scheduler."""
        return self.client.submit(analyze_items, items, self._models, pure=False)

    def first_done(self, futures: Collection[Any]) -> Collection[Any]:
        """Wait until at least one future is done."""
        done: Collection[Any] = self._dask.wait(list(futures), return_when="FIRST_COMPLETED").done  # type: ignore[no-untyped-call]
        return done

    def rows(self, future: Any) -> list[Row]:
        """Rows from a finished future; Dask itself retries elsewhere a few times before they are lost."""
        try:
            found: list[Row] = future.result()
        except (self._dask.KilledWorker, self._dask.CancelledError) as error:
            raise Lost from error
        finally:
            future.release()
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()  # type: ignore[no-untyped-call]
        if self._cluster is not None:
            self._cluster.close()


def _executor() -> concurrent.futures.ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(1, mp_context=context, initializer=_start)


def _start() -> None:
    """Ignore Ctrl-C, which is for the command, and exit when the command does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
