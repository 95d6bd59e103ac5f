"""A real local server for tests of downloads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self, TypeVar


class Stoppable(Protocol):
    """A `socketserver` server that may hold answers back until `released` is set."""

    released: threading.Event

    def serve_forever(self, poll_interval: float = ...) -> None: ...
    def shutdown(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> None: ...


S = TypeVar("S", bound=Stoppable)


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Run the server in a thread, as a context manager; releases waiting handlers at the end."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
