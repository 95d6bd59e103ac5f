"""Relay servers come from whichever account is named, within seconds, or public STUN with a word why."""

from __future__ import annotations

import gc
import json
import logging
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

import pytest
from streamlit_webrtc.config import compile_rtc_configuration

from agegender.live import ice
from agegender.live.ice import STUN, ice_servers

RELAY = {"urls": ["turn:relay.example:3478?transport=udp"], "username": "ada", "credential": "secret"}
CLOUDFLARE = {"CLOUDFLARE_TURN_KEY_ID": "key/1", "CLOUDFLARE_TURN_KEY_API_TOKEN": "token"}
TWILIO = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "token"}
HUGGING_FACE = {"HF_TOKEN": "hf_1"}


class Providers(ThreadingHTTPServer):
    """All three providers, on this machine, saying what they are told to say."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.answer = 200, b"{}"
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.silent = threading.Event()

    def urlopen(self, request: Request, timeout: float) -> HTTPResponse:
        """Ask here instead of where the request goes to."""
        path = urlsplit(request.full_url).path
        here = Request(f"http://127.0.0.1:{self.server_port}{path}", request.data, request.headers)
        found: HTTPResponse = build_opener().open(here, timeout=timeout)
        return found


class Answer(BaseHTTPRequestHandler):
    server: Providers

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        if self.server.silent.is_set():
            threading.Event().wait(1.0)
            return
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.answer)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Providers]:
    with Providers() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setattr("urllib.request.urlopen", server.urlopen)
        monkeypatch.setattr(ice, "TIMEOUT_S", 5.0)
        yield server
        server.shutdown()
        thread.join()


def says(server: Providers, answer: Any, status: int = 200) -> None:
    server.status, server.answer = status, json.dumps(answer).encode()


def test_without_an_account_it_is_public_stun_and_nobody_is_asked(providers: Providers) -> None:
    found = ice_servers({})
    assert (found.servers, found.note, providers.asked) == (STUN, None, [])


def test_cloudflare(providers: Providers) -> None:
    says(providers, {"iceServers": [{"urls": ["stun:stun.example:3478"]}, RELAY]}, 201)
    assert ice_servers(CLOUDFLARE).servers == ({"urls": ["stun:stun.example:3478"]}, RELAY, *STUN)
    ((method, path, headers, body),) = providers.asked
    assert (method, path) == ("POST", "/v1/turn/keys/key%2F1/credentials/generate-ice-servers")
    assert headers["Authorization"] == "Bearer token"
    assert not headers["User-Agent"].startswith("Python-urllib")  # which Cloudflare turns away
    assert json.loads(body)["ttl"] > 3600  # seconds, in which a page waits for START


def test_twilio_by_its_own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Client:
        def __init__(self, *account: str) -> None:
            asked.append(account)
            self.tokens = self

        def create(self, ttl: int) -> SimpleNamespace:
            return SimpleNamespace(ice_servers=[{**RELAY, "url": "turn:old-name"}], ttl=ttl)

    monkeypatch.setitem(sys.modules, "twilio", ModuleType("twilio"))
    monkeypatch.setitem(sys.modules, "twilio.rest", SimpleNamespace(Client=Client))
    assert ice_servers(TWILIO).servers == (RELAY, *STUN)
    assert asked == [("AC1", "token")]


def test_without_twilios_package_there_is_stun_and_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twilio", None)
    found = ice_servers(TWILIO)
    assert found.servers == STUN
    assert "Twilio" in (found.note or "") and "not installed" in (found.note or "")


def test_hugging_face(providers: Providers) -> None:
    says(providers, {"username": "ada", "credential": "secret", "ttl": 3600})
    found = ice_servers(HUGGING_FACE).servers
    assert found == ({"urls": "turn:gradio-turn.com:80", "username": "ada", "credential": "secret"}, *STUN)
    assert providers.asked[0][2]["X-Hf-Access-Token"] == "hf_1"


@pytest.mark.parametrize("account", [CLOUDFLARE, HUGGING_FACE], ids=["Cloudflare", "HF"])
def test_the_browser_gets_credentials_of_a_day_and_nothing_of_the_account(
    providers: Providers, account: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """What is returned goes to the browser as it is; of the account neither it nor the log holds anything."""
    caplog.set_level(logging.DEBUG)
    key, token = [*account.values(), *account.values()][:2]
    extra = {"account": key, "apiToken": token}
    says(providers, {"iceServers": [{**RELAY, **extra}], **extra, "username": "ada", "credential": "secret"})
    told = json.dumps(ice_servers(account).servers)
    assert "ada" in told and "secret" in told
    for private in ("secret", "ada", *account.values()):
        assert private not in caplog.text
    for private in account.values():
        assert f'"{private}"' not in told


def test_credentials_are_made_anew_each_time(providers: Providers) -> None:
    says(providers, {"iceServers": [RELAY]})
    ice_servers(CLOUDFLARE)
    ice_servers(CLOUDFLARE)
    assert len(providers.asked) == 2


# What streamlit-webrtc does not take it leaves open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("account", [CLOUDFLARE, HUGGING_FACE], ids=["Cloudflare", "HF"])
@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (401, b'{"error": "no"}'),
        (500, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"null"),
        (200, b'{"iceServers": [], "urls": "http://x"}'),
        (200, b'{"iceServers": [{"urls": 5}], "urls": 5}'),
        (200, b'{"iceServers": [{"urls": "http://x"}], "urls": ["javascript:x"]}'),
        (200, b'{"iceServers": [{"urls": [1]}], "urls": {"a": 1}}'),
        (200, b"\xff\xfe"),
    ],
)
def test_whatever_a_provider_answers_there_is_stun_and_a_note_without_secrets(
    providers: Providers,
    account: dict[str, str],
    status: int,
    answer: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    providers.status, providers.answer = status, answer
    found = ice_servers(account)
    assert found.servers == STUN
    assert found.note
    for secret in account.values():
        assert secret not in found.note + caplog.text
    gc.collect()


def test_a_provider_that_never_answers_is_not_waited_for(
    providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers.silent.set()
    monkeypatch.setattr(ice, "TIMEOUT_S", 0.1)
    found = ice_servers(CLOUDFLARE)
    assert found.servers == STUN
    assert "Cloudflare" in (found.note or "")


def test_where_one_provider_fails_the_next_is_asked(providers: Providers) -> None:
    says(providers, {"username": "ada", "credential": "secret"})  # nothing that Cloudflare would say
    (relay, *_) = ice_servers(CLOUDFLARE | HUGGING_FACE).servers
    assert relay["urls"] == "turn:gradio-turn.com:80"


def test_half_an_account_is_told(providers: Providers) -> None:
    found = ice_servers({"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": " "})
    assert found.servers == STUN
    assert "TWILIO_AUTH_TOKEN" in (found.note or "")
    assert providers.asked == []


@pytest.mark.parametrize(
    ("text", "expected", "noted"),
    [
        ("none", (), False),
        (json.dumps([RELAY]), (RELAY,), False),
        ("nonsense", STUN, True),
        ('["turn:x"]', STUN, True),
        ("[]", STUN, True),
    ],
)
def test_servers_of_ones_own_come_first(
    providers: Providers, text: str, expected: tuple[dict[str, Any], ...], noted: bool
) -> None:
    found = ice_servers({"AGEGENDER_ICE": text, **CLOUDFLARE})
    assert (found.servers, found.note is not None, providers.asked) == (expected, noted, [])


def test_streamlit_webrtc_takes_them() -> None:
    compiled = compile_rtc_configuration({"iceServers": [*STUN, RELAY]}).iceServers
    assert compiled is not None
    assert [server.username for server in compiled] == [None, "ada"]
