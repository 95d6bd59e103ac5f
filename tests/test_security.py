"""What the server itself refuses, even if a browser would have prevented it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from browsing import ROOT, serve
from visiting import Visitor, open_socket
from websockets.exceptions import InvalidStatus

SAMPLE = (ROOT / "samples" / "grace_hopper.jpg").read_bytes()
FOREIGN = "https://foreign.example"
MB = 2**20


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("security") / "log.txt") as address:
        yield address


@pytest.fixture
def visitor(url: str) -> Iterator[Visitor]:
    with Visitor(url, "Photos") as opened:
        opened.run()
        yield opened


def asked(visitor: Visitor, method: str, path: str, headers: dict[str, str]) -> HTTPResponse:
    """Response to a request without a body and with only these headers."""
    connection = HTTPConnection(visitor.host, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("lacks", ["Cookie", "X-Xsrftoken", "a token that is the cookie's"])
def test_an_upload_from_another_site_is_refused(visitor: Visitor, lacks: str) -> None:
    """A foreign page can have the browser send the cookie, but it cannot read it to send its token."""
    path = visitor.upload_urls("a.jpg").upload_url
    headers = {"Cookie": visitor.cookie, "X-Xsrftoken": visitor.cookie.partition("=")[2]}
    headers.pop(lacks, None)
    if lacks not in ("Cookie", "X-Xsrftoken"):
        headers["X-Xsrftoken"] = "2|00000000|00000000000000000000000000000000|1700000000"
    assert asked(visitor, "PUT", path, headers).status == 403
    assert asked(visitor, "DELETE", path, headers).status == 403
    assert visitor.put(path, "a.jpg", SAMPLE)[0] == 204, "as the page itself does it"


@pytest.mark.parametrize("path", ["/_stcore/health", "/_stcore/host-config"])
def test_no_other_site_may_read_answers(visitor: Visitor, path: str) -> None:
    answer = asked(visitor, "GET", path, {"Origin": FOREIGN})
    assert answer.status == 200
    assert answer.getheader("Access-Control-Allow-Origin") in (None, f"http://{visitor.host}")


def test_no_other_site_may_upload(visitor: Visitor) -> None:
    path = visitor.upload_urls("a.jpg").upload_url
    answer = asked(visitor, "OPTIONS", path, {"Origin": FOREIGN, "Access-Control-Request-Method": "PUT"})
    assert answer.getheader("Access-Control-Allow-Origin") not in ("*", FOREIGN)


def test_no_other_site_may_open_a_session(visitor: Visitor) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        open_socket(visitor.host, FOREIGN, visitor.cookie),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_file_that_says_it_is_too_large_is_refused_unread(visitor: Visitor) -> None:
    path = visitor.upload_urls("a.mp4").upload_url
    headers = {"Cookie": visitor.cookie, "X-Xsrftoken": visitor.cookie.partition("=")[2]}
    assert asked(visitor, "PUT", path, headers | {"Content-Length": str(201 * MB)}).status == 413


def test_a_file_that_hides_how_large_it_is_is_cut_off(visitor: Visitor) -> None:
    path, edge = visitor.upload_urls("a.mp4").upload_url, uuid.uuid4().hex
    sent: list[int] = []

    def parts() -> Iterator[bytes]:
        yield f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'.encode()
        for number in range(300):
            sent.append(number)
            yield bytes(MB)

    connection = HTTPConnection(visitor.host, timeout=60)
    headers = {"Cookie": visitor.cookie, "X-Xsrftoken": visitor.cookie.partition("=")[2]}
    headers |= {"Content-Type": f"multipart/form-data; boundary={edge}"}
    try:
        connection.request("PUT", path, parts(), headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):  # the server hung up before everything was sent
        assert 200 <= len(sent) < 300
    finally:
        connection.close()


def test_a_large_picture_is_refused_where_the_browser_did_not(visitor: Visitor) -> None:
    visitor.choose_files([("large.jpg", SAMPLE + bytes(50 * MB)), ("good.jpg", SAMPLE)])
    visitor.run()
    texts = visitor.texts()
    assert any("larger than 50 MB" in text for text in texts)
    assert any("**1 face** in 1 photo · 1 photo could not be read" in text for text in texts)


def test_what_goes_wrong_inside_is_not_told(visitor: Visitor, url: str) -> None:
    """A value that no browser sends makes a run fail; neither the code nor its location gets out."""
    visitor.enter("selectbox", "Face detector", int_value=99)
    visitor.run()
    errors = [e.exception for e in visitor.elements if e.WhichOneof("type") == "exception"]
    assert len(errors) == 1
    assert list(errors[0].stack_trace) == []
    assert not any(word in str(errors[0]) for word in (str(Path(__file__).parents[1]), "Traceback", "99"))
    with Visitor(url, "Photos") as other:
        other.run()
        assert other.widget("file_uploader").file_uploader.id, "and nobody else is held up"


def test_nothing_is_reported_of_how_it_is_used(visitor: Visitor) -> None:
    assert visitor.session_id
    assert not visitor.config.gather_usage_stats


@pytest.mark.parametrize(("page", "what"), [("Photos", "pictures"), ("Video", "video")])
def test_files_from_before_a_restart_are_asked_for_again(url: str, page: str, what: str) -> None:
    """The browser of an open tab still lists files that the server has lost."""
    with Visitor(url, page) as visitor:
        visitor.run()
        visitor.name_lost_file()
        visitor.run()
        texts = visitor.texts()
        assert f"The server was restarted; please add the {what} again." in texts
        assert not any("exception" in text for text in texts)
