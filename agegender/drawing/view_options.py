"""What to show of an analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from agegender.types import Analysis, Face

Part = Literal["gender", "probability", "age", "years"]
"""What a label can tell: the gender, how probable it is, the age range, the expected years."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What to show of an analysis, which stays as it is.

    Faces of at least this `score` whose box is at least `smallest_px` high; `labels` are the parts that
    `drawing.annotate` knows. `blur` hides whoever was found, left out or not.
    """

    score: float = 0.0
    smallest_px: int = 0
    labels: tuple[Part, ...] = ("gender", "probability", "age")
    blur: bool = False

    def shows(self, face: Face) -> bool:
        """Return whether a face, in pixels of the picture itself, is not left out."""
        return face.score >= self.score and face.box.height >= self.smallest_px


def kept(analysis: Analysis, look: ViewOptions) -> Analysis:
    """Return the analysis without the faces that are left out."""
    return replace(analysis, readings=tuple(r for r in analysis.readings if look.shows(r.face)))
