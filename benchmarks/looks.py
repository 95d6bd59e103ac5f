"""Compare two-pass detection with a single closer look: faces found, and time for both.

    python -m benchmarks.looks PHOTOS NOBODY PORTRAITS

PHOTOS is a folder of photographs, NOBODY one photograph without faces, onto which ever smaller copies of the
others are pasted. PORTRAITS is an archive of tightly cropped faces, such as FairFace's training set; squares
of them, of 18 to 275 pixels, are pasted four at a time into photographs, two thirds of which are blurred. No
camera takes such pictures: they are meant to be harder than photographs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from agegender.detection.coarse_to_fine import CoarseToFineDetector
from agegender.detection.yunet import YuNet
from agegender.imaging.io import decode
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.types import Image
from benchmarks.detectors import at_most, compare, lines, pictures_of

PARTS = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18)
"""Side lengths of the copies, as fractions of the photographs'."""

PASTED_PX = (18, 275)
SCENES = 60
SCENE_PX = 1600
BLUR_PX = 25.0


def copies(photos: Path, nobody: Image, part: float) -> Iterator[Image]:
    """Yield each photograph, scaled, on the one without faces, which is scaled to its original size."""
    for photo in pictures_of(photos, None):
        height_px, width_px = photo.shape[:2]
        small = cv2.resize(photo, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
        image = cv2.resize(nobody, (width_px, height_px), interpolation=cv2.INTER_AREA)
        top_px, left_px = (height_px - small.shape[0]) // 2, (width_px - small.shape[1]) // 3
        image[top_px : top_px + small.shape[0], left_px : left_px + small.shape[1]] = small
        yield np.asarray(image, dtype=np.uint8)


def pasted(photos: Path, portraits: Path) -> Iterator[Image]:
    """Yield photographs with four portraits pasted into each, at random sizes and positions."""
    rng = np.random.default_rng(5)
    grounds = [at_most(photo, SCENE_PX) for photo in pictures_of(photos, None)]
    faces = pictures_of(portraits, 4 * SCENES)
    for number in range(SCENES):
        image = grounds[number % len(grounds)].copy()
        if number % 3:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR_PX), dtype=np.uint8)
        for face in islice(faces, 4):
            side_px = int(np.exp(rng.uniform(*np.log(PASTED_PX))))
            top_px, left_px = (rng.integers(0, side - side_px) for side in image.shape[:2])
            square = cv2.resize(face, (side_px, side_px), interpolation=cv2.INTER_AREA)
            image[top_px : top_px + side_px, left_px : left_px + side_px] = square
        yield image


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("nobody", type=Path)
    parser.add_argument("portraits", type=Path)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    path = store.fetch(load_manifest()["yunet"])["yunet_n_dynamic.onnx"]
    one, two = YuNet(path), CoarseToFineDetector(YuNet(path))
    one.name, two.name = "one closer look", "two looks"
    nobody = decode(options.nobody)
    rows = [
        row
        for part in PARTS
        for row in compare(f"photographs at {part}", copies(options.photos, nobody, part), one, [two], 0.0)
    ]
    rows += compare("portraits pasted", pasted(options.photos, options.portraits), one, [two], 0.0)
    print(lines(rows))


if __name__ == "__main__":
    main()
