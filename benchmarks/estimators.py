"""Time the estimator against that of 0.1.0, which used two views per face, taking turns.

    python -m benchmarks.estimators OLD [NEW]

OLD is the file of 0.1.0 (`git show 935e8e0:models/apparent.onnx`), NEW a file to use in place of the bundled
one. Prints CPU milliseconds, starting from the picture, for a face alone and for each of eight together.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.estimation.age import from_years
from agegender.estimation.alignment import align
from agegender.estimation.apparent import Apparent
from agegender.imaging.io import decode
from agegender.places import MODELS, SAMPLES
from agegender.types import Box, Estimate, Face, Gender, Image
from benchmarks.timing import one_core, side_by_side

ROUNDS = 60
FACE = Face(Box(180, 62, 268, 178), 0.9, ((206, 108), (245, 106), (226, 130), (211, 150), (243, 149)))
"""The face in the sample astronaut.png."""


class TwoViews(Apparent):
    """The net as 0.1.0 used it: a little wider than the template and, mirrored, a little closer.

    Averages both distributions over years, and both logits of gender.
    """

    VIEWS = ((0.04, False), (-0.04, True))

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        """Estimate (age, gender) for each face of the RGB image, in order."""
        return tuple(
            (from_years(pmf), Gender(female))
            for start in range(0, len(faces), 4)
            for pmf, female in zip(*self.of_both(image, faces[start : start + 4]), strict=True)
        )

    def years_pmf(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float32]:
        """Distribution over years of age for each face, (n, 100)."""
        return self.of_both(image, faces)[0]

    def of_both(self, image: Image, faces: Sequence[Face]) -> tuple[NDArray[np.float32], list[float]]:
        """Distributions over years, (n, 100), and probabilities of female."""
        crops = [
            cv2.flip(crop, 1) if mirrored else crop
            for margin, mirrored in self.VIEWS
            for crop in (align(image, face, self._size_px, margin) for face in faces)
        ]
        years_pmf, p_female = self.read(np.stack(crops))
        p_female = np.clip(p_female, 1e-6, 1 - 1e-6)
        logits = np.log(p_female / (1 - p_female)).reshape(2, -1).mean(axis=0)
        return years_pmf.reshape(2, len(faces), -1).mean(axis=0), (1 / (1 + np.exp(-logits))).tolist()


def main(old: Path, new: Path = MODELS / "apparent.onnx") -> None:
    """Print the times of both."""
    one_core()
    image = decode((SAMPLES / "astronaut.png").read_bytes())
    before, now = TwoViews(old), Apparent(new)
    for count in (1, 8):
        faces = [FACE] * count
        ways = {"old": partial(before.estimate, image, faces), "new": partial(now.estimate, image, faces)}
        times = side_by_side(ROUNDS, **ways)
        old_ms, new_ms = (times[name] / count for name in ("old", "new"))
        print(f"{count} at once: {old_ms:.2f} → {new_ms:.2f} ms a face, {new_ms / old_ms:.2f} times as long")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
