"""Where the pictures of a batch come from: every kind of source, and each picture once."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from agegender.batch.sources import KEPT, Item, find, read
from agegender.errors import BatchError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.PNG", "notes.md", "deep/er/c.webp", ".hidden/d.jpg", "deep/.e.jpg"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "tree"


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    KEPT.close()


def found(*sources: object) -> list[Item]:
    failures: list[tuple[str, str]] = []
    items = list(find(map(str, sources), lambda *failure: failures.append(failure)))
    assert failures == []
    return items


def names(*sources: object) -> list[str]:
    return [Path(item.path).name for item in found(*sources)]


def test_a_folder_is_searched_to_its_depths_and_what_is_hidden_left_out(tree: Path) -> None:
    assert names(tree) == ["a.jpg", "b.PNG", "c.webp"]
    assert [read(item) for item in found(tree)] == [b"a.jpg", b"b.PNG", b"deep/er/c.webp"]


def test_a_picture_is_named_once_however_often_it_is_found(tree: Path) -> None:
    assert names(tree, tree / "a.jpg", tree / "*.jpg", tree / "**" / "*.webp") == ["a.jpg", "b.PNG", "c.webp"]


def test_links_to_folders_are_followed_and_do_not_loop(tree: Path) -> None:
    (tree / "deep" / "back").symlink_to(tree)
    (tree / "z").symlink_to(tree / "deep")
    (tree / "copy.jpg").symlink_to(tree / "a.jpg")
    (tree / "broken.jpg").symlink_to(tree / "nowhere.jpg")
    assert names(tree) == ["a.jpg", "b.PNG", "copy.jpg", "c.webp"]


def test_a_named_file_is_taken_whatever_its_ending(tree: Path) -> None:
    assert names(tree / "notes.md") == ["notes.md"]


def test_a_list_names_paths_from_its_own_folder(tree: Path) -> None:
    (tree / "list.txt").write_text("\ufeffa.jpg\n\ndeep\nlist.txt\n" + str(tree / "b.PNG"), encoding="utf-8")
    assert names(tree / "list.txt") == ["a.jpg", "c.webp", "b.PNG"]


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "zip"])
def test_pictures_are_read_from_archives_without_unpacking(tree: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"all.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(tree.rglob("*")):
                archive.write(file, file.relative_to(tree))
    else:
        mode: Any = f"w:{kind.partition('.')[2]}"
        with tarfile.open(path, mode) as tar:
            tar.add(tree, ".")
    items = found(path)
    assert sorted(Path(item.path).name for item in items) == ["a.jpg", "b.PNG", "c.webp"]
    assert {read(item) for item in reversed(items)} == {b"a.jpg", b"b.PNG", b"deep/er/c.webp"}


def test_what_is_not_there_or_broken_is_told_and_the_rest_goes_on(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK no zip")
    failures: dict[str, str] = {}
    sources = [str(tmp_path / "gone"), str(tmp_path / "bad.zip"), str(tree / "a.jpg")]
    assert [Path(item.path).name for item in find(sources, failures.__setitem__)] == ["a.jpg"]
    assert list(failures) == sources[:2]


def test_a_picture_that_went_meanwhile_is_an_error(tree: Path) -> None:
    (item,) = found(tree / "a.jpg")
    (tree / "a.jpg").unlink()
    with pytest.raises(BatchError, match="cannot be read"):
        read(item)


def test_a_changed_file_is_another_item(tree: Path) -> None:
    (before,) = found(tree / "a.jpg")
    os.utime(tree / "a.jpg", (1, 1))
    (after,) = found(tree / "a.jpg")
    assert before != after


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


class Ranges(Quiet):
    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        part = content[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        self.wfile.write(part)

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


@contextmanager
def served(folder: Path, ranges: bool = False) -> Iterator[str]:
    handler = partial(Ranges if ranges else Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_addresses_are_read_over_http(tree: Path) -> None:
    pytest.importorskip("aiohttp")
    pytest.importorskip("fsspec")
    with served(tree) as address:
        (tree / "list.txt").write_text(f"{address}/a.jpg\n{address}/gone.jpg\n", encoding="utf-8")
        failures: dict[str, str] = {}
        items = list(find([f"{address}/list.txt", f"{address}/b.PNG"], failures.__setitem__))
        assert failures == {f"{address}/gone.jpg": "There is nothing at this address."}
        assert [item.path for item in items] == [f"{address}/a.jpg", f"{address}/b.PNG"]
        assert [read(item) for item in items] == [b"a.jpg", b"b.PNG"]


def test_archives_are_read_over_http_without_fetching_all_of_them(tree: Path) -> None:
    """http.server answers no range requests, so this one does."""
    pytest.importorskip("aiohttp")
    pytest.importorskip("fsspec")
    with zipfile.ZipFile(tree / "all.zip", "w") as archive:
        archive.write(tree / "b.PNG", "b.PNG")
    failures: dict[str, str] = {}
    with served(tree) as address:
        assert list(find([f"{address}/all.zip"], failures.__setitem__)) == []
        assert "range requests" in failures[f"{address}/all.zip"]
    with served(tree, ranges=True) as address:
        (item,) = found(f"{address}/all.zip")
        assert item.path == f"{address}/all.zip/b.PNG"
        assert read(item) == b"b.PNG"


def test_buckets_are_read_over_s3(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    import boto3  # type: ignore[import-untyped]

    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="photos")
        for file in ("a.jpg", "deep/er/c.webp", "notes.md"):
            client.upload_file(str(tree / file), "photos", f"2024/{file}")
        items = found("s3://photos/2024")
        assert [item.path for item in items] == ["s3://photos/2024/a.jpg", "s3://photos/2024/deep/er/c.webp"]
        assert [read(item) for item in items] == [b"a.jpg", b"deep/er/c.webp"]
        assert all(item.modified_s > 0 for item in items)
        assert found("s3://photos/2024/*.jpg") == items[:1]
    finally:
        server.stop()
