"""Record trained nets' predictions for every training face, as targets for another training.

    python -m training.teacher WORK MODEL …

MODEL comes from `training.export` or `training.quantize`; several are averaged. Each face is predicted in six
views (`MARGINS`), which are averaged. Writes WORK/teacher.npz: `bins`, (n, 10), probabilities of the ages
between `EDGES_YEARS`, and `p_female`, (n,).
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from agegender.estimation.alignment import align
from agegender.estimation.apparent import Apparent
from agegender.types import Box, Face
from training.faces import SIDE_PX, Faces

EDGES_YEARS = (0, 3, 10, 20, 30, 40, 50, 60, 70, 80, 100)
"""FairFace's groups, with 80 as one more limit. The first and the last are open-ended."""
MARGINS = (0.05, 0.0, -0.05)
"""Margins added to the aligned crop on each side, as fractions of it; each view is also mirrored."""


def main(work: Path, models: list[Path]) -> None:
    cv2.setNumThreads(1)
    faces, estimators = Faces(work), [Apparent(model) for model in models]
    bins = np.zeros((len(faces), len(EDGES_YEARS) - 1), dtype=np.float32)
    p_female = np.zeros(len(faces), dtype=np.float32)

    def read(index: int) -> None:
        face = Face(Box(*faces.boxes[index]), 1.0, tuple(map(tuple, faces.landmarks[index])))
        plain = [align(faces.pictures[index], face, SIDE_PX, margin) for margin in MARGINS]
        crops = np.stack(plain + [crop[:, ::-1] for crop in plain])
        for estimator in estimators:
            years_pmf, female = estimator.read(crops)
            bins[index] += np.add.reduceat(years_pmf.mean(0), EDGES_YEARS[:-1]) / len(estimators)
            p_female[index] += female.mean() / len(estimators)

    with ThreadPoolExecutor(2) as pool:
        for _ in tqdm(pool.map(read, range(len(faces))), total=len(faces), disable=None):
            pass
    np.savez(work / "teacher.npz", bins=bins, p_female=p_female)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(model) for model in sys.argv[2:]])
