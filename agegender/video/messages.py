"""Messages between a video's process and its parent: JSON and raw bytes.

Whatever happens to a process that reads an untrusted file, nothing it sends is executed.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from agegender.drawing.view_options import ViewOptions
from agegender.tracking.people import Person
from agegender.types import Age, Gender
from agegender.video.annotate import Options, Progress

LONGEST = 64_000_000
"""Maximum bytes in a message: two hundred people with their pictures take a twentieth."""

_LENGTHS = struct.Struct("<II")

Message = tuple[dict[str, Any], bytes]


def send(pipe: IO[bytes], head: dict[str, Any], body: bytes = b"") -> None:
    """Write a message; raises `BrokenPipeError` if the reader is gone."""
    text = json.dumps(head).encode()
    pipe.write(_LENGTHS.pack(len(text), len(body)) + text)
    pipe.write(body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Message:
    """Read the next message; raises `EOFError` if there is none, `ValueError` if it is malformed."""
    lengths = _LENGTHS.unpack(_exactly(pipe, _LENGTHS.size))
    if max(lengths) > LONGEST:
        raise ValueError("a message is too long")
    head = json.loads(_exactly(pipe, lengths[0]))
    return head, _exactly(pipe, lengths[1])


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return data


def options_object(options: Options) -> dict[str, Any]:
    """Convert options to JSON-ready dicts."""
    return asdict(options)


def options_of(found: dict[str, Any]) -> Options:
    """Convert them back."""
    view = found["view"] | {"labels": tuple(found["view"]["labels"])}
    return Options(**found | {"view": ViewOptions(**view)})


def progress_message(step: Progress, finer: int) -> Message:
    """Pack progress into a message, keeping every `finer`-th pixel of its picture."""
    picture = np.ascontiguousarray(step.picture[::finer, ::finer])
    head = {
        "kind": "step",
        **{name: getattr(step, name) for name in ("frames", "seconds", "part", "elapsed_s", "notes")},
        "shape": picture.shape,
        "people": None if step.people is None else [_person_object(person) for person in step.people],
    }
    return head, picture.tobytes()


def progress_of(head: dict[str, Any], body: bytes) -> Progress:
    """Unpack progress; raises `ValueError`, `KeyError` or `TypeError` if the message is something else."""
    height, width, _ = head["shape"]
    picture = np.frombuffer(body, np.uint8).reshape(height, width, 3)
    people = None if head["people"] is None else tuple(_person_of(each) for each in head["people"])
    numbers = (int(head["frames"]), float(head["seconds"]), float(head["part"]), float(head["elapsed_s"]))
    return Progress(*numbers, picture, people, tuple(map(str, head["notes"])))


def _person_object(person: Person) -> dict[str, Any]:
    return asdict(person) | {"crop": base64.b64encode(person.crop).decode()}


def _person_of(found: dict[str, Any]) -> Person:
    age, gender = found["age"], found["gender"]
    return Person(
        **found
        | {
            "age": Age(**age | {"probabilities": tuple(map(float, age["probabilities"]))}),
            "gender": Gender(float(gender["p_female"])),
            "spans": tuple((float(start_s), float(end_s)) for start_s, end_s in found["spans"]),
            "crop": base64.b64decode(found["crop"]),
            "warnings": tuple(map(str, found["warnings"])),
        }
    )
