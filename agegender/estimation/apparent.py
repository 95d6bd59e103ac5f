"""The bundled net: RGB faces to distributions over age, and to gender."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agegender.estimation.age import from_years
from agegender.estimation.alignment import align
from agegender.models.session import onnx_session
from agegender.types import Estimate, Face, Gender, Image

BATCH = 8
"""Maximum batch size.

Buffers of a larger batch exceed `runtime.LARGE_BYTES` and are allocated anew each time, which costs more time
than the batch saves.
"""


class Apparent:
    """The bundled net: from aligned faces to a distribution over years of age, and a gender.

    The ONNX file maps `faces`, RGB uint8 (n, size, size, 3), to `years_pmf`, float32 (n, years), and
    `p_female`, float32 (n,); scaling and calibration are inside.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._session = onnx_session(path)
        self._size_px = int(self._session.get_inputs()[0].shape[1])

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        """Estimate (age, gender) for each face of the RGB image, in order; () for no faces."""
        return tuple(
            (from_years(pmf), Gender(female))
            for years_pmf, p_female in self.outputs(image, faces)
            for pmf, female in zip(years_pmf, p_female.tolist(), strict=True)
        )

    def years_pmf(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float32]:
        """Distribution over years of age for each face, (n, 100); see `age.from_years`."""
        batches = [years_pmf for years_pmf, _ in self.outputs(image, faces)]
        return np.concatenate(batches) if batches else np.empty((0, 100), dtype=np.float32)

    def outputs(
        self, image: Image, faces: Sequence[Face]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield batches of distributions over years of age, (n, 100), and of P(female), (n,)."""
        for batch in batches(faces):
            crops = [align(image, face, self._size_px) for face in batch]
            yield self.read(np.stack(crops))

    def read(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the net on aligned crops, RGB (n, size, size, 3); returns one such batch."""
        years_pmf, p_female = self._session.run(["years_pmf", "p_female"], {"faces": crops})
        return years_pmf, p_female


def batches(faces: Sequence[Face]) -> Iterator[Sequence[Face]]:
    """Split faces into batches of at most `BATCH`."""
    return (faces[start : start + BATCH] for start in range(0, len(faces), BATCH))
