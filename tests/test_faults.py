"""Fetching when networks, disks and processes fail at the worst moment, from a real server on this machine.

`test_models.py` has the plain failures; here is what goes wrong half-way.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from serving import serving

from agegender.errors import ModelError
from agegender.models import download
from agegender.models.manifest import MANIFEST, ModelFile, ModelSpec
from agegender.models.store import fetch, status

pytestmark = pytest.mark.usefixtures("cache")

CONTENT = bytes(range(256)) * 4
NAME = "toy.onnx"
ROOT = MANIFEST.parents[1]


def answer(body: bytes, *headers: str, state: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {state}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def whole(body: bytes = CONTENT, *headers: str, state: str = "200 OK") -> bytes:
    return answer(body, f"Content-Length: {len(body)}", *headers, state=state)


class Server(socketserver.ThreadingTCPServer):
    """Sends `answers`, one after the other and then the last again and again, byte for byte, and hangs up.

    With `pause_s` it sends byte after byte with pauses; with `hangs` it does not hang up before `released`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.answers = [whole()]
        self.asked = 0
        self.pause_s = 0.0
        self.hangs = False
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{NAME}"

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""


class Talk(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        data = self.server.answers[min(self.server.asked, len(self.server.answers) - 1)]
        self.server.asked += 1
        for start in range(0, len(data), 1 if self.server.pause_s else len(data)):
            if self.server.released.wait(self.server.pause_s):
                return
            self.wfile.write(data[start : start + 1] if self.server.pause_s else data)
        if self.server.hangs:
            self.server.released.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


def toy(url: str) -> ModelSpec:
    file = ModelFile(NAME, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), (url,))
    return ModelSpec("toy", "Toy", "detector", (file,), "none", "here", "nothing", (), MANIFEST.parent)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def refusal(server: Server) -> str:
    """Return what is said of a fetch that fails."""
    with pytest.raises(ModelError) as caught:
        fetch(toy(server.url), retry=True)
    return str(caught.value)


def as_program(url: str, before: str = "") -> list[str]:
    """Return the command of a process that fetches, and prints what is said if that fails."""
    program = (
        f"{before}\n"
        "import sys; from agegender.errors import ModelError\n"
        "from agegender.models.manifest import *; from agegender.models.store import *\n"
        "file = ModelFile(sys.argv[1], sys.argv[2], int(sys.argv[3]), (sys.argv[4],))\n"
        "spec = ModelSpec('toy', 'Toy', 'detector', (file,), '', '', '', (), MANIFEST.parent)\n"
        "try: print(fetch(spec)[file.name])\n"
        "except ModelError as error: print(error); sys.exit(1)"
    )
    return [sys.executable, "-c", program, NAME, hashlib.sha256(CONTENT).hexdigest(), str(len(CONTENT)), url]


# What comes over the network


@pytest.mark.parametrize("response", [whole(), answer(CONTENT)], ids=["of known length", "of unknown length"])
def test_a_download_cut_at_any_byte_leaves_nothing_and_the_next_one_is_good(
    server: Server, cache: Path, response: bytes
) -> None:
    head = len(response) - len(CONTENT)
    for length in sorted({*range(0, head, 9), *range(head - 2, len(response), 97), len(response) - 1}):
        server.answers = [response[:length]]
        assert "AGEGENDER_MIRROR" in refusal(server), f"cut after {length} bytes"
        assert left_in(cache) == []
    server.answers = [response]
    assert fetch(toy(server.url), retry=True)[NAME].read_bytes() == CONTENT


@pytest.mark.parametrize("from_the_start", [True, False], ids=["headers", "content"])
def test_a_server_that_trickles_is_given_up(
    server: Server, cache: Path, from_the_start: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SILENCE_S", 0.4)
    server.pause_s = 0.02 if from_the_start else 0.0
    if not from_the_start:
        server.answers, server.hangs = [whole()[:-100]], True
    assert "for 0.4 seconds" in refusal(server)
    assert left_in(cache) == []


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        pytest.param(whole(b"<html>Log in to this network</html>"), "damaged or different", id="a page"),
        pytest.param(whole(CONTENT[:-1] + b"\0"), "damaged or different", id="other bytes"),
        pytest.param(whole(b"", state="204 No Content"), "damaged or different", id="nothing"),
        pytest.param(whole(CONTENT[100:], state="206 Partial Content"), "damaged or different", id="a part"),
        pytest.param(whole(state="403 Forbidden"), "status 403", id="forbidden"),
        pytest.param(whole(state="404 Not Found"), "status 404", id="not found"),
        pytest.param(whole(state="503 Service Unavailable"), "status 503", id="unavailable"),
        pytest.param(b"no HTTP at all\r\n\r\n", "could not be reached|broke off", id="no HTTP"),
        pytest.param(whole(b"no gzip", "Content-Encoding: gzip"), "could not be read", id="no gzip"),
        pytest.param(
            whole(gzip.compress(bytes(50_000_000)), "Content-Encoding: gzip"), "larger file", id="a bomb"
        ),
        pytest.param(
            answer(CONTENT, "Content-Length: 99999999999"),
            "broke off|could not be reached",
            id="a false length",
        ),
    ],
)
def test_what_is_not_the_file_is_said_and_leaves_nothing(
    server: Server, cache: Path, response: bytes, complaint: str
) -> None:
    server.answers = [response]
    said = refusal(server)
    assert any(words in said for words in complaint.split("|")), said
    assert left_in(cache) == []


def test_a_server_that_compresses_on_the_way_is_understood(server: Server) -> None:
    server.answers = [whole(gzip.compress(CONTENT), "Content-Encoding: gzip")]
    assert fetch(toy(server.url))[NAME].read_bytes() == CONTENT


def redirect(place: str) -> bytes:
    return whole(b"", f"Location: {place}", state="302 Found")


def test_a_redirect_is_followed_and_what_is_there_is_verified(server: Server, cache: Path) -> None:
    server.answers = [redirect("/elsewhere"), whole(CONTENT[::-1])]
    assert "damaged or different" in refusal(server)
    server.asked, server.answers = 0, [redirect("/elsewhere"), redirect(server.url), whole()]
    assert fetch(toy(server.url), retry=True)[NAME].read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("/again", "redirects to an address that cannot be fetched"),
        ("file:///etc/passwd", "redirects to an address that cannot be fetched"),
        ("ftp://127.0.0.1/x", "redirects to an address that cannot be fetched"),
        ("http://", "redirects to an address that cannot be fetched"),
        ("http://127.0.0.1:1/x", "could not be reached"),
    ],
)
def test_a_redirect_to_nowhere_is_said(server: Server, cache: Path, place: str, complaint: str) -> None:
    server.answers = [redirect(place)]
    assert complaint in refusal(server)
    assert left_in(cache) == []


# The disk


@pytest.mark.skipif(os.name != "posix", reason="files cannot be kept from growing on this system")
def test_a_file_that_may_not_grow_is_a_fault_of_the_disk_and_not_of_the_server(
    server: Server, cache: Path
) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))"
    command = as_program(server.url, limit)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"could not be written to {cache}" in done.stdout
    assert left_in(cache) == []
    assert fetch(toy(server.url))[NAME].read_bytes() == CONTENT


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no permissions of this kind")
def test_a_cache_that_may_only_be_read_is_used_and_what_is_missing_reported(server: Server) -> None:
    # Permissions do not hold for root. What is imported is so before, as it may lie in root's own folders.
    imported = "os, pooch, requests, agegender.models.download, agegender.models.store"
    as_nobody = f"import {imported}; os.geteuid() or os.setuid(65534)"
    with TemporaryDirectory() as place:  # where that user may look, unlike in pytest's folders
        Path(place).chmod(0o755)
        folder = Path(place, "cache")
        folder.mkdir()
        environment = {**os.environ, "AGEGENDER_CACHE": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                as_program(server.url, as_nobody),
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )

        folder.chmod(0o555)
        missing = run()
        folder.chmod(0o755)
        (folder / NAME).write_bytes(CONTENT)
        folder.chmod(0o555)
        there = run()
        folder.chmod(0)
        shut = run()
        folder.chmod(0o755)
        assert (shut.returncode, shut.stderr) == (1, "")
        assert "Make that folder writable, or set AGEGENDER_CACHE" in shut.stdout
        assert (missing.returncode, missing.stderr, server.asked) == (1, "", 0)
        assert "Make that folder writable, or set AGEGENDER_CACHE" in missing.stdout
        assert (there.returncode, there.stdout) == (0, f"{folder / NAME}\n")
        assert left_in(folder) == [NAME]


def test_a_folder_in_the_place_of_the_file_is_said(server: Server, cache: Path) -> None:
    (cache / NAME / "own").mkdir(parents=True)
    assert "could not be written" in refusal(server)
    assert left_in(cache) == [NAME]
    assert left_in(cache / NAME) == ["own"]


def test_a_file_truncated_on_the_disk_is_replaced_or_else_said_to_be_damaged(
    server: Server, cache: Path
) -> None:
    path = fetch(toy(server.url))[NAME]
    path.write_bytes(CONTENT[:400])
    assert status(toy(server.url)) == "missing"
    server.answers = [whole(state="404 Not Found")]
    said = refusal(server)
    assert said.startswith(f"{path} is damaged, and a good one cannot be had.")
    assert "status 404" in said
    server.answers = [whole()]
    assert fetch(toy(server.url), retry=True)[NAME].read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


# The process


def killed_while_fetching(server: Server, cache: Path) -> str:
    """Start a process that fetches, kill it when half is here, and return the name of what it leaves."""
    server.answers, server.hangs = [whole(CONTENT * 100)[: 50 * len(CONTENT)]], True
    with subprocess.Popen(as_program(server.url), cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            while not any(cache.glob(f"{download.UNFINISHED}*/*")):
                assert process.poll() is None
                time.sleep(0.01)
        finally:
            process.kill()
    server.answers, server.hangs = [whole()], False
    (left,) = left_in(cache)
    return left


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no process can be killed in this way here")
def test_after_a_process_was_killed_the_next_fetch_works_and_its_leavings_go(
    server: Server, cache: Path
) -> None:
    left = killed_while_fetching(server, cache)
    spec = toy(server.url)
    assert status(spec) == "missing"
    assert fetch(spec)[NAME].read_bytes() == CONTENT
    assert left_in(cache) == [left, NAME], "it might be a download of another process"
    for path in (*(cache / left).iterdir(), cache / left):
        os.utime(path, (1e9, 1e9))
    assert fetch(spec)[NAME].read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


def test_nothing_else_in_the_folder_is_ever_removed(server: Server, cache: Path) -> None:
    others = ["tmpabcdefgh", "own", f"x{download.UNFINISHED}x"]
    for name in others:
        (cache / name).mkdir(parents=True)
        os.utime(cache / name, (1e9, 1e9))
    fetch(toy(server.url))
    assert left_in(cache) == sorted([*others, NAME])
