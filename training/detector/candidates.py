"""Gather what the second stage learns from: what the first one takes for faces, rightly or wrongly.

    python -m training.detector.candidates WORK FIRST TEACHER [--scenes N]

WORK is what `training.detector.prepare` filled, FIRST the exported first stage, TEACHER is YuNet-n's ONNX
file. The first stage and the teacher look at made-up scenes and at the faceless pictures as they are, with a
limit so low that most of what they find is wrong: the second stage is asked of both detectors' boxes. Into
WORK go `candidates.npy` (n, 80, 80, 3) BGR, each found box with as much again around it, and
`candidates.npz`: `is_face` (n,), `points` (n, 7, 2), the true box's corners and the landmarks in parts of the
crop, `score` (n,), the finder's, `by_first` (n,), whether that was the first stage, and `held_out` (n,): of
chips and pictures kept for choices. Landmarks are the teacher's in the very scene: on chips enlarged for it
they lie a tenth of the distance between the eyes elsewhere. Where it misses the face they are not known. What
is neither clearly a face nor clearly none is left out, and so is what the teacher takes for a face where none
was put, but in the pictures of WORK/nobody: somebody looked through those.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from tqdm import tqdm

from agegender.detection.yunet import YuNet
from agegender.imaging.geometry import margin_crop, margin_square
from agegender.types import Box, Face, Image
from training.detector.material import Faces, Material, pictures_in
from training.detector.measure import pairwise_iou
from training.detector.scenes import made_worse, scene

STORED_PX = 80
MARGIN = 0.5
"""What is stored around a box, on each side, in parts of its longer one: more than the net sees."""
SCORE, ASKED_SCORE = 0.05, 0.1
"""From which score on the first stage's boxes are learnt from, and the teacher's."""
SURE_IOU, NO_IOU = 0.5, 0.25
MOST_WRONG = 14
"""So many wrong ones are kept of a picture, at random."""
SMALLEST_PX = 12.0
HELD_OUT_PART = 10
SIZES_PX = (320, 480, 640, 1024)

BLOCK = 4096

Scenes = Iterator[tuple[Image, Faces, NDArray[np.float32] | None]]
"""BGR pictures with their faces, (n, 14), and the boxes in which nothing is judged, (m, 4); None where nobody
is for certain, whatever the teacher sees."""


def split(material: Material, held_out: bool) -> Material:
    """Return the material with only the faceless pictures to train on, or only those that are held out."""
    numbers = np.arange(len(material.backgrounds)) % HELD_OUT_PART == 0
    chosen = np.flatnonzero(numbers == held_out)
    material.backgrounds = [material.backgrounds[index] for index in chosen]
    if held_out:
        material.mistakes = []  # they were cut out of all pictures
    return material


def made_up(material: Material, count: int, held_out: bool) -> Scenes:
    """Yield made-up scenes."""
    for number in range(count):
        yield scene(material, np.random.default_rng((21, held_out, number)), held_out)


def as_they_are(material: Material) -> Scenes:
    """Yield the faceless pictures, each at one of a few sizes and as some camera would have it."""
    rng = np.random.default_rng(22)
    for picture in material.backgrounds:
        for size_px in rng.choice(SIZES_PX, 2, replace=False):
            scale = size_px / max(picture.shape[:2])
            scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            yield made_worse(scaled, rng), np.empty((0, 14), np.float32), np.empty((0, 4), np.float32)  # type: ignore[arg-type]


def of_nobody(folder: Path, held_out: bool) -> Scenes:
    """Yield the pictures without people, whole and in parts, at a few sizes; transparent ones on a colour."""
    rng = np.random.default_rng((24, held_out))
    for number, picture in enumerate(pictures_in(folder)):
        if (number % HELD_OUT_PART == 0) != held_out:
            continue
        for size_px in rng.choice(SIZES_PX, 3, replace=False):
            bgr = picture[:, :, :3]
            if picture.shape[2] == 4:
                alpha = picture[:, :, 3:].astype(np.float32) / 255
                bgr = (bgr * alpha + rng.uniform(0, 255, 3) * (1 - alpha)).astype(np.uint8)
            bgr = part_of(bgr, rng) if rng.random() < 0.5 else bgr
            scale = size_px / max(bgr.shape[:2])
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            scaled = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=how)
            scaled = scaled[:, ::-1] if rng.random() < 0.5 else scaled
            yield made_worse(np.ascontiguousarray(scaled), rng), np.empty((0, 14), np.float32), None


def part_of(image: Image, rng: Generator) -> Image:
    """Return a part of the picture, half of its sides or more."""
    height, width = ((side * rng.uniform(0.5, 1)) for side in image.shape[:2])
    top, left = (
        int(rng.uniform(0, side - own)) for side, own in zip(image.shape, (height, width), strict=False)
    )
    return image[top : top + int(height), left : left + int(width)]


def crops(
    scenes: Scenes, first: YuNet, asked: YuNet, teacher: YuNet, rng: Generator
) -> Iterator[tuple[Image, NDArray[np.float32]]]:
    """Yield crops of what `first` and `asked` find, each with a row.

    That is score, whether `first` found it, whether it is a face, and its 7 points in parts of the crop.
    """
    for bgr, faces, unjudged in scenes:
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        taught = teacher.detect(rgb)
        other = corners(taught) if unjudged is not None else np.empty((0, 4))
        other = np.concatenate([unjudged, other]) if unjudged is not None else other
        for by_first, finder in enumerate((asked, first)):
            found = [face for face in finder.detect(rgb) if face.box.height >= SMALLEST_PX]
            boxes = corners(found)
            overlaps = pairwise_iou(boxes, faces[:, :4].astype(np.float64))
            best = overlaps.max(axis=1, initial=0)
            doubtful = pairwise_iou(boxes, other.astype(np.float64)).max(axis=1, initial=0)
            wrong = np.flatnonzero((best < NO_IOU) & (doubtful < NO_IOU))
            wrong = rng.permutation(wrong)[: MOST_WRONG if by_first else MOST_WRONG // 2]
            for index in [*np.flatnonzero(best >= SURE_IOU), *wrong]:
                box, is_face = found[index].box, best[index] >= SURE_IOU
                left, top, side = margin_square(box, MARGIN)
                points = np.zeros((7, 2))
                if is_face:
                    true = faces[overlaps[index].argmax()]
                    points = np.concatenate([true[:4].reshape(2, 2), landmarks(true, taught)])
                    points = (points - (left, top)) / side
                row = np.array([found[index].score, by_first, is_face, *points.ravel()], np.float32)
                yield margin_crop(bgr, box, MARGIN, STORED_PX), row


def landmarks(true: NDArray[np.float32], taught: Sequence[Face]) -> NDArray[np.float64]:
    """Return where the teacher sees the landmarks of a face that is there, (5, 2); no numbers if nowhere."""
    box = Box(*true[:4].tolist())
    same = max(taught, key=lambda face: face.box.iou(box), default=None)
    if same is None or same.box.iou(box) < SURE_IOU:
        return np.full((5, 2), np.nan)
    return np.array(same.landmarks)


def corners(faces: Sequence[Face]) -> NDArray[np.float64]:
    """Return the boxes of faces, (n, 4)."""
    boxes = [(face.box.left, face.box.top, face.box.right, face.box.bottom) for face in faces]
    return np.array(boxes, np.float64).reshape(-1, 4)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("first", type=Path)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("--scenes", type=int, default=20000)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    first, teacher = YuNet(options.first, score=SCORE), YuNet(options.teacher, score=0.4)
    asked = YuNet(options.teacher, score=ASKED_SCORE)
    rng = np.random.default_rng(23)
    blocks: list[
        NDArray[np.uint8]
    ] = []  # small arrays between large short-lived ones would scatter the memory
    rows, held = list[NDArray[np.float32]](), []
    for held_out in (False, True):
        material = split(Material(options.work), held_out)
        count = options.scenes // (HELD_OUT_PART if held_out else 1)
        nobody = of_nobody(options.work / "nobody", held_out)
        for scenes in (nobody, made_up(material, count, held_out), as_they_are(material)):
            for image, row in tqdm(crops(scenes, first, asked, teacher, rng), unit="crop", mininterval=10):
                if len(rows) % BLOCK == 0:
                    blocks.append(np.empty((BLOCK, *image.shape), np.uint8))
                blocks[-1][len(rows) % BLOCK] = image
                rows.append(row)
                held.append(held_out)
    table = np.stack(rows)
    np.save(options.work / "candidates.npy", np.concatenate(blocks)[: len(rows)])
    np.savez(
        options.work / "candidates.npz",
        score=table[:, 0],
        by_first=table[:, 1],
        is_face=table[:, 2],
        points=table[:, 3:].reshape(-1, 7, 2),
        held_out=np.array(held),
    )
    print(f"{len(table)} crops, of which {int(table[:, 2].sum())} are faces and {sum(held)} held out")


if __name__ == "__main__":
    main()
