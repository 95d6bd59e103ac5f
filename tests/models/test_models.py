"""The manifest, and downloads from a real local server, with everything that can go wrong."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from errno import ENOSPC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from serving import serving

from agegender.errors import ModelError
from agegender.models import download
from agegender.models.manifest import MANIFEST, ModelFile, ModelSpec, load_manifest
from agegender.models.session import onnx_session
from agegender.models.store import fetch, status
from agegender.types import RANGES

pytestmark = pytest.mark.usefixtures("cache")

CONTENT = bytes(range(256)) * 2000
WRONG = CONTENT[::-1]
NAME = "toy.onnx"


class Server(ThreadingHTTPServer):
    """Answers /BEHAVIOUR/any.name; hanging requests are let go when `released` is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.released = threading.Event()
        self.both_here = threading.Barrier(2)

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/{NAME}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        behaviour = self.path.split("/")[1]
        if behaviour == "deaf":
            self.server.released.wait()
        if behaviour == "together":
            self.server.both_here.wait(timeout=60)
        self.send_response(404 if behaviour == "lacks" else 200)
        if behaviour != "endless":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        half = len(CONTENT) // 2
        if behaviour in ("cut", "stalls"):
            self.wfile.write(CONTENT[:half])
            self.server.released.wait(0 if behaviour == "cut" else None)
            return
        while behaviour == "endless" and not self.server.released.is_set():
            self.wfile.write(CONTENT)
        self.wfile.write(WRONG if behaviour == "wrong" else CONTENT)

    def log_message(self, *_: object) -> None:
        pass


class QuietServer(Server):
    def handle_error(self, *_: object) -> None:
        """Stay silent about clients that hang up, as they do here."""


@pytest.fixture
def server() -> Iterator[QuietServer]:
    with serving(QuietServer()) as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten time-outs in tests in which nothing arrives anyway."""
    monkeypatch.setattr(download, "SILENCE_S", 0.4)


def toy(*urls: str, folder: Path = MANIFEST.parent) -> ModelSpec:
    file = ModelFile(NAME, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), urls)
    return ModelSpec("toy", "Toy", "detector", (file,), "none", "here", "nothing", (), folder)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# The list


def test_the_list_names_every_model_that_the_program_knows() -> None:
    models = load_manifest()
    assert list(models) == ["yunet", "bundled", "ssd", "apparent", "levi-hassner"]
    assert models["levi-hassner"].classes == (RANGES, ("Male", "Female"))


def test_bundled_files_are_what_the_list_says() -> None:
    for spec in load_manifest().values():
        bundled = replace(spec, files=tuple(file for file in spec.files if not file.urls))
        assert status(bundled) == "bundled", f"{spec.name}: replace its sum and bytes in {MANIFEST}"
        assert all(path.parent == MANIFEST.parent for path in fetch(bundled).values())


def test_mirrored_files_are_what_the_list_says(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGEGENDER_MIRROR", str(mirror))
    found: list[str] = []
    for spec in load_manifest().values():
        files = tuple(
            replace(file, urls=("http://127.0.0.1:9/",))
            for file in spec.files
            if (mirror / file.name).is_file()
        )
        found += fetch(replace(spec, files=files))
    assert sorted(found) == [
        "age_deploy.prototxt",
        "gender_deploy.prototxt",
        "opencv_face_detector.pbtxt",
        "opencv_face_detector_uint8.pb",
        "yunet_n_dynamic.onnx",
    ]


GOOD_LIST = f"""
[toy]
title = "Toy"
role = "detector"
licence = "MIT"
source = "here"
input = "RGB"
classes = [["no", "yes"]]
[[toy.files]]
name = "toy.onnx"
sha256 = "{"0a" * 32}"
bytes = 12
urls = ["https://example.org/toy.onnx"]
"""


def test_a_list_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(GOOD_LIST)
    file = ModelFile("toy.onnx", "0a" * 32, 12, ("https://example.org/toy.onnx",))
    expected = ModelSpec("toy", "Toy", "detector", (file,), "MIT", "here", "RGB", (("no", "yes"),), tmp_path)
    assert load_manifest(path) == {"toy": expected}
    assert hash(expected)
    assert expected.bytes == 12


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ('title = "Toy"', 'title = "Toy', "cannot be read"),
        ('title = "Toy"', "title = 3", "no title for toy"),
        ('title = "Toy"', 'title = ""', "no title for toy"),
        ('title = "Toy"', "", "other keys"),
        ('title = "Toy"', 'title = "Toy"\ncolour = "red"', "other keys"),
        ('"detector"', '"detective"', "'detective'"),
        ('[["no", "yes"]]', '["no", "yes"]', "odd classes"),
        ("[[toy.files]]", "[toy.files]", "no list of files"),
        ('name = "toy.onnx"', 'name = "../toy.onnx"', "not a file name"),
        ('name = "toy.onnx"', 'name = ".."', "not a file name"),
        ("0a0a", "0A0A", "no SHA-256"),
        ("0a0a", "0a", "no SHA-256"),
        ("bytes = 12", "bytes = 0", "no number of bytes"),
        ("bytes = 12", "bytes = true", "no number of bytes"),
        ("bytes = 12", "bytes = 1.5", "no number of bytes"),
        ("https:", "file:", "other than a URL"),
        ('["https://example.org/toy.onnx"]', '"https://example.org/toy.onnx"', "other than a URL"),
        ("[toy]", "toy = 1\n[toys]", "cannot be read|other keys"),
    ],
)
def test_nonsense_in_the_list_is_named(tmp_path: Path, right: str, wrong: str, complaint: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(GOOD_LIST.replace(right, wrong, 1))
    with pytest.raises(ModelError, match=complaint):
        load_manifest(path)


def test_files_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(GOOD_LIST + GOOD_LIST.replace("toy]", "toy2]").replace("toy.files", "toy2.files"))
    with pytest.raises(ModelError, match="two files of one name"):
        load_manifest(path)


def test_a_list_that_is_not_there_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_manifest(tmp_path / "manifest.toml")


# Fetching


def test_a_file_is_fetched_once(server: Server, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = toy(server.url("good"))
    assert status(spec) == "missing"
    assert not cache.exists()
    assert fetch(spec) == fetch(spec) == {NAME: cache / NAME}
    assert (cache / NAME).read_bytes() == CONTENT
    assert status(spec) == "cached"
    assert left_in(cache) == [NAME]
    assert len(server.asked) == 1
    assert capfd.readouterr() == ("", "")


def test_progress_is_told_in_the_thread_that_asks(server: Server) -> None:
    told: list[tuple[str, int, int, int]] = []
    fetch(toy(server.url("good")), lambda *news: told.append((*news, threading.get_ident())))
    assert {(name, total, thread) for name, _, total, thread in told} == {
        (NAME, len(CONTENT), threading.get_ident())
    }
    done = [done for _, done, _, _ in told]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)


@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [
        ("wrong", "damaged or different"),
        ("lacks", "status 404"),
        ("cut", "broke off halfway"),
        ("stalls", "fell silent for 0.4 seconds"),
        ("deaf", "did not answer for 0.4 seconds"),
        ("endless", "larger file"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_failing_server_is_reported_and_leaves_nothing(
    server: Server, cache: Path, behaviour: str, complaint: str
) -> None:
    with pytest.raises(ModelError, match=rf"127\.0\.0\.1.* {complaint}.*AGEGENDER_MIRROR"):
        fetch(toy(server.url(behaviour)))
    assert left_in(cache) == []


def test_no_server_at_all_is_reported(cache: Path) -> None:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ModelError, match="could not be reached"):
            fetch(toy(f"http://127.0.0.1:{taken.getsockname()[1]}/{NAME}"))
    assert left_in(cache) == []


@pytest.mark.usefixtures("impatient")
def test_a_name_server_that_hangs_is_not_waited_for_and_comes_too_late(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve, answers = socket.getaddrinfo, threading.Event()

    def slowly(_: str, *arguments: object, **options: object) -> object:
        answers.wait()
        return resolve("127.0.0.1", *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(ModelError, match="did not answer"):
        fetch(toy(server.url("good").replace("127.0.0.1", "models.invalid")))
    (left_behind,) = (thread for thread in threading.enumerate() if thread.name == "agegender-download")
    answers.set()
    left_behind.join()
    assert len(server.asked) == 1, "the thread that was given up went on to ask"
    assert left_in(cache) == []


def test_a_failure_is_repeated_at_once_for_a_while(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = toy(server.url("lacks"))
    for retry, asked in [(False, 1), (False, 1), (True, 2), (False, 2)]:
        with pytest.raises(ModelError, match="status 404"):
            fetch(spec, retry=retry)
        assert len(server.asked) == asked
    monkeypatch.setattr(download, "RETRY_AFTER_S", 0.0)
    with pytest.raises(ModelError, match="status 404"):
        fetch(spec)
    assert len(server.asked) == 3


def test_a_file_that_appears_is_used_in_spite_of_an_earlier_failure(server: Server, cache: Path) -> None:
    spec = toy(server.url("lacks"))
    with pytest.raises(ModelError):
        fetch(spec)
    (cache / NAME).write_bytes(CONTENT)
    assert fetch(spec) == {NAME: cache / NAME}


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], WRONG], ids=["empty", "short", "as long"])
def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server, content: bytes) -> None:
    spec = toy(server.url("good"))
    path = fetch(spec)[NAME]
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))  # a time stamp that differs on any clock
    assert status(spec) == "missing"
    assert fetch(spec)[NAME].read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_two_processes_at_once_both_end_with_a_good_file(server: Server, cache: Path) -> None:
    program = (
        "import sys; from agegender.models.manifest import *; from agegender.models.store import *\n"
        "file = ModelFile(sys.argv[1], sys.argv[2], int(sys.argv[3]), (sys.argv[4],))\n"
        "spec = ModelSpec('toy', 'Toy', 'detector', (file,), '', '', '', (), MANIFEST.parent)\n"
        "sys.stdout.buffer.write(fetch(spec)[file.name].read_bytes())"
    )
    # The server answers only after both have asked.
    arguments = [NAME, hashlib.sha256(CONTENT).hexdigest(), str(len(CONTENT)), server.url("together")]
    command = [sys.executable, "-c", program, *arguments]
    both = [subprocess.Popen(command, cwd=MANIFEST.parents[1], stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in both] == [CONTENT, CONTENT]
    assert left_in(cache) == [NAME]


# The mirror


def mirror_of(tmp_path: Path, content: bytes | None) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    if content is not None:
        (folder / NAME).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("content", "asks_the_server"),
    [(CONTENT, False), (WRONG, True), (None, True)],
    ids=["good", "bad", "lacks"],
)
def test_a_mirror_folder_is_asked_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, asks_the_server: bool
) -> None:
    monkeypatch.setenv("AGEGENDER_MIRROR", str(mirror_of(tmp_path, content)))
    assert fetch(toy(server.url("good")))[NAME].read_bytes() == CONTENT
    assert bool(server.asked) == asks_the_server


@pytest.mark.parametrize(
    ("behaviour", "slash"),
    [("mirror", ""), ("mirror", "/"), ("wrong", ""), ("lacks", ""), ("stalls", ""), ("deaf", "")],
)
def test_a_mirror_on_the_web_is_asked_first(
    server: Server, monkeypatch: pytest.MonkeyPatch, behaviour: str, slash: str
) -> None:
    monkeypatch.setattr(download, "SILENCE_S", 1.0)
    monkeypatch.setenv("AGEGENDER_MIRROR", server.url(behaviour).removesuffix(f"/{NAME}") + slash)
    assert fetch(toy(server.url("good")))[NAME].read_bytes() == CONTENT
    expected = [f"/{behaviour}/{NAME}", f"/good/{NAME}"]
    assert server.asked == (expected[:1] if behaviour == "mirror" else expected)


def test_every_source_that_failed_is_named(
    server: Server, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mirror_of(tmp_path, None)
    monkeypatch.setenv("AGEGENDER_MIRROR", str(folder))
    with pytest.raises(ModelError, match=rf"{folder} does not have it; 127\.0\.0\.1:\d+ answered with"):
        fetch(toy(server.url("lacks")))
    assert left_in(cache) == []


# The disk


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_cache_that_cannot_be_written_is_reported(server: Server, cache: Path, below: str) -> None:
    cache.write_text("a file, where root cannot make a folder either")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ModelError, match="AGEGENDER_CACHE"):
        patch.setenv("AGEGENDER_CACHE", str(cache / below))
        fetch(toy(server.url("good")))
    assert server.asked == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_a_disk_that_fills_up_is_reported(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode: really_open(Path("/dev/full") if mode == "wb" else path, mode)
    )
    with pytest.raises(ModelError, match=r"disk is full.*0\.5 MB"):
        fetch(toy(server.url("good")))
    assert left_in(cache) == []


def test_a_move_that_fails_leaves_nothing(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move(*_: object) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr(shutil, "move", move)
    with pytest.raises(ModelError, match="disk is full"):
        fetch(toy(server.url("good")))
    assert left_in(cache) == []


# What is bundled, and sessions


@pytest.mark.parametrize(("content", "complaint"), [(None, "is missing"), (WRONG, "is damaged")])
def test_a_bundled_file_is_verified_too(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    spec = toy(folder=mirror_of(tmp_path, content))
    assert status(spec) == "missing"
    with pytest.raises(ModelError, match=complaint):
        fetch(spec)
    (spec.folder / NAME).write_bytes(CONTENT)
    os.utime(spec.folder / NAME, ns=(1, 1))
    assert status(spec) == "bundled"
    assert fetch(spec) == {NAME: spec.folder / NAME}


@pytest.mark.parametrize("content", [None, b"", CONTENT], ids=["missing", "empty", "no model"])
def test_a_file_that_is_no_model_is_a_model_error(tmp_path: Path, content: bytes | None) -> None:
    with pytest.raises(ModelError, match="is not a model that can be run"):
        onnx_session(mirror_of(tmp_path, content) / NAME)


def test_a_session_leaves_the_other_cores_to_other_visitors(mirror: Path) -> None:
    session = onnx_session(mirror / "yunet_n_dynamic.onnx")
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert session.get_providers() == ["CPUExecutionProvider"]
