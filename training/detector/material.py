"""What scenes are made of: chips with faces, pictures without any, things to lay over them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agegender.types import Image
from training.augment import recolor

SIDE_PX = 320
CHIP_PX = 160

MASKED_PART = 0.12

Faces = NDArray[np.float32]
"""(n, 14): box (left, top, right, bottom) and five landmarks (x, y), in pixels."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A square picture with the rows of its faces, the main one first."""

    image: Image
    faces: Faces


class Material:
    """What `training.detector.prepare` gathered, the last `held_out` chips of which are kept for choices."""

    def __init__(self, work: Path, held_out: int = 500) -> None:
        self.images = np.load(work / "chips.npy", mmap_mode="r")
        with np.load(work / "chips.npz") as arrays:
            self.faces, self.first = arrays["faces"], arrays["first"]
        self.trained = len(self.images) - held_out
        pictures = pictures_in(work / "faceless") + pictures_in(work / "nobody")
        self.mistakes = [picture[:, :, :3] for picture in pictures_in(work / "hard")]
        self.stamps = [picture for picture in pictures if picture.shape[2] == 4]
        self.backgrounds = [picture[:, :, :3] for picture in pictures if picture.shape[2] == 3]

    def chip(self, rng: Generator, held_out: bool = False) -> Chip:
        """Return one of the chips, BGR, sometimes in another light."""
        index = int(rng.integers(self.trained, len(self.images)) if held_out else rng.integers(self.trained))
        image = np.ascontiguousarray(self.images[index])
        if rng.random() < 0.5:
            image = recolor(image, rng)
        rows = self.faces[self.first[index] : self.first[index + 1]]
        middle = np.hypot(*((rows[:, :2] + rows[:, 2:4]) / 2 - CHIP_PX / 2).T)
        chip = Chip(np.ascontiguousarray(image[:, :, ::-1]), rows[np.argsort(middle)])
        return masked(chip, rng) if rng.random() < MASKED_PART else chip

    def background(self, rng: Generator, side_px: int = SIDE_PX) -> Image:
        """Return a picture without faces: a part of a photograph or painting, or a made-up texture."""
        if rng.random() < 0.12:
            return texture(rng, side_px)
        picture = self.backgrounds[rng.integers(len(self.backgrounds))]
        height, width = picture.shape[:2]
        size = int(min(height, width) * rng.uniform(0.25, 1.0))
        left, top = int(rng.integers(width - size + 1)), int(rng.integers(height - size + 1))
        part = cv2.resize(
            picture[top : top + size, left : left + size], (side_px, side_px), interpolation=cv2.INTER_AREA
        )
        part = part[:, ::-1] if rng.random() < 0.5 else part
        result = np.ascontiguousarray(part, np.uint8)
        return recolor(result, rng) if rng.random() < 0.5 else result

    def clutter(self, scene: Image, rng: Generator, most: int) -> None:
        """Lay things over the scene that are no faces, and what an earlier net took for faces."""
        for _ in range(rng.integers(most) if self.stamps else 0):
            stamp = self.stamps[rng.integers(len(self.stamps))]
            self._lay(scene, stamp, rng.uniform(20, 200) / max(stamp.shape[:2]), rng)
        for _ in range(rng.integers(most) if self.mistakes else 0):
            mistake = self.mistakes[rng.integers(len(self.mistakes))]
            if rng.random() < 0.5:
                mistake = mistake[:, ::-1]
            alpha = np.full((*mistake.shape[:2], 1), 255, np.uint8)
            self._lay(scene, np.concatenate([mistake, alpha], axis=2), np.exp(rng.normal(0, 0.3)), rng)

    def _lay(self, scene: Image, stamp: Image, scale: float, rng: Generator) -> None:
        resized = cv2.resize(stamp, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        stamp = np.asarray(resized, np.uint8)
        height, width = stamp.shape[:2]
        if min(height, width) < 4:
            return
        left, top = (int(rng.uniform(-side / 2, SIDE_PX - side / 2)) for side in (width, height))
        window = scene[max(0, top) : top + height, max(0, left) : left + width]
        stamp = stamp[max(0, -top) :, max(0, -left) :][: window.shape[0], : window.shape[1]]
        alpha = stamp[:, :, 3:].astype(np.float32) / 255
        window[:] = window * (1 - alpha) + stamp[:, :, :3] * alpha


def pictures_in(folder: Path) -> list[Image]:
    """Return the pictures of a folder, BGR or BGRA; none where there is no such folder."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8) for path in paths]


def masked(chip: Chip, rng: Generator) -> Chip:
    """Return the chip with a mask drawn over nose and mouth of its main face."""
    image, (eye1, eye2, _, mouth1, mouth2) = chip.image.copy(), chip.faces[0, 4:].reshape(5, 2)
    across, down = (eye2 - eye1) * rng.uniform(0.75, 1.0), (mouth1 + mouth2 - eye1 - eye2) / 2
    top = (eye1 + eye2) / 2 + down * rng.uniform(0.3, 0.55)
    chin = (mouth1 + mouth2) / 2 + down * rng.uniform(0.45, 0.7)
    corners = [top - across, top + down * rng.uniform(-0.15, 0.05), top + across]
    corners += [chin + across * 0.75, chin + down * 0.12, chin - across * 0.75]
    plain = np.array([rng.choice([240, 220, 60, 20]) + rng.normal(0, 12) for _ in range(3)])
    color = rng.uniform(0, 255, 3) if rng.random() < 0.5 else plain
    drawn = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(drawn, [np.array(corners).round().astype(np.int32)], 1.0)
    cover = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.5, 1.5))[:, :, None]
    shade = 0.6 + 0.4 * image.mean(axis=2, keepdims=True) / max(1.0, float(image.mean()) * 1.2)
    laid = np.clip(color * np.clip(shade, 0.4, 1.2), 0, 255)
    return Chip((image * (1 - cover) + laid * cover).astype(np.uint8), chip.faces)


def texture(rng: Generator, side_px: int) -> Image:
    """Return noise of some coarseness, in two colours: plain, cloudy, or in stripes."""
    cells = int(rng.choice([1, 2, 4, 8, 24, 80]))
    shape = (cells, 1 if rng.random() < 0.3 else cells)
    field = cv2.resize(rng.random(shape, dtype=np.float32), (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        field = field.T
    colors = rng.uniform(0, 255, (2, 3))
    return np.clip(colors[0] + field[:, :, None] * (colors[1] - colors[0]), 0, 255).astype(np.uint8)
