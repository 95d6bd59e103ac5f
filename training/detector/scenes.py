"""Made-up scenes with faces whose places are known: chips of real faces put into pictures that hold none."""

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
SMALLEST_PX = 10.0
SEEN_PART = 0.55
"""Smaller faces, and those of which less is to be seen, are neither taught nor counted as mistakes."""
MIRRORED = [1, 0, 2, 4, 3]
"""The order of the landmarks in a mirror image: right and left change places."""

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
        pictures = [
            cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted((work / "faceless").iterdir())
        ]
        hard = work / "hard"
        self.mistakes = [cv2.imread(str(path)) for path in sorted(hard.iterdir())] if hard.is_dir() else []
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
        return Chip(np.ascontiguousarray(image[:, :, ::-1]), rows[np.argsort(middle)])

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
        part = np.ascontiguousarray(part)
        return recolor(part, rng) if rng.random() < 0.5 else part

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
        stamp = cv2.resize(stamp, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = stamp.shape[:2]
        if min(height, width) < 4:
            return
        left, top = (int(rng.uniform(-side / 2, SIDE_PX - side / 2)) for side in (width, height))
        window = scene[max(0, top) : top + height, max(0, left) : left + width]
        stamp = stamp[max(0, -top) :, max(0, -left) :][: window.shape[0], : window.shape[1]]
        alpha = stamp[:, :, 3:].astype(np.float32) / 255
        window[:] = window * (1 - alpha) + stamp[:, :, :3] * alpha


def texture(rng: Generator, side_px: int) -> Image:
    """Return noise of some coarseness, in two colours: plain, cloudy, or in stripes."""
    cells = int(rng.choice([1, 2, 4, 8, 24, 80]))
    shape = (cells, 1 if rng.random() < 0.3 else cells)
    field = cv2.resize(rng.random(shape, dtype=np.float32), (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        field = field.T
    colors = rng.uniform(0, 255, (2, 3))
    return np.clip(colors[0] + field[:, :, None] * (colors[1] - colors[0]), 0, 255).astype(np.uint8)


def moved(faces: Faces, matrix: NDArray[np.float64]) -> Faces:
    """Return the faces where a 2×3 similarity, perhaps with a reflection, puts them.

    A face is about an ellipse, so a turned one has the box of the turned ellipse.
    """
    halves = (faces[:, 2:4] - faces[:, :2]) / 2
    centers = (faces[:, :2] + faces[:, 2:4]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    halves = np.sqrt(halves**2 @ (matrix[:, :2] ** 2).T)
    landmarks = faces[:, 4:].reshape(-1, 5, 2) @ matrix[:, :2].T + matrix[:, 2]
    if np.linalg.det(matrix[:, :2]) < 0:
        landmarks = landmarks[:, MIRRORED]
    return np.concatenate([centers - halves, centers + halves, landmarks.reshape(-1, 10)], axis=1).astype(
        np.float32
    )


def placement(
    center_xy: tuple[float, float], target_xy: tuple[float, float], scale: float, rng: Generator
) -> NDArray[np.float64]:
    """Return a matrix that brings a point to another, scaled, turned and perhaps mirrored."""
    angle = np.deg2rad(rng.uniform(-50, 50) if rng.random() < 0.15 else rng.normal(0, 9))
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    return np.column_stack([matrix, np.array(target_xy) - matrix @ center_xy])


def outline(chip: Chip, rng: Generator) -> NDArray[np.float32]:
    """Return how much of each pixel is put into the scene: all, soft at the edges, or the head alone."""
    kind = rng.random()
    if kind < 0.35:
        return np.ones((CHIP_PX, CHIP_PX), np.float32)
    y, x = np.mgrid[:CHIP_PX, :CHIP_PX].astype(np.float32)
    if kind < 0.65:
        edge = np.minimum(np.minimum(x, CHIP_PX - 1 - x), np.minimum(y, CHIP_PX - 1 - y))
        return np.clip(edge / rng.uniform(3, 25), 0, 1)
    left, top, right, bottom = chip.faces[0, :4]
    radius = np.hypot(
        (x - (left + right) / 2) / ((right - left) / 2 * rng.uniform(1.15, 1.7)),
        (y - (top + bottom) / 2) / ((bottom - top) / 2 * rng.uniform(1.1, 1.6)),
    )
    return np.clip((1 - radius) / rng.uniform(0.02, 0.3), 0, 1)


class Scene:
    """A picture that grows, with the faces that are to be found and the boxes where nothing is judged."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.faces: list[Faces] = []
        self.unjudged: list[NDArray[np.float32]] = []

    def put(self, chip: Chip, matrix: NDArray[np.float64], alpha: NDArray[np.float32] | None) -> None:
        """Put a chip in; faces that it covers for the most part are no longer to be found."""
        window = reached(matrix) if alpha is not None else (0, 0, SIDE_PX, SIDE_PX)
        left, top, right, bottom = window
        if right <= left or bottom <= top:
            return
        inside = matrix - np.array([[0, 0, left], [0, 0, top]])
        size, scale = (right - left, bottom - top), np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        image, transform = chip.image, inside
        if scale < 0.6:  # bilinear sampling alone would skip pixels
            side_px = max(8, round(CHIP_PX * scale))
            image = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)
            larger = CHIP_PX / side_px
            shift = matrix[:, :2].sum(axis=1) * (larger - 1) / 2  # pixels have their middles at whole numbers
            transform = np.column_stack([inside[:, :2] * larger, inside[:, 2] + shift])
        border = cv2.BORDER_REPLICATE
        warped = cv2.warpAffine(image, transform, size, flags=cv2.INTER_LINEAR, borderMode=border)
        if alpha is None:
            self.image, self.faces = warped, []
        else:
            mask = cv2.warpAffine(alpha, inside, size, flags=cv2.INTER_LINEAR)
            self._cover(mask, left, top)
            below = self.image[top:bottom, left:right]
            below[:] = cv2.blendLinear(warped, np.ascontiguousarray(below), mask, 1 - mask)
        for face in moved(chip.faces, matrix):
            seen = clipped(face[:4])
            part = area(seen) / max(area(face[:4]), 1e-6)
            if area(face[:4]) < SMALLEST_PX**2 or part < SEEN_PART:
                if part > 0:
                    self.unjudged.append(seen)
            else:
                self.faces.append(face)

    def _cover(self, mask: NDArray[np.float32], left_px: int, top_px: int) -> None:
        still_seen = []
        for face in self.faces:
            left, top, right, bottom = clipped(face[:4]).astype(int)
            over = mask[
                max(0, top - top_px) : max(0, bottom + 1 - top_px),
                max(0, left - left_px) : max(0, right + 1 - left_px),
            ]
            hidden = over.sum() / max(1, (bottom + 1 - top) * (right + 1 - left))
            if hidden < 0.35:
                still_seen.append(face)
            elif hidden < 0.9:
                self.unjudged.append(clipped(face[:4]))
        self.faces = still_seen


def reached(matrix: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return the left, top, right and bottom pixel between which a chip comes to lie in the scene."""
    corners = (
        np.array([(x, y) for x in (-1, CHIP_PX) for y in (-1, CHIP_PX)]) @ matrix[:, :2].T + matrix[:, 2]
    )
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)) + 1, SIDE_PX).astype(int).tolist()
    return left, top, right, bottom


def clipped(box: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(box, 0, SIDE_PX - 1)


def area(box: NDArray[np.float32]) -> float:
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def size_of(chip: Chip) -> float:
    """Return the root of the area of the main face's box."""
    return float(np.sqrt(area(chip.faces[0, :4])))


def center_of(chip: Chip) -> tuple[float, float]:
    left, top, right, bottom = chip.faces[0, :4].tolist()
    return (left + right) / 2, (top + bottom) / 2


def crowd(material: Material, rng: Generator, held_out: bool) -> Scene:
    """Return a scene with faces here and there, in a picture without any."""
    scene = Scene(material.background(rng))
    material.clutter(scene.image, rng, 4)
    count = int(rng.choice([1, 2, 3, 4, 6, 9, 14]))
    low, high = (50, 280) if count == 1 else (18, 130) if count <= 4 else (12, 60)
    for _ in range(count):
        chip = material.chip(rng, held_out)
        scale = np.exp(rng.uniform(np.log(low), np.log(high))) / size_of(chip)
        places = rng.uniform(0, SIDE_PX, (4, 2))
        if scene.faces:
            others = np.array([(face[:2] + face[2:4]) / 2 for face in scene.faces])
            gaps = np.hypot(*(places[:, None] - others[None]).transpose(2, 0, 1)).min(axis=1)
            places = places[[gaps.argmax()]]
        matrix = placement(center_of(chip), tuple(places[0]), scale, rng)
        scene.put(
            without_face(chip, material, rng) if rng.random() < 0.1 else chip, matrix, outline(chip, rng)
        )
        if rng.random() < 0.12:
            hide_a_part(scene, material, rng)
    return scene


def without_face(chip: Chip, material: Material, rng: Generator) -> Chip:
    """Return the chip with something else for its faces: hair, clothes and seams, but nothing to find."""
    image = chip.image.copy()
    mask = np.zeros((CHIP_PX, CHIP_PX), np.float32)
    for left, top, right, bottom in chip.faces[:, :4].tolist():
        center = (round((left + right) / 2), round((top + bottom) / 2))
        axes = (round((right - left) * 0.56), round((bottom - top) * 0.54))
        cv2.ellipse(mask, center, axes, 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 5))[:, :, None]
    other = filling(chip, material, rng)
    return Chip((image * (1 - mask) + other * mask).astype(np.uint8), chip.faces[:0])


def filling(chip: Chip, material: Material, rng: Generator) -> Image:
    """Return what takes a face's place: a picture, a colour, a strip of the chip's edge, a jumble."""
    kind, size = rng.integers(4), (CHIP_PX, CHIP_PX)
    if kind == 0:
        return cv2.resize(material.background(rng, 64), size, interpolation=cv2.INTER_LINEAR)
    if kind == 1:
        return np.broadcast_to(chip.image[rng.integers(CHIP_PX), rng.integers(CHIP_PX)], (*size, 3))
    if kind == 2:
        width = int(rng.integers(8, 30))
        edges = (chip.image[:width], chip.image[-width:], chip.image[:, :width], chip.image[:, -width:])
        return cv2.resize(edges[rng.integers(4)], size, interpolation=cv2.INTER_LINEAR)
    parts = int(rng.choice([4, 5, 8]))
    side = CHIP_PX // parts
    tiles = chip.image.reshape(parts, side, parts, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    mixed = rng.permutation(tiles).reshape(parts, parts, side, side, 3)
    return mixed.swapaxes(1, 2).reshape(CHIP_PX, CHIP_PX, 3)


def hide_a_part(scene: Scene, material: Material, rng: Generator) -> None:
    """Lay something over a side of the last face: up to a third of it."""
    if not scene.faces:
        return
    left, top, right, bottom = scene.faces[-1][:4]
    width, height = right - left, bottom - top
    part = rng.uniform(0.1, 0.33)
    side = rng.integers(4)
    box = np.array([left, top, right, bottom])
    if side < 2:
        box[[2, 0][side]] = left + width * (part if side == 0 else 1 - part)
    else:
        box[[3, 1][side - 2]] = top + height * (part if side == 2 else 1 - part)
    x0, y0, x1, y1 = clipped(box).astype(int)
    if x1 > x0 and y1 > y0:
        cover = material.background(rng, 64)
        scene.image[y0:y1, x0:x1] = cv2.resize(cover, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)


def mosaic(material: Material, rng: Generator, held_out: bool) -> Scene:
    """Return a scene that chips cover wholly, edge to edge."""
    scene = Scene(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8))
    cell = float(rng.choice([40, 64, 80, 107, 160]))
    shift = rng.uniform(-cell, 0, 2)
    square = np.ones((CHIP_PX, CHIP_PX), np.float32)
    for row in range(int(SIDE_PX / cell) + 2):
        for column in range(int(SIDE_PX / cell) + 2):
            corner = shift + cell * np.array([column, row])
            if (corner >= SIDE_PX).any() or (corner <= -cell).any():
                continue
            chip, scale = material.chip(rng, held_out), cell / CHIP_PX
            matrix = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
            if rng.random() < 0.5:
                matrix[0] = [-scale, 0, corner[0] + cell]
            scene.put(without_face(chip, material, rng) if rng.random() < 0.12 else chip, matrix, square)
    return scene


def portrait(material: Material, rng: Generator, held_out: bool) -> Scene:
    """Return a scene of one chip whose border is repeated outwards."""
    scene, chip = Scene(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)), material.chip(rng, held_out)
    scale = np.exp(rng.uniform(np.log(24), np.log(260))) / size_of(chip)
    matrix = placement(center_of(chip), tuple(rng.uniform(60, SIDE_PX - 60, 2)), scale, rng)
    scene.put(chip, matrix, None)
    return scene


def empty(material: Material, rng: Generator, held_out: bool) -> Scene:
    """Return a scene without faces: things, patterns, and what is around a face, larger."""
    scene = Scene(material.background(rng))
    material.clutter(scene.image, rng, 6)
    for _ in range(rng.integers(5)):
        chip = without_face(material.chip(rng, held_out), material, rng)
        scale = rng.uniform(0.3, 2.0)
        center = tuple(rng.uniform(0, CHIP_PX, 2))
        matrix = placement(center, tuple(rng.uniform(0, SIDE_PX, 2)), scale, rng)
        scene.put(chip, matrix, np.ones((CHIP_PX, CHIP_PX), np.float32))
    return scene


def made_worse(image: Image, rng: Generator) -> Image:
    """Return the scene as some camera would have it."""
    if rng.random() < 0.35:
        image = recolor(image, rng)
    if rng.random() < 0.08:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < 0.15:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(3, 18))
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(25, 90))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image


def scene(
    material: Material, rng: Generator, held_out: bool = False
) -> tuple[Image, Faces, NDArray[np.float32]]:
    """Return a BGR picture (320, 320, 3), its faces (n, 14), and boxes (m, 4) where nothing is judged."""
    make = rng.choice([crowd, mosaic, portrait, empty], p=[0.42, 0.3, 0.14, 0.14])
    made = make(material, rng, held_out)
    faces = np.array(made.faces, np.float32).reshape(-1, 14)
    return made_worse(made.image, rng), faces, np.array(made.unjudged, np.float32).reshape(-1, 4)
