"""Live video over the page's own connection: JPEG pictures arrive one at a time, and numbers go back.

The browser shows its camera itself and draws the results on top, so that the picture runs at full rate over
any connection. It sends the next picture when the last one has been answered, so nothing queues up. What
arrives is whatever somebody's browser sends, so limits are enforced here.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image

from agegender.drawing.annotate import Mark, line_width, marks
from agegender.errors import ImageError
from agegender.imaging.bombs import JPEG, refuse_intricate, refuse_many_scans
from agegender.live.processor import Latest, Settings, VideoProcessor, names
from agegender.types import Box, Image

MAX_CHARACTERS = 400_000
"""300 kB in base64: many times a picture of 640×480."""

MIN_SIDE_PX, MAX_LONG_SIDE_PX = 16, 1280

FRAMES_PER_S, BURST = 20.0, 10.0
"""Maximum pictures analysed per second and session; a few more may arrive at once after a pause."""

PATIENCE_S = 10.0
"""How long a picture waits for its own analysis: the next one comes only after its answer."""

REFUSED = "A picture from the camera could not be read."

Answer = dict[str, Any]
"""JSON-ready answer to a picture; see `WebSocket.answer`."""


class WebSocket:
    """Answers the pictures of one camera, within the limits of this module."""

    def __init__(self, processor: VideoProcessor, clock: Callable[[], float] = time.monotonic) -> None:
        self.processor = processor
        self._clock = clock
        self._allowed, self._at_s = BURST, clock()

    def answer(self, message: object) -> Answer | None:
        """Analyse a picture; `message` maps `n` to its number, `jpeg` to the file in base64.

        None for any other message. `people` are to be drawn, in pixels of the picture, whose width and height
        are `size`; `hidden` are the boxes of faces to be made unrecognisable, or null if nothing of the
        picture may be shown; `error` says in words what went wrong, or is null. A picture that comes too soon
        is not analysed: `late` is true. Never raises.
        """
        start_s = time.perf_counter()
        if not isinstance(message, Mapping):
            return None
        number, text = message.get("n"), message.get("jpeg")
        if type(number) is not int or not 0 <= number < 2**53 or not isinstance(text, str):
            return None
        if not self._has_turn():
            return {"n": number, "late": True}
        latest = self.processor.process(lambda _: decode_frame(text), patience_s=PATIENCE_S)
        return {"n": number, **_told(latest, self.processor.settings), "ms": _ms(start_s)}

    def _has_turn(self) -> bool:
        now_s = self._clock()
        self._allowed = min(BURST, self._allowed + (now_s - self._at_s) * FRAMES_PER_S)
        self._at_s = now_s
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True


def decode_frame(text: str) -> Image:
    """Decode a base64 JPEG to RGB pixels; raises `ImageError` unless it is small and baseline."""
    if len(text) > MAX_CHARACTERS:
        raise ImageError(REFUSED)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(REFUSED) from error
    if not data.startswith(JPEG):
        raise ImageError(REFUSED)
    try:
        refuse_intricate(data)
        with PIL.Image.open(BytesIO(data), formats=("JPEG",)) as picture:
            plain = picture.format == "JPEG" and picture.mode in ("RGB", "L") and not _progressive(picture)
            if not plain or min(picture.size) < MIN_SIDE_PX or max(picture.size) > MAX_LONG_SIDE_PX:
                raise ImageError(REFUSED)
            refuse_many_scans(data, picture.width * picture.height)
            return np.array(picture.convert("RGB"), order="C")
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise ImageError(REFUSED) from error


def _progressive(picture: PIL.Image.Image) -> bool:
    """Return whether a JPEG file has many scans, which browsers do not write and which are slow to read."""
    return bool(picture.info.get("progressive") or picture.info.get("progression"))


def _told(latest: Latest, settings: Settings) -> Answer:
    found = marks(latest.analysis, settings.view.labels, names(latest.tracks))
    velocities = {id(r): t.velocity for r, t in zip(latest.analysis.readings, latest.tracks, strict=True)}
    hidden = latest.hidden
    return {
        "size": [latest.image.shape[1], latest.image.shape[0]],
        "people": [_person(mark, velocities[id(mark.reading)]) for mark in found],
        "hidden": None if hidden is None else [_sides(face.box) for face in hidden],
        "hide": latest.hides,
        "error": latest.error,
    }


def _person(mark: Mark, velocity: tuple[float, float, float, float]) -> Answer:
    person: Answer = {
        "box": _sides(mark.box),
        "velocity": [round(speed, 1) for speed in velocity],
        "line": line_width(mark.box, mark.text_px),
        "colour": "#{:02x}{:02x}{:02x}".format(*mark.colour),
    }
    if mark.plate:
        lines = list(mark.plate.lines)
        person["label"] = {"lines": lines, "px": mark.plate.text_px, "at": [mark.left, mark.top]}
        person["label"]["size"] = list(mark.size)
    return person


def _sides(box: Box) -> list[float]:
    return [round(side, 1) for side in (box.left, box.top, box.right, box.bottom)]


def _ms(start_s: float) -> float:
    return round(1000 * (time.perf_counter() - start_s), 1)
