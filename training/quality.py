"""Find the thresholds of the quality warnings on held-out training faces.

    python -m training.quality WORK DETECTOR [EVERY]

WORK comes from `training.prepare`, DETECTOR is YuNet's ONNX file; every EVERY-th of the held-out faces is
used, all by default. Each goes through the whole pipeline as it is and increasingly degraded. For each
measure of `agegender.estimation.quality`, faces are binned by its value, and estimates are compared with
those for the same faces as they are; turned faces, which cannot be synthesised, with the half that is turned
least. The harm is assumed to grow from bin to bin (isotonic regression, which pools bins that say otherwise),
and the threshold is where it reaches `HARM_YEARS` or `HARM_GENDER`; with lower limits, every fourth face
would get a warning.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agegender.analyzer import Analyzer
from agegender.detection.yunet import YuNet
from agegender.estimation.apparent import Apparent
from agegender.estimation.quality import measure
from agegender.evaluation.run import central_face, scaled_down
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.types import Box, Image
from training import occlusions
from training.calibration import HELD_OUT, OLDEST_YEARS

HARM_YEARS, HARM_GENDER = 0.75, 0.04
BINS = 20


class Read(NamedTuple):
    """Measurements of a face, and the errors of its estimate."""

    number: int
    measured: dict[str, float]
    years_off: float
    gender_wrong: float


def blur(image: Image, part: float, box: Box, _rng: Generator) -> Image:
    """Gaussian blur, with σ as a fraction of the face's height."""
    return cv2.GaussianBlur(image, (0, 0), part * box.height)  # type: ignore[return-value]


def move(image: Image, part: float, box: Box, rng: Generator) -> Image:
    """Motion blur by a fraction of the face's height, in any direction."""
    length, side = part * box.height, 2 * round(part * box.height) + 3
    angle, steps = rng.uniform(0, np.pi), np.linspace(-0.5, 0.5, 101) * length
    kernel = np.zeros((side, side), np.float32)
    columns, rows = (np.rint(side // 2 + steps * way).astype(int) for way in (np.cos(angle), np.sin(angle)))
    np.add.at(kernel, (rows, columns), 1 / len(steps))
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


def blur_or_move(image: Image, part: float, box: Box, rng: Generator) -> Image:
    """Blur half of the pictures, and motion-blur the others four times as far, which is about as bad."""
    return blur(image, part, box, rng) if rng.random() < 0.5 else move(image, 4 * part, box, rng)


def darken(image: Image, part: float, _box: Box, rng: Generator) -> Image:
    """Keep a fraction of the light, as a camera would record it: with photon and sensor noise."""
    light = (image / 255) ** 2.2 * part
    light += rng.normal(0, 1, light.shape) * np.sqrt(2e-4 * light + 2e-6)
    return np.round(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def overexpose(image: Image, gain: float, _box: Box, _rng: Generator) -> Image:
    """Multiply the light by `gain`."""
    values = np.clip((np.arange(256) / 255) ** 2.2 * gain, 0, 1) ** (1 / 2.2)
    return np.asarray(cv2.LUT(image, np.rint(255 * values).astype(np.uint8)), np.uint8)


def cut(image: Image, part: float, box: Box, rng: Generator) -> Image:
    """Cut the picture so that a fraction of the face is outside, on any side."""
    height, width = image.shape[:2]
    x, y = round(part * box.width), round(part * box.height)
    left, top, right, bottom = (round(side) for side in (box.left, box.top, box.right, box.bottom))
    parts = (
        np.s_[:, max(0, left + x) :],
        np.s_[:, : right - x],
        np.s_[max(0, top + y) :],
        np.s_[: bottom - y],
    )
    piece = image[parts[rng.integers(4)]]
    return np.ascontiguousarray(piece) if piece.size else image[: height // 2, : width // 2]


WAYS: dict[str, tuple[Callable[[Image, float, Box, Generator], Image] | None, tuple[float, ...]]] = {
    "sharpness": (blur_or_move, (0.01, 0.015, 0.02, 0.03, 0.04)),
    "light": (darken, (0.2, 0.1, 0.05, 0.03, 0.02, 0.01)),
    "unburnt": (overexpose, (1.5, 2, 3, 4.5, 6, 8)),
    "inside": (cut, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "height_px": (None, (64, 48, 40, 32, 24, 18)),  # scaled down to this many pixels after detection
    "frontal": (None, ()),
    "uncovered": (None, (1, 2, 3)),  # with something drawn over them, different each time
}
COVERS = (occlusions.mask, occlusions.sunglasses)


class HeldOut:
    """The held-out faces and the pipeline that estimates them."""

    def __init__(self, work: Path, detector: Path, every: int) -> None:
        arrays = {name: array[-HELD_OUT:] for name, array in np.load(work / "faces.npz").items()}
        first = len(np.load(work / "faces.npz")["boxes"]) - HELD_OUT
        self.pictures = np.load(work / "pictures.npy", mmap_mode="r")[first : first + HELD_OUT]
        self.boxes, self.female, self.landmarks = (arrays[name] for name in ("boxes", "female", "landmarks"))
        self.middle = (arrays["age_min"] + np.minimum(arrays["age_max"], OLDEST_YEARS)) / 2
        self.indices = range(0, HELD_OUT, every)
        apparent = store.fetch(load_manifest()["apparent"])["apparent.onnx"]
        self.analyzer = Analyzer(YuNet(detector), Apparent(apparent))

    def read(self, name: str = "height_px", part: float = 0) -> list[Read]:
        """Estimate the degraded faces, leaving out those that are no longer detected."""
        worsen = WAYS[name][0]

        def one(index: int) -> Read | None:
            image, rng = (
                np.ascontiguousarray(self.pictures[index]),
                np.random.default_rng((index, round(1e4 * part))),
            )
            if worsen is not None:
                image = worsen(image, part, Box(*self.boxes[index].tolist()), rng)
            if name == "uncovered" and part:
                frame = occlusions.frame_of(self.landmarks[index])
                image = COVERS[rng.integers(len(COVERS))](image, frame, rng)
            faces = self.analyzer.detector.detect(image)
            if not faces:
                return None
            face = central_face(image, faces)
            if name == "height_px" and part:
                image, face = scaled_down(image, face, round(part))
            ((age, gender),) = self.analyzer.estimator.estimate(image, [face])
            seen = measure(image, face)
            measured = {key: float(getattr(seen, key)) for key in WAYS}
            off = abs(age.years - float(self.middle[index]))
            return Read(index, measured, off, float((gender.label == "Female") != self.female[index]))

        with ThreadPoolExecutor(2) as pool:
            return [found for found in pool.map(one, self.indices) if found]


def compared(name: str, plain: dict[int, Read], worse: list[Read]) -> NDArray[np.float64]:
    """One row per face: its measure, and the increase of its error in years and in gender."""
    if worse:
        pairs = [(read, plain[read.number]) for read in worse if read.number in plain]
        return np.array(
            [(a.measured[name], a.years_off - b.years_off, a.gender_wrong - b.gender_wrong) for a, b in pairs]
        )
    rows = np.array([(read.measured[name], read.years_off, read.gender_wrong) for read in plain.values()])
    return rows - [0, *rows[rows[:, 0] >= np.median(rows[:, 0]), 1:].mean(0)]


def growing(values: Sequence[float]) -> list[float]:
    """Isotonic regression: the closest values by least squares that never decrease."""
    pools: list[list[float]] = []
    for value in values:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    return [float(np.mean(pool)) for pool in pools for _ in pool]


def report(name: str, rows: NDArray[np.float64]) -> Iterator[str]:
    """Yield a line for each bin, best first, and the threshold."""
    bins = np.array_split(rows[np.argsort(-rows[:, 0])], BINS)
    harm = zip(*(growing([part[:, column].mean() for part in bins]) for column in (1, 2)), strict=True)
    threshold = None
    for part, (years, gender) in zip(bins, harm, strict=True):
        if threshold is None and (years >= HARM_YEARS or gender >= HARM_GENDER):
            threshold = part[0, 0]
        means, errors = part[:, 1:].mean(0), 1.96 * part[:, 1:].std(0, ddof=1) / np.sqrt(len(part))
        yield (
            f"{name:>9} {part[0, 0]:8.3f} to {part[-1, 0]:8.3f}, {len(part):5} faces: worse by "
            f"{means[0]:+.2f} ± {errors[0]:.2f} years, {100 * means[1]:+.1f} ± {100 * errors[1]:.1f} points; "
            f"pooled {years:+.2f}, {100 * gender:+.1f}"
        )
    yield f"{name:>9}: no warning" if threshold is None else f"{name:>9}: warn below {threshold:.3g}"


def main(work: Path, detector: Path, every: int = 1) -> None:
    cv2.setNumThreads(1)
    held_out = HeldOut(work, detector, every)
    plain = {read.number: read for read in held_out.read()}
    for name, (_, parts) in WAYS.items():
        worse = [read for part in parts for read in held_out.read(name, part)]
        for line in report(name, compared(name, plain, worse)):
            print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
