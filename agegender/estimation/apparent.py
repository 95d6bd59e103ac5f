"""The bundled net: RGB faces to distributions over age, and to gender."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.estimation.age import from_years
from agegender.estimation.alignment import align
from agegender.models.session import onnx_session
from agegender.types import Estimate, Face, Gender, Image

BATCH = 4
"""The most faces that go through a net at once: what more need between layers is so large that the memory for
it is asked for anew each time (`memory.LARGE_BYTES`), which takes longer than what they save."""


class Apparent:
    """The bundled net: aligned faces to a distribution over years of age, and a gender.

    Its ONNX file takes `faces`, RGB uint8 (n, size, size, 3), and gives `years_pmf`, float32 (n, years),
    and `p_female`, float32 (n,); scaling and calibration are inside. Each face is read in two views, of
    which the mean counts: of years the distributions', of gender the logits'.
    """

    VIEWS = ((0.04, False), (-0.04, True))
    """What is seen beyond the aligned crop on each side, in parts of it, and whether in the mirror: two
    readings that go wrong apart from each other (training/README.md)."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._session = onnx_session(path)
        self._size_px = int(self._session.get_inputs()[0].shape[1])

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        """Return one (age, gender) for each face of the RGB image, in order; () for no faces."""
        return tuple(
            (from_years(pmf), Gender(female))
            for years_pmf, p_female in self.outputs(image, faces)
            for pmf, female in zip(years_pmf, p_female.tolist(), strict=True)
        )

    def years_pmf(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float32]:
        """Return how probable each year of age is for each face, (n, 100); see `age.from_years`."""
        batches = [years_pmf for years_pmf, _ in self.outputs(image, faces)]
        return np.concatenate(batches) if batches else np.empty((0, 100), dtype=np.float32)

    def outputs(
        self, image: Image, faces: Sequence[Face]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield how probable each year of age is, (n, 100), and being female, (n,), some faces at a time."""
        for batch in batches(faces):
            crops = [
                cv2.flip(crop, 1) if mirrored else crop  # many times as fast as to step backwards
                for margin, mirrored in self.VIEWS
                for crop in (align(image, face, self._size_px, margin) for face in batch)
            ]
            years_pmf, p_female = self._session.run(["years_pmf", "p_female"], {"faces": np.stack(crops)})
            views = len(self.VIEWS), len(batch)
            p_female = np.clip(p_female, 1e-6, 1 - 1e-6)
            logits = np.log(p_female / (1 - p_female)).reshape(views).mean(axis=0)
            yield years_pmf.reshape(*views, -1).mean(axis=0), 1 / (1 + np.exp(-logits))


def batches(faces: Sequence[Face]) -> Iterator[Sequence[Face]]:
    """Split faces into parts of at most `BATCH`."""
    return (faces[start : start + BATCH] for start in range(0, len(faces), BATCH))
