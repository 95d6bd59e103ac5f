"""Crops to teach the second stage with: faces as hard as they come, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agegender.detection.second_opinion import MARGIN
from agegender.detection.yunet import YuNet
from agegender.types import Image
from training.detector.candidates import ASKED_SCORE, STORED_PX, crops, made_up, split
from training.detector.material import CHIP_PX, Chip, Material, masked
from training.detector.placing import moved
from training.detector.refinement_net import SIDE_PX
from training.detector.refinement_train import shifted
from training.detector.scenes import made_worse, without_face

MASKED_PART, DARK_PART, TURNED_PART, MOST_DEGREES = 0.25, 0.15, 0.35, 50

Sample = tuple[Image, bool, NDArray[np.float32]]
"""A BGR crop, (64, 64, 3), whether it is a face, and its points in parts of the crop, (7, 2)."""

NOWHERE = np.full((7, 2), np.nan, np.float32)

SCENE_SCORE = 0.1
"""From which score of the first stage on a crop of a scene is learnt from."""

Stored = list[tuple[Image, NDArray[np.float32]]]
"""Crops with twice the box, BGR (80, 80, 3), and the rows of `candidates.crops`."""


def placed(center: NDArray[np.float64], side: float, rng: Generator, degrees: float) -> NDArray[np.float64]:
    """Return what brings a square to a crop, (2, 3): about so, turned, now and then mirrored."""
    side *= float(np.exp(rng.normal(0, 0.1)))
    center = center + rng.normal(0, 0.04, 2) * side
    angle, scale = np.deg2rad(degrees), SIDE_PX / side
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        matrix[0] *= -1
    return np.column_stack([matrix, np.full(2, SIDE_PX / 2) - matrix @ center])


def warped(image: Image, matrix: NDArray[np.float64], rng: Generator) -> Image:
    """Return the crop, as some camera would have it and perhaps enlarged from a small one."""
    size = (SIDE_PX, SIDE_PX)
    crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.35:
        small = int(rng.uniform(18, SIDE_PX))
        crop = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(crop, size, interpolation=cv2.INTER_LINEAR)
    return made_worse(np.asarray(crop, np.uint8), rng)


def square_of(face: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Return the middle and the side of the square that the second stage sees of a chip's face."""
    left, top, right, bottom = face[:4].astype(np.float64)
    side = max(right - left, bottom - top) * (1 + 2 * MARGIN)
    return np.array([(left + right) / 2, (top + bottom) / 2]), side


def plain(material: Material, index: int) -> Chip:
    """Return a chip as it is, BGR, its main face first."""
    rows = material.faces[material.first[index] : material.first[index + 1]]
    middle = np.hypot(*((rows[:, :2] + rows[:, 2:4]) / 2 - CHIP_PX / 2).T)
    return Chip(np.ascontiguousarray(material.images[index][:, :, ::-1]), rows[np.argsort(middle)])


def face(material: Material, index: int, row: NDArray[np.float32], rng: Generator) -> Sample:
    """Return a crop of a chip's face; `row` is where it is."""
    chip = plain(material, index)
    if rng.random() < MASKED_PART:
        chip = masked(chip, rng)
    degrees = rng.uniform(-1, 1) * MOST_DEGREES if rng.random() < TURNED_PART else rng.normal(0, 9)
    matrix = placed(*square_of(chip.faces[0]), rng, degrees)
    crop = warped(chip.image, matrix, rng)
    if rng.random() < DARK_PART:
        light, grain = rng.uniform(0.06, 0.4), rng.uniform(0, 5)
        crop = np.clip(crop * light + rng.normal(0, grain, crop.shape), 0, 255).astype(np.uint8)
    return crop, True, (moved(row[None], matrix).reshape(7, 2) / SIDE_PX).astype(np.float32)


def empty(material: Material, rng: Generator) -> Sample:
    """Return a crop of a chip with something else where the face was, or of hair and clothes."""
    chip = material.chip(rng)
    center, side = square_of(chip.faces[0])
    image = without_face(chip, material, rng).image
    place = center if rng.random() < 0.5 else rng.uniform(0, CHIP_PX, 2)
    matrix = placed(place, side * float(np.exp(rng.normal(0, 0.4))), rng, rng.uniform(-180, 180))
    return warped(image, matrix, rng), False, NOWHERE


def wrong(stored: Image, rng: Generator) -> Sample:
    """Return a crop of what was taken for a face."""
    middle, side = np.full(2, STORED_PX / 2), STORED_PX * (1 + 2 * MARGIN) / 2
    return warped(stored, placed(middle, side, rng, rng.uniform(-30, 30)), rng), False, NOWHERE


def found_in_scenes(work: Path, first: Path, yunet: Path, count: int, held_out: bool = False) -> Stored:
    """Return what both detectors find in made-up scenes, as `candidates.crops` does."""
    material = split(Material(work), held_out)
    scenes = made_up(material, count, held_out)
    finders = YuNet(first, score=SCENE_SCORE), YuNet(yunet, score=ASKED_SCORE), YuNet(yunet, score=0.4)
    return list(crops(scenes, *finders, np.random.default_rng(43)))


def from_scene(stored: Image, row: NDArray[np.float32], rng: Generator) -> Sample:
    """Return a crop of what was found in a scene, as another look might have placed it."""
    image, points = shifted(stored, row[3:].reshape(7, 2) * STORED_PX, rng)
    image = made_worse(image, rng) if rng.random() < 0.3 else image
    return image, bool(row[2]), (points / SIDE_PX if row[2] else NOWHERE).astype(np.float32)
