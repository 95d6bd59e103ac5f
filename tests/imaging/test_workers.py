"""Decoding in processes with limits: the same pictures, and nothing that a file does gets any further."""

from __future__ import annotations

import gc
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import hostile
import numpy as np
import PIL.Image
import pytest

from agegender.errors import ImageError
from agegender.imaging import color, io, sandbox, workers
from agegender.imaging.workers import TooMuchError, Workers

JPEG = hostile.sound()["baseline.jpg"]


@pytest.fixture
def pool() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_pool() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


# Small files of the kinds that strangers sent


def lying_tiff() -> bytes:
    """100×100 pixels in one tile of 8,000×8,000."""
    tile = hostile.deflated(8_000 * 8_000 * 3)
    return hostile.tiff(
        *((256, 4, 1, 100), (257, 4, 1, 100), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 2), (277, 3, 1, 3)),
        *((322, 4, 1, 8_000), (323, 4, 1, 8_000), (325, 4, 1, len(tile)), (324, 4, 1, 8 + 2 + 9 * 12 + 4)),
        after=tile,
    )


def lying_avif() -> bytes:
    """A stream of 25 megapixels that is said to be of 64×64."""
    data = hostile.saved(PIL.Image.new("RGB", (5_000, 5_000)), "AVIF", speed=10)
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :]


def endless_profile() -> bytes:
    """A profile whose table of colours is looked up through 100,000 elements."""
    element = (
        b"matf"
        + bytes(4)
        + struct.pack(">HH", 3, 3)
        + struct.pack(">12f", 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    )
    count = 100_000
    table = struct.pack(">II", 16 + 8 * count, len(element)) * count
    body = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + table + element
    head = bytearray(128)
    head[8:24] = struct.pack(">I", 0x04200000) + b"mntrRGB XYZ "
    head[36:40] = b"acsp"
    tags = struct.pack(">I", 1) + b"D2B0" + struct.pack(">II", 144, len(body))
    head[0:4] = struct.pack(">I", 144 + len(body))
    icc = hostile.chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(head) + tags + body, 9))
    return hostile.png(64, 64, hostile.deflated(64 * 193), icc)


def decoy_scans() -> bytes:
    """Thousands of scans behind a comment in which a picture seems to end."""
    data = hostile.many_scans(7_000, 2_000, refining=True)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    return data[:second] + hostile.segment(0xFE, b"\xff\xd9" * 8) + data[second:]


BOMBS: dict[str, Callable[[], bytes]] = {
    "tile": lying_tiff,
    "ispe": lying_avif,
    "profile": endless_profile,
    "decoy": decoy_scans,
    "runs": lambda: hostile.rle_bmp(49_000_000, 1, b"\0\0" * 4),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_answered_and_the_next_picture_is_read(shared_pool: Workers, kind: str) -> None:
    data = BOMBS[kind]()
    try:
        assert shared_pool.decode(data).size > 0
    except ImageError as error:
        assert str(error) in (workers.TOO_MUCH, io.DAMAGED, io.NOT_A_PICTURE)
    assert shared_pool.decode(JPEG).shape == (40, 56, 3)


# The same as in the process


@pytest.mark.parametrize("name", hostile.sound())
def test_pictures_are_the_same_as_in_the_process(shared_pool: Workers, name: str) -> None:
    data = hostile.sound()[name]
    here, there = io.decode_at_least(data, 10), shared_pool.decode_at_least(data, 10)
    assert np.array_equal(here.image, there.image)
    assert (here.whole_wh, here.notes) == (there.whole_wh, there.notes)
    assert shared_pool.measure(data).pixels > 0


def test_a_jpeg_at_half_its_size_comes_with_those_pixels_alone(shared_pool: Workers) -> None:
    data = hostile.saved(hostile.noise(1_200, 1_600), "JPEG")
    decoded = shared_pool.decode_at_least(data, 800)
    assert (decoded.image.shape, decoded.whole_wh) == ((600, 800, 3), (1_600, 1_200))


@pytest.mark.parametrize("data", [b"", b"no picture", JPEG[:200], b"\x89PNG\r\n\x1a\n"])
def test_what_is_refused_in_the_process_is_so_by_a_worker(shared_pool: Workers, data: bytes) -> None:
    with pytest.raises(ImageError) as here:
        io.decode(data)
    with pytest.raises(ImageError) as there:
        shared_pool.decode(data)
    assert str(here.value) == str(there.value)
    assert shared_pool.measure(data).pixels in (0, 40 * 56)


def test_large_pictures_stay_whole_while_others_are_read(shared_pool: Workers) -> None:
    """What lies in shared memory is not written over as long as anything of it is in use."""
    files = [hostile.saved(PIL.Image.new("RGB", (1_500, 1_200), (i, 0, 0)), "PNG") for i in range(10)]
    kept = [shared_pool.decode(data)[::2, 5:] for data in files]
    assert [int(image.min()) for image in kept] == [0] * 10
    assert [int(image[..., 0].max()) for image in kept] == list(range(10))
    del kept
    gc.collect()
    assert len(shared_pool._free) == len(shared_pool.blocks)


def test_pixels_come_through_the_pipe_where_no_memory_can_be_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows, which also set no limit of memory."""
    monkeypatch.delattr(os, "memfd_create")
    pool = Workers()
    try:
        for name in ("baseline.jpg", "rgb.png", "rgb.heic"):
            data = hostile.sound()[name]
            assert np.array_equal(pool.decode(data), io.decode(data))
        large = hostile.saved(hostile.noise(1_200, 1_600), "BMP")
        assert np.array_equal(pool.decode(large), io.decode(large))
        with pytest.raises(TooMuchError):
            pool.decode(endless_profile())
        assert pool.decode(JPEG).shape == (40, 56, 3)
    finally:
        pool.close()


def test_limits_that_a_system_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(color, "new_image", color.new_image)  # and back
    monkeypatch.setattr(sandbox, "resource", None)
    monkeypatch.delattr(signal, "setitimer")
    answers, file = (
        BytesIO(),
        BytesIO(b'{"bytes": %d, "long_side_px": 900, "memory_mb": 360}\n' % len(JPEG) + JPEG),
    )
    sandbox.Sandbox(file, answers).serve()  # type: ignore[arg-type]
    assert answers.getvalue().endswith(io.decode(JPEG).tobytes())


# Processes that end


def test_a_killed_worker_is_replaced_and_the_picture_refused_in_words(pool: Workers) -> None:
    pool.start()
    (worker,) = pool._idle
    assert pool.decode(JPEG).size
    worker.process.kill()
    with pytest.raises(TooMuchError, match="more memory or time to read than a picture should"):
        pool.decode(JPEG)
    assert pool.decode(JPEG).shape == (40, 56, 3)
    assert pool._idle[0] is not worker


def test_killed_workers_leave_nothing_behind(pool: Workers) -> None:
    pool.decode(JPEG)
    before = open_files()
    for _ in range(5):
        pool._idle[-1].process.kill()
        with pytest.raises(TooMuchError):
            pool.decode(JPEG)
        assert pool.decode(JPEG).size
    assert open_files() == before
    assert len(pool._free) == len(pool.blocks)


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_third_is_served_while_two_bombs_are_being_dealt_with(pool: Workers) -> None:
    """Two workers are stopped with their pictures, as by bombs; the third has the only free one."""
    pool.decode(JPEG)
    first = pool._idle[0]
    os.kill(first.process.pid, signal.SIGSTOP)
    held = [threading.Thread(target=fails, args=(pool,)) for _ in range(2)]
    held[0].start()
    wait_until(lambda: not pool._idle)
    pool.decode(JPEG)
    second = pool._idle[0]
    os.kill(second.process.pid, signal.SIGSTOP)
    held[1].start()
    wait_until(lambda: not pool._idle)
    assert pool.decode(JPEG).shape == (40, 56, 3)
    assert all(thread.is_alive() for thread in held)
    first.process.kill()
    second.process.kill()
    for thread in held:
        thread.join(30)
    assert pool.decode(JPEG).size


def fails(pool: Workers) -> None:
    with pytest.raises(TooMuchError):
        pool.decode(JPEG)


def wait_until(true: object) -> None:
    assert callable(true)
    while not true():
        time.sleep(0.01)


def test_a_process_that_does_not_start_is_no_fault_of_the_picture(
    pool: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers, "START", "raise SystemExit(3)")
    with pytest.raises(ImageError, match="does not start"):
        pool.decode(JPEG)
    assert "ended with 3" in caplog.text


def test_a_worker_knows_no_secrets(pool: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_TURN_KEY_API_TOKEN", "secret")
    pool.decode(JPEG)
    environment = Path(f"/proc/{pool._idle[0].process.pid}/environ")
    if not environment.exists():
        pytest.skip("this system does not show the environment of processes")
    assert b"secret" not in environment.read_bytes()


def test_workers_end_with_the_process_that_started_them() -> None:
    program = (
        "from agegender.imaging import workers; pool = workers.shared(); pool.start(); import sys;"
        "workers.read_image('samples/astronaut.png'); print(pool._idle[0].process.pid)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
