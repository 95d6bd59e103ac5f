"""A slow line: a local proxy with limited bandwidth and added latency."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 1460
"""Bytes sent at once, as on a real line."""


@dataclass
class Line:
    """State of the line, which may be changed at any time.

    `bits_per_s` is the bandwidth each way, 0 for no limit; `delay_s` the latency added each way; `up_bytes`
    (to the server) and `down_bytes` are the bytes sent so far.
    """

    url: str = ""
    bits_per_s: float = 0.0
    delay_s: float = 0.0
    up_bytes: int = 0
    down_bytes: int = 0
    _free_at_s: dict[str, float] = field(default_factory=dict)

    def due_s(self, way: str, size: int, now_s: float) -> float:
        """Count bytes that are sent now; return when they arrive, after those sent before them."""
        if way == "up":
            self.up_bytes += size
        else:
            self.down_bytes += size
        begins_s = max(now_s, self._free_at_s.get(way, 0.0))
        takes_s = 8 * size / self.bits_per_s if self.bits_per_s else 0.0
        self._free_at_s[way] = begins_s + takes_s
        return begins_s + takes_s + self.delay_s


@contextmanager
def line_to(host: str, port: int) -> Iterator[Line]:
    """Context manager for a line to a server, whose bandwidth all of its connections share."""
    line, loop = Line(), asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(lambda r, w: _join(line, r, w, host, port), "127.0.0.1", 0)
        line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()

    started = threading.Event()
    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield line
    finally:
        asyncio.run_coroutine_threadsafe(_cut(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cut() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _join(
    line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    with suppress(asyncio.CancelledError):  # the line is cut
        server_reader, server_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(
            _carry(line, "up", reader, server_writer), _carry(line, "down", server_reader, writer)
        )


async def _carry(line: Line, way: str, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)  # blocks the sender when full

    async def deliver() -> None:
        while True:
            due_s, data = await waiting.get()
            await asyncio.sleep(due_s - loop.time())
            if not data:
                break
            target.write(data)
            await target.drain()

    loop = asyncio.get_running_loop()
    delivery = loop.create_task(deliver())
    with suppress(OSError):
        while data := await source.read(CHUNK_BYTES):
            await waiting.put((line.due_s(way, len(data), loop.time()), data))
        await waiting.put((loop.time(), b""))
        await delivery
    delivery.cancel()
    target.close()
