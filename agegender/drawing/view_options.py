"""What to show of an analysis: the same options for pictures, videos and the webcam."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from agegender.types import Analysis, Face

Part = Literal["gender", "probability", "years", "age"]
"""What a label can show: the gender, how probable it is, the expected years, the age range."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What to show of an analysis, which stays as it is.

    Shown are faces of at least this `score` whose box is at least `smallest_px` high; `labels` are the parts
    that `drawing.annotate` knows. `blur` hides everybody that was found, shown or not.
    """

    score: float = 0.0
    smallest_px: int = 0
    labels: tuple[Part, ...] = ("gender", "probability", "years")
    blur: bool = False

    def shows(self, face: Face) -> bool:
        """Return whether a face, in pixels of the picture itself, is shown."""
        return face.score >= self.score and face.box.height >= self.smallest_px

    def follows(self, face: Face) -> bool:
        """Return whether a face is followed through a video: to hide everybody, everybody is."""
        return self.blur or self.shows(face)

    def shown(self, analysis: Analysis) -> Analysis:
        """The analysis with only the faces that are shown."""
        return replace(analysis, readings=tuple(r for r in analysis.readings if self.shows(r.face)))
