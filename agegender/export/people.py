"""The people of a video: what is known of each, and as text: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from agegender.export.faces import MARK, PROBABILITIES
from agegender.tracking.people import Person
from agegender.types import RANGES

COLUMNS = (
    *("person", "first_s", "last_s", "seconds", "age_range", "age_years", "age_low", "age_high"),
    *PROBABILITIES,
    *("gender", "gender_probability", "warnings"),
)
"""What a row of CSV holds: a person; columns that `agegender.export.faces` has too mean the same."""


def people_csv(people: Sequence[Person]) -> str:
    """Return the header, after a mark for UTF-8, and one row a person, lines ending in CR LF."""
    text = io.StringIO()
    text.write(MARK)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for person in people:
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
    """Return one JSON object, as readable text: the video's file name and a list of its people."""
    found = {"file": name, "people": [_person_object(person) for person in people]}
    return json.dumps(found, ensure_ascii=False, indent=2)


def _person_object(person: Person) -> dict[str, object]:
    age = person.age
    probabilities = {name: round(p, 4) for name, p in zip(RANGES, age.probabilities, strict=True)}
    years = {key: round(getattr(age, key), 1) for key in ("years", "low", "high")}
    return {
        "person": person.number,
        "seconds": round(person.seconds, 3),
        "seen_s": [[round(start_s, 3), round(end_s, 3)] for start_s, end_s in person.spans],
        "age": {"range": age.range, **years, "probabilities": probabilities},
        "gender": {"label": person.gender.label, "probability": round(person.gender.probability, 4)},
        "warnings": list(person.warnings),
    }
