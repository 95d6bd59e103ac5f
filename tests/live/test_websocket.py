"""What a browser sends of its camera is looked at within limits, and answered in numbers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from clips import face_on
from hypothesis import given, settings
from hypothesis import strategies as st
from stubs import Stub

from agegender.analyzer import Analyzer
from agegender.drawing.annotate import annotate
from agegender.drawing.view_options import ViewOptions
from agegender.errors import ImageError
from agegender.imaging.io import encode_jpeg
from agegender.live.processor import Settings, VideoProcessor
from agegender.live.websocket import BURST, FRAMES_PER_S, MAX_CHARACTERS, WebSocket, decode_frame
from agegender.types import Box, Image

MIDDLE = Box(0.4, 0.3, 0.6, 0.6)
PICTURE = face_on(640, 480, 128)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def websocket_of(stub: Stub, clock: Callable[[], float] | None = None, **view: object) -> WebSocket:
    chosen = Settings(Analyzer(stub, stub), ViewOptions(**view))  # type: ignore[arg-type]
    return WebSocket(VideoProcessor(chosen), clock or Clock())


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def message(number: int = 1, image: Image = PICTURE) -> dict[str, object]:
    return {"n": number, "jpeg": text_of(encode_jpeg(image))}


def test_an_answer_has_what_the_same_frame_would_be_annotated_with() -> None:
    websocket = websocket_of(Stub(MIDDLE))
    answer = json.loads(json.dumps(websocket.answer(message(7))))
    latest = websocket.processor.latest
    assert latest is not None
    assert (answer["n"], answer["size"], answer["hide"], answer["error"]) == (7, [640, 480], False, None)
    (person,) = answer["people"]
    assert person["box"] == [256, 144, 384, 288]
    drawn = annotate(np.zeros_like(latest.image), latest.analysis, labels=("gender", "probability", "age"))
    label = person["label"]
    (left, top), (width, height) = label["at"], label["size"]
    assert label["lines"] == ["Female 97 % · about 29"]
    colour = tuple(drawn[top + 1, left + 1].tolist())
    assert person["colour"] == "#{:02x}{:02x}{:02x}".format(*colour)
    assert (drawn[top : top + height, left : left + width] == colour).mean() > 0.5
    assert latest.picture.shape == (480, 640, 3)


def test_people_go_on_from_frame_to_frame_as_over_webrtc() -> None:
    stub, clock = Stub(MIDDLE), Clock()
    websocket = WebSocket(VideoProcessor(Settings(Analyzer(stub, stub)), clock), clock)
    for number in range(1, 6):
        clock.now_s += 0.1
        stub.faces = Stub(MIDDLE.moved(1, 1, 0.02 * number)).faces
        answer = websocket.answer(message(number))
    assert answer is not None
    assert websocket.processor.latest is not None
    assert [track.number for track in websocket.processor.latest.tracks] == [1]
    assert answer["people"][0]["velocity"][0] > 10, "a box is to be moved along between answers"


def test_faces_to_be_hidden_are_told_and_none_where_the_picture_was_not_looked_through() -> None:
    stub = Stub(MIDDLE)
    websocket = websocket_of(stub, blur=True, score=0.99)
    answer = websocket.answer(message())
    assert answer is not None
    assert answer["people"] == []
    assert answer["hidden"] == [[256, 144, 384, 288]], "who is not shown is hidden all the same"
    stub.error = ValueError("broken")
    answer = websocket.answer(message(2))
    assert answer is not None
    assert (answer["hide"], answer["hidden"], answer["error"]) == (True, None, "ValueError in a frame")


HOSTILE = {
    "no base64": "%%%",
    "empty": "",
    "no picture": text_of(b"GIF89a"),
    "a cut header": text_of(encode_jpeg(PICTURE)[:50]),
    "cut off": text_of(encode_jpeg(PICTURE)[:3000]),
    "too many characters": "A" * (MAX_CHARACTERS + 4),
    "tiny": text_of(encode_jpeg(PICTURE[:8, :8])),
    "large": text_of(encode_jpeg(np.zeros((1300, 400, 3), np.uint8))),
    "letters beyond ASCII": "ä" * 100,
}


def stored(kind: str, **options: object) -> bytes:
    file = BytesIO()
    PIL.Image.fromarray(PICTURE).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        *HOSTILE.values(),
        text_of(stored("PNG")),
        text_of(stored("JPEG", progressive=True)),
        text_of(b"\xff\xd8\xff" + stored("PNG")),
        text_of(stored("JPEG", exif=b"Exif\0\0" * 50)),
    ],
    ids=[*HOSTILE, "PNG", "progressive", "PNG behind a mark of JPEG", "many parts of EXIF"],
)
def test_what_is_no_small_plain_jpeg_is_refused_in_words_and_the_next_one_is_read(text: str) -> None:
    websocket = websocket_of(Stub(MIDDLE))
    with pytest.raises(ImageError):
        decode_frame(text)
    answer = websocket.answer({"n": 1, "jpeg": text})
    assert answer is not None
    assert answer["error"]
    assert answer["people"] == []
    answer = websocket.answer(message(2))
    assert answer is not None
    assert (answer["error"], len(answer["people"])) == (None, 1)


def test_a_picture_that_claims_to_be_huge_is_refused_from_its_header() -> None:
    data = bytearray(encode_jpeg(PICTURE))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\x00\xff\x00"
    with pytest.raises(ImageError):
        decode_frame(text_of(bytes(data)))


@pytest.mark.parametrize(
    "hostile",
    [
        None,
        7,
        "x",
        [],
        {},
        {"n": 1},
        {"jpeg": ""},
        {"n": True, "jpeg": ""},
        {"n": -1, "jpeg": ""},
        {"n": 2**60, "jpeg": ""},
        {"n": 1.5, "jpeg": ""},
        {"n": 1, "jpeg": {"deep": []}},
    ],
)
def test_what_is_no_message_is_dropped(hostile: object) -> None:
    stub = Stub(MIDDLE)
    assert websocket_of(stub).answer(hostile) is None
    assert stub.calls == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["n", "jpeg", "x"]), inner),
)


@settings(max_examples=200, deadline=None)
@given(JSON, st.binary(max_size=200))
def test_nothing_that_is_sent_raises(hostile: object, data: bytes) -> None:
    websocket = websocket_of(Stub(MIDDLE))
    websocket.answer(hostile)
    answer = websocket.answer({"n": 1, "jpeg": text_of(b"\xff\xd8\xff" + data)})
    assert answer is not None
    assert answer["error"]


def test_a_hundred_pictures_a_second_are_looked_at_only_as_often_as_the_server_allows() -> None:
    stub, clock = Stub(MIDDLE), Clock()
    websocket = websocket_of(stub, clock)
    answers = []
    for number in range(500):
        clock.now_s += 0.01
        answers.append(websocket.answer(message(number)))
    late = sum(answer is not None and "late" in answer for answer in answers)
    assert stub.calls == 500 - late
    assert stub.calls <= BURST + 5 * FRAMES_PER_S + 1
    clock.now_s += 3600
    assert sum("people" in (websocket.answer(message(n)) or {}) for n in range(50)) == BURST
