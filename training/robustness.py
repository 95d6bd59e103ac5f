"""Measure the pipeline on the evaluation pictures with things worn, in bad light, mirrored and relit.

    python -m training.robustness DATA [LIMIT]

DATA is a folder with fairface-val.csv and .tar and utkface-val.csv and .tar; LIMIT is the maximum number of
pictures of each set, all by default. Everything is drawn where YuNet sees the face, by code separate from the
training's (`training.occlusions`), and the changed picture goes through the whole pipeline.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agegender.analyzer import Analyzer, build_analyzer
from agegender.estimation.alignment import TEMPLATE, similarity
from agegender.evaluation.datasets import Dataset, Kind, open_dataset
from agegender.evaluation.metrics import figures, mean
from agegender.evaluation.report import figures_object
from agegender.evaluation.run import Degradation, Result, evaluate
from agegender.types import Face, Image

KINDS: tuple[Kind, ...] = ("fairface", "utkface")
SURE = 0.9
"""A gender stated with at least this probability should stay the same in a copy of the picture."""

MASK = ((0.5, 0.44), (0.72, 0.5), (0.84, 0.56), (0.82, 0.78), (0.62, 0.98))
"""One half of a mask, from the ridge of the nose to the chin, in the aligned crop."""
MASK_RGB = (170, 205, 225)
LENS_PARTS = (0.36, 0.3)
"""Half the width and half the height of a dark lens, in units of the distance between the eyes."""


def mask(image: Image, face: Face) -> Image:
    """Draw a light blue mask over nose, mouth and chin."""
    to_image = similarity(TEMPLATE, face.landmarks)
    half = np.array(MASK)
    outline = np.concatenate([half, (half * (-1, 1) + (1, 0))[::-1]])
    return _filled(image, outline @ to_image[:, :2].T + to_image[:, 2], MASK_RGB)


def sunglasses(image: Image, face: Face) -> Image:
    """Draw two black lenses and the bridge between them over the eyes."""
    eyes = np.array(face.landmarks[:2])
    across = eyes[1] - eyes[0]
    down = np.array((-across[1], across[0]))
    angles = np.linspace(0, 2 * np.pi, 40)[:, None]
    lens = LENS_PARTS[0] * np.cos(angles) * across + LENS_PARTS[1] * np.sin(angles) * down
    bar = np.array(
        [eyes[0] - 0.06 * down, eyes[1] - 0.06 * down, eyes[1] + 0.03 * down, eyes[0] + 0.03 * down]
    )
    for outline in (eyes[0] + 0.06 * down + lens, eyes[1] + 0.06 * down + lens, bar):
        image = _filled(image, outline, (15, 15, 15))
    return image


def overexposed(image: Image, _face: Face) -> Image:
    """Double each value, so that light areas become white."""
    return np.asarray(cv2.convertScaleAbs(image, alpha=2.0), dtype=np.uint8)


def dark(image: Image, _face: Face) -> Image:
    """Reduce each value to three tenths."""
    return np.asarray(cv2.convertScaleAbs(image, alpha=0.3), dtype=np.uint8)


def mirrored(image: Image, _face: Face) -> Image:
    """Swap left and right."""
    return np.ascontiguousarray(image[:, ::-1])


def lit_anew(image: Image, face: Face) -> Image:
    """Shine a warm lamp from the left, and dim the right."""
    ramp = np.clip((np.arange(image.shape[1]) - face.box.left) / max(1.0, face.box.width), -0.5, 1.5)
    light = (1.35 - 0.7 * ramp)[None, :, None] * np.array((1.05, 1.0, 0.88))
    return np.clip(image * light, 0, 255).astype(np.uint8)


def _filled(image: Image, outline: NDArray[np.float64], color: tuple[int, int, int]) -> Image:
    points = np.rint(16 * outline).astype(np.int32)
    return np.asarray(cv2.fillPoly(image.copy(), [points], color, cv2.LINE_AA, 4), dtype=np.uint8)


DRAWN: dict[str, Callable[[Image, Face], Image]] = {
    "mask": mask,
    "sunglasses": sunglasses,
    "overexposed": overexposed,
    "dark": dark,
}
COPIES: dict[str, Callable[[Image, Face], Image]] = {"mirrored": mirrored, "lit anew": lit_anew}
WARNING = {"mask": "covered", "sunglasses": "covered", "overexposed": "overexposed", "dark": "dark"}


Object = dict[str, dict[str, dict[str, Any]]]


def measure(
    dataset: Dataset, analyzer: Analyzer, plain: Sequence[Result], limit: int | None = None
) -> dict[str, Object]:
    """Figures for each of `DRAWN`, and differences between `COPIES` and `plain`."""
    drawn: Object = {}
    copies: Object = {}
    for name, redraw in (DRAWN | COPIES).items():
        degradation = Degradation(redraw=redraw)
        title = f"{dataset.kind}, {name}"
        results = list(tqdm(evaluate(dataset, analyzer, limit, degradation), title, len(plain), disable=None))
        if name in DRAWN:
            warned = [WARNING[name] in result.reading.warnings for result in results if result.reading]
            of_warning = mean("warned", f"warned of as {WARNING[name]}", warned)
            drawn[name] = figures_object((*figures(dataset.kind, results), of_warning))
        else:
            copies[name] = consistency(plain, results)
    return {"robustness": drawn, "consistency": copies}


def consistency(plain: Sequence[Result], copies: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """How far estimates differ between copies in years, and how often a confident gender flips."""
    pairs = [(a.reading, b.reading) for a, b in zip(plain, copies, strict=True) if a.reading and b.reading]
    apart = [abs(a.age.years - b.age.years) for a, b in pairs]
    flips = [a.gender.label != b.gender.label for a, b in pairs if a.gender.probability >= SURE]
    of_flips = mean("gender_flips", f"genders told at {SURE:.0%} that are another one in the copy", flips)
    return {
        "years_apart": {"value": float(np.median(apart)), "count": len(apart), "interval": None},
        **figures_object((of_flips,)),
    }


def lines(kind: str, found: dict[str, Object]) -> Iterator[str]:
    """Yield a line for each figure."""
    for part in found.values():
        for name, of_name in part.items():
            for key, figure in of_name.items():
                if figure["value"] is not None:
                    unit = f"{figure['value']:.2f}" if "years" in key else f"{100 * figure['value']:.1f} %"
                    yield f"{kind:9} {name:12} {key:26} {unit:>8} of {figure['count']:,}"


def main(data: Path, limit: int | None = None) -> None:
    analyzer = build_analyzer("yunet", "apparent")
    for kind in KINDS:
        with open_dataset(kind, data / f"{kind}-val.tar") as dataset:
            plain = list(evaluate(dataset, analyzer, limit))
            for line in lines(kind, {"plain": {"as it is": figures_object(figures(kind, plain))}}):
                print(line)
            for line in lines(kind, measure(dataset, analyzer, plain, limit)):
                print(line)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
