"""The people in a video as text: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from agegender.export.faces import MARK, PROBABILITIES
from agegender.tracking.people import Person
from agegender.tracking.tracker import Track
from agegender.types import RANGES, Age, Gender

COLUMNS = (
    *("person", "first_s", "last_s", "seconds", "age_range", "age_years", "age_low", "age_high"),
    *PROBABILITIES,
    *("gender", "gender_probability", "warnings"),
)
"""CSV columns; each row is a person. Shared columns mean the same as in `agegender.export.faces`."""


def people_csv(people: Sequence[Person]) -> str:
    """The header, after a byte order mark, and one row per person who counts, with CR LF line ends."""
    text = io.StringIO()
    text.write(MARK)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for person in people:
        if not person.counted:
            continue
        age = person.age
        first_s, last_s = person.spans[0][0], person.spans[-1][1]
        writer.writerow(
            (
                *(person.number, round(first_s, 3), round(last_s, 3), round(person.seconds, 3)),
                *(age.range, round(age.years, 1), round(age.low, 1), round(age.high, 1)),
                *(round(p, 4) for p in age.probabilities),
                *(person.gender.label, round(person.gender.probability, 4), "; ".join(person.warnings)),
            )
        )
    return text.getvalue()


def people_json(name: str, people: Sequence[Person]) -> str:
    """One indented JSON object: the video's file name and its people."""
    found = {"file": name, "people": [_person_object(person) for person in people]}
    return json.dumps(found, ensure_ascii=False, indent=2)


def seen_object_line(track: Track, time_s: float, size_px: tuple[int, int]) -> str:
    """One JSON object on one line: somebody in view, in a frame of this width and height.

    The track must have an estimate.
    """
    assert track.shown is not None
    box = track.box_at(track.last_seen_s)
    found = {
        "time_s": round(time_s, 2),
        "person": track.number,
        "seconds": round(track.seconds, 2),
        "box": [round(side, 1) for side in (box.left, box.top, box.right, box.bottom)],
        "width_px": size_px[0],
        "height_px": size_px[1],
        "age": _age_object(track.shown.age),
        "gender": _gender_object(track.shown.gender),
        "warnings": list(track.shown.warnings),
    }
    return json.dumps(found, ensure_ascii=False)


def _person_object(person: Person) -> dict[str, object]:
    return {
        "person": person.number or None,
        "counted": person.counted,
        "seconds": round(person.seconds, 3),
        "seen_s": [[round(start_s, 3), round(end_s, 3)] for start_s, end_s in person.spans],
        "age": _age_object(person.age),
        "gender": _gender_object(person.gender),
        "warnings": list(person.warnings),
    }


def _age_object(age: Age) -> dict[str, object]:
    probabilities = {name: round(p, 4) for name, p in zip(RANGES, age.probabilities, strict=True)}
    years = {key: round(getattr(age, key), 1) for key in ("years", "low", "high")}
    return {"range": age.range, **years, "probabilities": probabilities}


def _gender_object(gender: Gender) -> dict[str, object]:
    return {"label": gender.label, "probability": round(gender.probability, 4)}
