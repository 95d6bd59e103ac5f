"""What to show of an analysis: the same options for pictures, videos and the webcam."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from agegender.types import Analysis, Face

Part = Literal["gender", "probability", "years", "age"]
"""Parts of a label: the gender, its probability, the expected years, the age range."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What to show of an analysis.

    Faces are shown if they have at least this `score` and a box at least `smallest_px` high; `labels` are
    parts for `drawing.annotate`. `blur` hides every detected face, shown or not.
    """

    score: float = 0.0
    smallest_px: int = 0
    labels: tuple[Part, ...] = ("gender", "probability", "years")
    blur: bool = False

    def shows(self, face: Face) -> bool:
        """Return whether a face, in pixels of the original picture, is shown."""
        return face.score >= self.score and face.box.height >= self.smallest_px

    def follows(self, face: Face) -> bool:
        """Return whether a face is followed through a video; with `blur`, every face is."""
        return self.blur or self.shows(face)

    def shown(self, analysis: Analysis) -> Analysis:
        """The analysis restricted to the faces that are shown."""
        return replace(analysis, readings=tuple(r for r in analysis.readings if self.shows(r.face)))
