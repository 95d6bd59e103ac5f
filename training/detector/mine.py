"""Gather the detector's own mistakes, to teach it what is no face.

    python -m training.detector.mine WORK FILE [--scenes N]

FILE is an exported detector. It looks at the faceless pictures in WORK, and at made-up scenes without faces:
hair, clothes and hands from the margins of the chips, with something else where the face was. Whatever it
finds there is wrong, and goes as a PNG file with its surroundings into WORK/hard, from where
`training.detector.scenes` puts it into scenes.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from agegender.detection.yunet import YuNet
from agegender.types import Face, Image
from training.detector.material import Material
from training.detector.scenes import empty

SCORE = 0.4
AROUND = 1.6
"""How many times as large as the box that was found is what is kept."""
MOST = 3
"""So many mistakes are kept of a picture, the surest: a sky full of stars would outweigh all others."""
SIZES_PX = (1024, 512)
LONGEST_PX = 240


def cut_out(image: Image, face: Face) -> Image | None:
    """Return what was taken for a face with its surroundings, or None where that is hardly anything."""
    x, y = face.box.center
    reach = AROUND / 2 * max(face.box.width, face.box.height)
    part = image[max(0, round(y - reach)) : round(y + reach), max(0, round(x - reach)) : round(x + reach)]
    if min(part.shape[:2]) < 16:
        return None
    scale = min(1.0, LONGEST_PX / max(part.shape[:2]))
    return np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def faceless(material: Material, scenes: int) -> Iterator[Image]:
    """Yield BGR pictures in which nobody is to be found."""
    for picture in material.backgrounds:
        for size_px in SIZES_PX:
            scale = size_px / max(picture.shape[:2])
            yield np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)
    for number in range(scenes):
        yield empty(material, np.random.default_rng((9, number)), False).image


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("detector", type=Path)
    parser.add_argument("--scenes", type=int, default=3000)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    target = options.work / "hard"
    target.mkdir(exist_ok=True)
    detector = YuNet(options.detector, score=SCORE)
    for bgr in tqdm(faceless(Material(options.work), options.scenes), unit="picture"):
        for face in detector.detect(np.ascontiguousarray(bgr[:, :, ::-1]))[:MOST]:
            part = cut_out(bgr, face)
            if part is not None:
                cv2.imwrite(str(target / f"{zlib.crc32(part.tobytes()):08x}.png"), part)
    print(f"{len(list(target.iterdir()))} mistakes in {target}")


if __name__ == "__main__":
    main()
