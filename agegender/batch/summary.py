"""Summary of a batch: people by age and gender, warnings, errors by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agegender.batch.parts import parts_of, rows_of
from agegender.errors import BatchError, MissingExtraError
from agegender.evaluation.metrics import wilson
from agegender.text import plural
from agegender.types import RANGES

GENDERS = ("Female", "Male")


@dataclass(slots=True)
class Summary:
    """Counts over the rows of all finished parts."""

    pictures: int = 0
    without_faces: int = 0
    faces: int = 0
    people: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Faces by (age range, gender)."""
    warnings: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


def summarize(folder: Path) -> Summary:
    """Count the content of a results folder. Raises `BatchError` if there is none."""
    parts = parts_of(folder)
    if not parts:
        raise BatchError(f"There are no results in “{folder}”.")
    summary = Summary()
    for part in parts:
        for row in rows_of(part):
            summary.pictures += row["face"] in (None, 1)
            if row["error"] is not None:
                summary.errors[str(row["error"])] += 1
            elif row["face"] is None:
                summary.without_faces += 1
            else:
                summary.faces += 1
                summary.people[str(row["age_range"]), str(row["gender"])] += 1
                summary.warnings.update(str(row["warnings"]).split("; ") if row["warnings"] else ())
    return summary


def lines(summary: Summary) -> Iterator[str]:
    """Format the summary for people, with 95 % confidence intervals of shares in brackets."""
    found = f"{plural(summary.pictures, 'picture')}, {plural(summary.faces, 'face')}"
    yield (
        f"{found}; {summary.without_faces:,} without a face, "
        f"{sum(summary.errors.values()):,} that could not be read"
    )
    if summary.faces:
        yield ""
        yield f"{'age':<8}" + "".join(f"{name:<30}" for name in (*GENDERS, "together"))
        for name in RANGES:
            counts = [summary.people[name, gender] for gender in GENDERS]
            yield f"{name:<8}" + "".join(f"{_share(n, summary.faces):<30}" for n in (*counts, sum(counts)))
        of_gender = [sum(summary.people[name, gender] for name in RANGES) for gender in GENDERS]
        yield f"{'all':<8}" + "".join(f"{_share(n, summary.faces):<30}" for n in (*of_gender, summary.faces))
    for title, kinds in (("warnings", summary.warnings), ("errors", summary.errors)):
        if kinds:
            yield ""
            yield title
            yield from (f"{count:>9,}  {name}" for name, count in kinds.most_common())


def plot(summary: Summary, path: Path) -> None:
    """Plot people by age and gender to an SVG or PNG file. Raises `BatchError` if that fails."""
    try:
        from agegender.evaluation.charts import people_chart
    except ImportError:
        raise MissingExtraError("--plot needs Altair: pip install 'agegender[evaluate]'") from None
    counts = {gender: [summary.people[name, gender] for name in RANGES] for gender in GENDERS}
    try:
        people_chart(counts).save(str(path))
    except ImportError:
        raise MissingExtraError("--plot needs vl-convert: pip install 'agegender[evaluate]'") from None
    except (OSError, ValueError) as error:
        raise BatchError(
            f"“{path}” cannot be drawn ({error}). Its name has to end in .svg or .png."
        ) from error


def _share(count: int, of: int) -> str:
    low, high = wilson(count, of)
    return f"{count:>8,} {100 * count / of:>5.1f} % ({100 * low:.1f}–{100 * high:.1f})"
