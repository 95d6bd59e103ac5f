"""A visitor without a browser: a real Streamlit session over its websocket, as a browser speaks it.

Twenty browsers would need more of a machine than the server they are meant to test.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from http.client import HTTPConnection
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NewSession_pb2 import Config
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets import Origin, Subprotocol
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE_S = 300.0


class Visitor:
    """A session on one page of the app at `url`. For one thread at a time.

    `elements` is what the page shows after the latest run, `seen` every text it has shown, including those
    replaced in the meantime, such as progress.
    """

    def __init__(self, url: str, page: str = "") -> None:
        self.host = urlsplit(url).netloc
        self.page = page
        self.session_id = ""
        self.config = Config()
        self.elements: list[Element] = []
        self.seen: list[str] = []
        self._states: dict[str, WidgetState] = {}
        self.cookie = self._cookie()
        self._closing = ExitStack()
        self.socket = self._closing.enter_context(open_socket(self.host, f"http://{self.host}", self.cookie))

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave, as by closing the window."""
        self._closing.close()

    def run(self) -> float:
        """Run the page with what was entered so far; return the seconds it took."""
        start_s = time.monotonic()
        message = BackMsg()
        message.rerun_script.page_name = self.page
        message.rerun_script.widget_states.widgets.extend(self._states.values())
        self.socket.send(message.SerializeToString())
        self._receive_run(start_s + PATIENCE_S)
        return time.monotonic() - start_s

    def _receive_run(self, until_s: float) -> None:
        shown: dict[tuple[int, ...], Element] | None = None  # until the run begins
        while True:
            message = self._next(until_s)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                shown, self.seen = {}, []
                self.session_id = message.new_session.initialize.session_id
                self.config = message.new_session.config
            elif shown is None:
                continue
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                shown[tuple(message.metadata.delta_path)] = element
                self.seen += texts_of(element)
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                self.elements = list(shown.values())
                return

    def _next(self, until_s: float) -> ForwardMsg:
        try:
            data = self.socket.recv(timeout=max(0.0, until_s - time.monotonic()))
        except ConnectionClosed as error:
            raise ConnectionError(f"the server ended the session: {error}") from error
        assert isinstance(data, bytes)
        message = ForwardMsg()
        message.ParseFromString(data)
        return message

    def widget(self, kind: str, label: str = "") -> Element:
        """The element of a kind, such as 'file_uploader', whose label contains `label`."""
        found = [e for e in self.elements if e.WhichOneof("type") == kind and label in getattr(e, kind).label]
        assert len(found) == 1, f"{len(found)} of {kind} {label!r} are shown"
        return found[0]

    def enter(self, kind: str, label: str, **value: object) -> str:
        """Enter a value, such as `bool_value=True`, into a widget, effective from the next run.

        Returns the widget's ID.
        """
        identity: str = getattr(self.widget(kind, label), kind).id
        self._states[identity] = WidgetState(id=identity, **value)  # type: ignore[arg-type]
        return identity

    def press(self, label: str) -> float:
        """Press a button and run the page; return the seconds it took."""
        identity = self.enter("button", label, trigger_value=True)
        seconds = self.run()
        del self._states[identity]
        return seconds

    def choose_files(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Upload files into the page's uploader, replacing earlier ones."""
        uploader = self.widget("file_uploader").file_uploader
        state = WidgetState(id=uploader.id)
        state.file_uploader_state_value.SetInParent()
        for name, data in files:
            urls = self.upload_urls(name)
            status, text = self.put(urls.upload_url, name, data)
            assert status == 204, f"{name}: {status} {text}"
            info = state.file_uploader_state_value.uploaded_file_info.add()
            info.name, info.size, info.file_id = name, len(data), urls.file_id
            info.file_urls.CopyFrom(urls)
        before = self._states.get(uploader.id)
        self._states[uploader.id] = state
        for info in before.file_uploader_state_value.uploaded_file_info if before else ():
            self.request("DELETE", info.file_urls.delete_url)

    def name_lost_file(self) -> None:
        """Have the page's uploader name a file that the server does not have."""
        uploader = self.widget("file_uploader").file_uploader
        state = WidgetState(id=uploader.id)
        info = state.file_uploader_state_value.uploaded_file_info.add()
        info.name, info.size, info.file_id = "lost.jpg", 1, str(uuid.uuid4())
        info.file_urls.file_id = info.file_id
        self._states[uploader.id] = state

    def upload_urls(self, name: str) -> FileURLs:
        """URLs for uploading a file."""
        message = BackMsg()
        message.file_urls_request.request_id = str(uuid.uuid4())
        message.file_urls_request.file_names.append(name)
        message.file_urls_request.session_id = self.session_id
        self.socket.send(message.SerializeToString())
        until_s = time.monotonic() + PATIENCE_S
        while True:
            answer = self._next(until_s)
            if answer.WhichOneof("type") == "file_urls_response":
                urls: FileURLs = answer.file_urls_response.file_urls[0]
                return urls

    def put(self, path: str, name: str, data: bytes) -> tuple[int, str]:
        """Send a file as the browser does; return the status and text of the answer."""
        edge = uuid.uuid4().hex
        shown = json.dumps(name)
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename={shown}\r\n\r\n'
        body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
        return self.request("PUT", path, body, {"Content-Type": f"multipart/form-data; boundary={edge}"})

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Send a request with the XSRF cookie; return the status and text of the answer."""
        status, data = self._answer(method, path, body, headers or {})
        return status, data.decode(errors="replace")

    def _answer(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        own = {"Cookie": self.cookie, "X-Xsrftoken": self.cookie.partition("=")[2]}
        connection = HTTPConnection(self.host, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, own | headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _cookie(self) -> str:
        connection = HTTPConnection(self.host, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/_stcore/health")
            return str(connection.getresponse().getheader("Set-Cookie")).partition(";")[0]
        finally:
            connection.close()

    def fetch_pictures(self) -> int:
        """Fetch every picture shown, as a browser does; return their total bytes."""
        return sum(map(len, self.pictures()))

    def pictures(self) -> list[bytes]:
        """Files of all pictures shown, in page order."""
        shown = [element.imgs.imgs for element in self.elements if element.WhichOneof("type") == "imgs"]
        return [self._file(image.url) for images in shown for image in images]

    def _file(self, url: str) -> bytes:
        status, data = self._answer("GET", url, None, {})
        assert status == 200, f"{url}: {status}"
        return data

    def texts(self) -> list[str]:
        """All texts shown."""
        return [text for element in self.elements for text in texts_of(element)]


def open_socket(host: str, origin: str, cookie: str) -> AbstractContextManager[ClientConnection]:
    """Connect as a page from `origin` would, as a context manager; raises `InvalidStatus` if refused."""
    return connect(
        f"ws://{host}/_stcore/stream",
        origin=Origin(origin),
        subprotocols=[Subprotocol("streamlit"), Subprotocol(cookie.partition("=")[2])],
        additional_headers={"Cookie": cookie},
        max_size=None,
    )


def texts_of(element: Element) -> list[str]:
    """The texts of an element."""
    kind = element.WhichOneof("type")
    if kind in ("markdown", "alert", "html", "heading"):
        return [getattr(element, kind).body]
    if kind == "progress":
        return [element.progress.text]
    if kind == "exception":
        return [f"exception: {element.exception.message}"]
    return []
