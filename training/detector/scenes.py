"""Made-up scenes with faces whose places are known: chips of real faces put into pictures that hold none."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agegender.types import Image
from training.augment import compressed, noisy, recolor
from training.detector.material import CHIP_PX, SIDE_PX, Chip, Faces, Material
from training.detector.placing import Scene, center_of, clipped, outline, placement, size_of


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
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 5))[:, :, None]  # type: ignore[assignment]
    other = filling(chip, material, rng)
    return Chip((image * (1 - mask) + other * mask).astype(np.uint8), chip.faces[:0])


def filling(chip: Chip, material: Material, rng: Generator) -> Image:
    """Return what takes a face's place: a picture, a colour, a strip of the chip's edge, a jumble."""
    kind, size = rng.integers(4), (CHIP_PX, CHIP_PX)
    if kind == 0:
        return cv2.resize(material.background(rng, 64), size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
    if kind == 1:
        return np.broadcast_to(chip.image[rng.integers(CHIP_PX), rng.integers(CHIP_PX)], (*size, 3))
    if kind == 2:
        width = int(rng.integers(8, 30))
        edges = (chip.image[:width], chip.image[-width:], chip.image[:, :width], chip.image[:, -width:])
        return cv2.resize(edges[rng.integers(4)], size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
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
    """Return the scene as some camera would have it, now and then by night."""
    if rng.random() < 0.08:
        image = np.clip(image * rng.uniform(0.08, 0.35) + rng.normal(0, 4, image.shape), 0, 255).astype(
            np.uint8
        )
    if rng.random() < 0.35:
        image = recolor(image, rng)
    if rng.random() < 0.08:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))  # type: ignore[assignment]
    if rng.random() < 0.15:
        image = noisy(image, rng, rng.uniform(3, 18))
    if rng.random() < 0.3:
        image = compressed(image, int(rng.uniform(25, 90)))
    return image


def scene(
    material: Material, rng: Generator, held_out: bool = False
) -> tuple[Image, Faces, NDArray[np.float32]]:
    """Return a BGR picture (320, 320, 3), its faces (n, 14), and boxes (m, 4) where nothing is judged."""
    kinds = (crowd, mosaic, portrait, empty)
    made = kinds[rng.choice(len(kinds), p=[0.42, 0.3, 0.14, 0.14])](material, rng, held_out)
    faces = np.array(made.faces, np.float32).reshape(-1, 14)
    return made_worse(made.image, rng), faces, np.array(made.unjudged, np.float32).reshape(-1, 4)
