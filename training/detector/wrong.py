"""Gather what two detectors take for faces in pictures without people, for `training.detector.rejudge`.

    python -m training.detector.wrong NOBODY FIRST YUNET TARGET [--rounds N]

NOBODY is a folder of pictures in which nobody is to be seen, as somebody who looked through them says; FIRST
the first stage's file and YUNET YuNet-n's. In every round each picture is looked at once, whole or a part of
it, at one of a few sizes, with so low a limit that much is found. Into TARGET, a file for NumPy, go `crops`
(n, 80, 80, 3) BGR, each found box with as much again around it, `score` (n,), and `held_out` (n,): of every
tenth picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from tqdm import tqdm

from agegender.detection.yunet import YuNet
from agegender.imaging.geometry import margin_crop
from agegender.types import Image
from training.detector.candidates import HELD_OUT_PART, MARGIN, STORED_PX

SCORE = 0.1
SMALLEST_PX = 14.0
MOST = 12
SIZES_PX = (256, 384, 512)


def view_of(picture: Image, rng: Generator) -> Image:
    """Return the picture, whole or in part, at one of a few sizes, BGR; a transparent one on some colour."""
    bgr = picture[:, :, :3]
    if picture.shape[2] == 4:
        alpha = picture[:, :, 3:].astype(np.float32) / 255
        bgr = (bgr * alpha + rng.uniform(0, 255, 3) * (1 - alpha)).astype(np.uint8)
    if rng.random() < 0.5:
        height, width = (int(side * rng.uniform(0.4, 1)) for side in bgr.shape[:2])
        top, left = int(rng.integers(bgr.shape[0] - height + 1)), int(rng.integers(bgr.shape[1] - width + 1))
        bgr = bgr[top : top + height, left : left + width]
    scale = int(rng.choice(SIZES_PX)) / max(bgr.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=how), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nobody", type=Path)
    parser.add_argument("first", type=Path)
    parser.add_argument("yunet", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    finders = [YuNet(path, score=SCORE) for path in (options.first, options.yunet)]
    paths = sorted(options.nobody.iterdir())
    crops, rows = [], []
    for round_number in range(options.rounds):
        rng = np.random.default_rng((51, round_number))
        for number in tqdm(rng.permutation(len(paths)).tolist(), unit="picture", mininterval=10):
            bgr = view_of(np.asarray(cv2.imread(str(paths[number]), cv2.IMREAD_UNCHANGED), np.uint8), rng)
            rgb = np.ascontiguousarray(bgr[:, :, ::-1])
            found = [face for finder in finders for face in finder.detect(rgb)[:MOST]]
            for face in found:
                if face.box.height >= SMALLEST_PX:
                    crops.append(margin_crop(bgr, face.box, MARGIN, STORED_PX))
                    rows.append((face.score, number % HELD_OUT_PART == 0))
        table = np.array(rows)
        held_out = table[:, 1].astype(bool)
        np.savez(options.target, crops=np.stack(crops), score=table[:, 0], held_out=held_out)
        print(f"{len(rows)} crops, {int(held_out.sum())} of them held out", flush=True)


if __name__ == "__main__":
    main()
