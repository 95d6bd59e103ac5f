"""Real processes: what they had when they died is known, and a picture that kills them is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from browsing import ROOT

from agegender.batch.parts import Results, rows_of
from agegender.batch.pools import DaskPool, Lost, ProcessPool
from agegender.batch.run import KILLED, Run
from agegender.batch.sources import Item, find
from agegender.batch.work import Models
from agegender.errors import BatchError

MODELS = Models("bundled", "apparent")
SAMPLE = ROOT / "samples" / "astronaut.png"

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Item]:
    """A picture that is waited for without end: a named pipe into which nobody writes."""
    path = tmp_path / "stuck.jpg"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR)  # so that to open it waits for nobody, and to read it does
    yield Item(str(path), 1, 0.0)
    os.close(pipe)


def pictures() -> list[Item]:
    return list(find([str(SAMPLE.parent)], lambda *failure: pytest.fail(str(failure))))


@contextmanager
def killing_readers(stuck: Item) -> Iterator[list[int]]:
    """Kill -9 whoever opens the named pipe, and count how often."""
    killed: list[int] = []
    ended = threading.Event()

    def hunt() -> None:
        while not ended.wait(0.02):
            for process in readers(stuck):
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)

    thread = threading.Thread(target=hunt)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def readers(stuck: Item) -> list[int]:
    """The other processes that have the named pipe open."""
    numbers = [int(process.name) for process in Path("/proc").glob("[0-9]*")]
    return [number for number in numbers if number != os.getpid() and holds(number, stuck.path)]


def holds(process: int, path: str) -> bool:
    try:
        return any(str(link.readlink()) == path for link in Path(f"/proc/{process}/fd").iterdir())
    except OSError:  # it has ended meanwhile
        return False


def wait_until(done: Callable[[], bool], what: str) -> None:
    """Fail where it has not come about in half a minute."""
    for _ in range(600):
        if done():
            return
        time.sleep(0.05)
    pytest.fail(f"in vain: until {what}")


def errors(folder: Path) -> dict[str, object]:
    rows = [row for part in Results(folder).parts() for row in rows_of(part)]
    return {Path(str(row["path"])).name: row["error"] for row in rows if row["error"]}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system has no /proc")
def test_a_picture_that_kills_its_process_becomes_an_error_and_the_rest_is_read(
    tmp_path: Path, stuck: Item
) -> None:
    results = Results(tmp_path / "out")
    items = [*pictures(), stuck]
    with killing_readers(stuck) as killed, ProcessPool(1, MODELS) as pool:
        counts = Run(results, pool, MODELS)(items)
    assert errors(results.folder) == {"stuck.jpg": KILLED}
    assert (counts.pictures, counts.errors) == (len(items), 1)
    assert counts.faces >= 2
    assert len(killed) >= 2


def test_a_process_that_was_killed_while_idle_is_replaced(tmp_path: Path) -> None:
    with ProcessPool(1, MODELS) as pool:
        first = pool.submit(pictures()[:1])
        assert pool.rows(*pool.first_done([first]))
        (executor,) = pool._free
        (process,) = executor._processes.values()
        process.kill()
        process.join()
        counts = Run(Results(tmp_path), pool, MODELS)(pictures())
    assert counts.errors == 0
    assert counts.pictures == len(pictures())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system has no /proc")
def test_workers_end_with_the_command_however_it_ends(stuck: Item) -> None:
    code = (
        "import sys, time; from agegender.batch.pools import ProcessPool\n"
        "from agegender.batch.sources import Item; from agegender.batch.work import Models\n"
        "if __name__ == '__main__':\n"
        "    ProcessPool(1, Models('bundled')).submit([Item(sys.argv[1], 1, 0.0)]); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, stuck.path], cwd=ROOT) as command:
        wait_until(lambda: bool(readers(stuck)), "a worker waits for the picture")
        command.kill()
    wait_until(lambda: not readers(stuck), "the worker has ended")


@pytest.mark.slow
def test_a_dask_cluster_does_the_same_and_survives_a_killed_worker(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    one, other = Results(tmp_path / "pool"), Results(tmp_path / "dask")
    with ProcessPool(2, MODELS) as pool:
        Run(one, pool, MODELS)(pictures())
    with DaskPool("local", 2, MODELS) as cluster:
        victim = next(iter(cluster.client.run(os.getpid).values()))
        items = pictures()
        first = cluster.submit(items)
        os.kill(victim, signal.SIGKILL)
        counts = Run(other, cluster, MODELS)(items)
        try:
            assert cluster.rows(*cluster.first_done([first]))
        except Lost:
            pytest.fail("Dask did not try again elsewhere")
    assert counts.errors == 0

    def read(results: Results) -> list[dict[str, object]]:
        rows = [row for part in results.parts() for row in rows_of(part)]
        timeless = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
        return sorted(timeless, key=lambda row: (str(row["path"]), row["face"]))  # type: ignore[arg-type]

    assert read(one) == read(other)


def test_a_scheduler_that_is_not_there_is_a_clear_error() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(BatchError, match="no Dask scheduler"):
        DaskPool("nonsense", 1, MODELS)
