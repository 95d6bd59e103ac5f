"""Draw what people wear and hold in front of their faces, placed by their landmarks.

Each function takes an RGB crop, the frame (2×3) that maps `agegender.estimation.alignment.TEMPLATE` onto the
face in it, and a random generator for shape, colour and position, and returns another crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from agegender.estimation.alignment import TEMPLATE
from agegender.types import Image

Frame = NDArray[np.float64]
EYES = TEMPLATE[:2]


def frame_of(landmarks: ArrayLike) -> Frame:
    """Least-squares affine map from the template onto the five landmarks, in pixels."""
    source = np.column_stack([TEMPLATE, np.ones(len(TEMPLATE))])
    return np.linalg.lstsq(source, np.asarray(landmarks, dtype=np.float64), rcond=None)[0].T


def placed(frame: Frame, points: ArrayLike) -> NDArray[np.float64]:
    """Map points of the template's unit square to pixels of the crop, (n, 2)."""
    return np.asarray(points, dtype=np.float64) @ frame[:, :2].T + frame[:, 2]


def painted(crop: Image, cover: NDArray[np.float32], color: ArrayLike) -> Image:
    """Paint a colour, or a picture of colours, over the crop where `cover` (height, width) is 1."""
    part = cover[..., None]
    mixed = crop + part * (np.asarray(color, dtype=np.float32) - crop)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def polygon(crop: Image, points: NDArray[np.float64], soft_px: float = 0.7) -> NDArray[np.float32]:
    """Coverage of each pixel by the polygon, with a slightly soft edge."""
    cover = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(cover, [np.rint(16 * points).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), soft_px), np.float32) / np.float32(255)


def strokes(crop: Image, lines: Sequence[NDArray[np.float64]], width_px: float) -> NDArray[np.float32]:
    """Coverage of each pixel by the lines."""
    cover = np.zeros(crop.shape[:2], np.uint8)
    points = [np.rint(16 * line).astype(np.int32) for line in lines]
    cv2.polylines(cover, points, False, 255, max(1, round(width_px)), cv2.LINE_AA, 4)
    return cover.astype(np.float32) / np.float32(255)


def unit_px(frame: Frame) -> float:
    """Side of the template in pixels."""
    return float(np.sqrt(abs(np.linalg.det(frame[:, :2]))))


def cloth(crop: Image, color: ArrayLike, rng: Generator) -> NDArray[np.float32]:
    """A picture of plain-coloured material, with uneven light and some grain."""
    height, width = crop.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    light = 1 + rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.25, 0.25) * y - rng.uniform(0, 0.3) * x * x
    grain = rng.normal(0, rng.uniform(0, 6), (height, width))
    return (np.asarray(color) * light[..., None] + grain[..., None]).astype(np.float32)


def mask(crop: Image, frame: Frame, rng: Generator) -> Image:
    """Put on a mask from the nose, or from under it, to the chin: white, blue, black or any colour."""
    colors = ((235, 235, 235), (150, 195, 220), (25, 25, 28), rng.uniform(20, 240, 3))
    top, side, half = rng.uniform(0.36, 0.5), rng.uniform(0.42, 0.6), rng.uniform(0.34, 0.48)
    if rng.random() < 0.1:
        top = side = rng.uniform(0.54, 0.6)
    chin, jaw = rng.uniform(0.9, 1.08), rng.uniform(0.72, 0.85)
    half_chin = rng.uniform(0.08, 0.24)
    right = [(0.04, top), (0.14, (top + side) / 2), (half, side), (0.92 * half, jaw), (half_chin, chin)]
    outline = [(0.5 + x, y) for x, y in right] + [(0.5 - x, y) for x, y in reversed(right)]
    material = cloth(crop, colors[rng.integers(4)], rng)
    if rng.random() < 0.5:  # pleats
        rows = np.linspace(side + 0.08, jaw, int(rng.integers(2, 5)))
        lines = [placed(frame, [(0.5 - 0.8 * half, y), (0.5, y + 0.03), (0.5 + 0.8 * half, y)]) for y in rows]
        material *= 1 - rng.uniform(0.05, 0.2) * strokes(crop, lines, 0.012 * unit_px(frame))[..., None]
    if rng.random() < 0.6:  # its straps
        ears = [
            placed(frame, [(0.5 + way * 0.95 * half, y), (0.5 + way * 0.6, 0.4)])
            for way in (-1, 1)
            for y in (side, jaw)
        ]
        crop = painted(crop, strokes(crop, ears, 0.012 * unit_px(frame)), material)
    return painted(crop, polygon(crop, placed(frame, outline)), material)


def glasses(crop: Image, frame: Frame, rng: Generator, dark: bool) -> Image:
    """Put on glasses: round, square or large, with dark lenses or clear ones."""
    half_x, half_y = rng.uniform(0.1, 0.175), rng.uniform(0.09 if dark else 0.06, 0.14)
    bent, lower = rng.uniform(0.35, 1.0), rng.uniform(-0.01, 0.05)
    angles = np.linspace(0, 2 * np.pi, 32)
    cos, sin = np.cos(angles), np.sin(angles)
    shape = np.stack([half_x * np.sign(cos) * abs(cos) ** bent, half_y * np.sign(sin) * abs(sin) ** bent], 1)
    outward = np.array(((-1, 0), (1, 0))) * max(0.0, half_x - 0.15)
    lenses = [placed(frame, shape + eye + out + (0, lower)) for eye, out in zip(EYES, outward, strict=True)]
    rim = rng.uniform(0, 70, 3) if rng.random() < 0.7 else rng.uniform(0, 255, 3)
    middle = EYES[0][1] + lower - rng.uniform(0, 0.5) * half_y
    bridge = [placed(frame, [(0.44, middle), (0.56, middle)])]
    sides = [placed(frame, [(0.5 + way * 0.3, middle), (0.5 + way * 0.55, middle)]) for way in (-1, 1)]
    if dark:
        tint = rng.uniform(0, 60) + rng.uniform(0, 25, 3)
        strength = rng.uniform(0.75, 1.0)
    else:
        tint, strength = np.full(3, 255.0), rng.uniform(0, 0.15)
    height = np.linspace(0, 1, crop.shape[0], dtype=np.float32)[:, None]
    fading = 1 - (rng.uniform(0, 0.3) if rng.random() < 0.4 else 0.0) * height
    for lens in lenses:
        crop = painted(crop, polygon(crop, lens) * np.float32(strength) * fading, tint)
    closed = [np.concatenate([lens, lens[:1]]) for lens in lenses]
    thickness = rng.uniform(0.008, 0.035) * unit_px(frame)
    return painted(crop, strokes(crop, closed + bridge + sides, thickness), rim)


def sunglasses(crop: Image, frame: Frame, rng: Generator) -> Image:
    """Put on sunglasses."""
    return glasses(crop, frame, rng, dark=True)


def spectacles(crop: Image, frame: Frame, rng: Generator) -> Image:
    """Put on glasses with clear lenses."""
    return glasses(crop, frame, rng, dark=False)


def hat(crop: Image, frame: Frame, rng: Generator) -> Image:
    """Put on a hat or a scarf that hides the hair and some of the forehead."""
    low, bow = rng.uniform(0.0, 0.2), rng.uniform(-0.08, 0.08)
    edge = [(x, low + bow * (1 - ((x - 0.5) / 0.5) ** 2)) for x in np.linspace(-0.3, 1.3, 17)]
    outline = [(-0.3, -1.0), *edge, (1.3, -1.0)]
    color = rng.uniform(10, 245, 3) if rng.random() < 0.6 else rng.uniform(10, 90) + rng.uniform(0, 20, 3)
    material = cloth(crop, color, rng)
    crop = painted(crop, polygon(crop, placed(frame, outline)), material)
    if rng.random() < 0.5:  # a brim, and its shadow
        brim = strokes(crop, [placed(frame, edge)], rng.uniform(0.02, 0.08) * unit_px(frame))
        crop = painted(crop, brim, material * np.float32(rng.uniform(0.5, 1.1)))
    return crop


def skin(crop: Image, frame: Frame) -> NDArray[np.float64]:
    """Median colour of the cheeks."""
    spots = placed(frame, [(0.32, 0.55), (0.68, 0.55), (0.5, 0.45)])
    x, y = np.clip(np.rint(spots).astype(int), 0, crop.shape[0] - 1).T
    return np.median(crop[y, x].astype(np.float64), axis=0)


def hand(crop: Image, frame: Frame, rng: Generator) -> Image:
    """Hold a hand, in the face's own colour, in front of part of the face."""
    color = skin(crop, frame) * rng.uniform(0.75, 1.15) + rng.normal(0, 5, 3)
    goal = np.array([rng.uniform(0.25, 0.75), rng.uniform(0.5, 0.95)])
    angle = rng.uniform(-0.2, np.pi + 0.2)  # from below or from a side
    way = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-way[1], way[0]])
    count, width = int(rng.integers(1, 5)), rng.uniform(0.06, 0.11)
    palm = goal + way * rng.uniform(0.3, 0.45)
    for finger in range(count):
        shift = across * (finger - (count - 1) / 2) * width
        tip = goal + shift * rng.uniform(1.0, 1.4) + way * rng.uniform(-0.05, 0.05)
        cover = strokes(crop, [placed(frame, [tip, palm + shift])], width * unit_px(frame))
        edge = strokes(crop, [placed(frame, [tip, palm + shift])], (width + 0.02) * unit_px(frame))
        crop = painted(crop, edge * 0.5, color * 0.6)
        crop = painted(crop, cover, cloth(crop, color, rng))
    end = palm + way * 0.6
    return painted(
        crop,
        strokes(crop, [placed(frame, [palm, end])], count * width * unit_px(frame)),
        cloth(crop, color, rng),
    )


def fringe(crop: Image, frame: Frame, rng: Generator) -> Image:
    """Let hair hang over the forehead, or over an eye."""
    color = rng.uniform(5, 110) * np.array([1.0, rng.uniform(0.75, 1), rng.uniform(0.5, 1)])
    first, last = np.sort(rng.uniform(0.05, 0.95, 2))
    slant, low = rng.normal(0, 0.12), rng.uniform(0.1, 0.32)
    starts = np.linspace(first, last, int(rng.integers(6, 24)))
    lines = [
        placed(frame, [(x, -0.3), (x + slant / 2, low / 2), (x + slant, low + rng.normal(0, 0.04))])
        for x in starts
    ]
    cover = strokes(crop, lines, rng.uniform(0.02, 0.06) * unit_px(frame))
    return painted(crop, cover * np.float32(rng.uniform(0.7, 1)), cloth(crop, color, rng))


def shut_eyes(crop: Image, frame: Frame, rng: Generator) -> Image:
    """Squint or shut the eyes: squeeze what is between the lids, and move lids and brows after it."""
    inverse = np.linalg.inv(np.vstack([frame, (0, 0, 1)]))[:2]
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]].astype(np.float64)
    x, y = (inverse[k, 0] * columns + inverse[k, 1] * rows + inverse[k, 2] for k in (0, 1))
    shift, squeeze = np.zeros_like(y), rng.uniform(0.5, 0.97)
    for eye_x, eye_y in EYES:
        reach = ((x - eye_x) / 0.16) ** 2 + ((y - eye_y) / 0.12) ** 2
        shift += (y - eye_y) * squeeze / (1 - squeeze + 0.12) * np.exp(-6 * reach)
    from_x, from_y = (columns + frame[k, 1] * shift for k in (0, 1))
    from_y += rows - columns
    maps = from_x.astype(np.float32), from_y.astype(np.float32)
    warped = cv2.remap(crop, *maps, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


WAYS: dict[Callable[[Image, Frame, Generator], Image], float] = {
    mask: 0.06,
    sunglasses: 0.06,
    spectacles: 0.02,
    hat: 0.04,
    hand: 0.03,
    fringe: 0.02,
    shut_eyes: 0.05,
}
"""Relative frequency of each in training."""


def occluded(crop: Image, landmarks: ArrayLike, rng: Generator) -> Image:
    """Draw one of them, now and then, over a face with these landmarks, in pixels of the crop."""
    draw = rng.random()
    for way, share in WAYS.items():
        if draw < share:
            return way(crop, frame_of(landmarks), rng)
        draw -= share
    return crop
