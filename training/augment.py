"""Degrade training crops in the ways that real pictures are degraded."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from agegender.estimation.alignment import face_matrix
from agegender.imaging.geometry import warp
from agegender.types import Box, Face, Image
from training.occlusions import occluded


def jittered_face(landmarks: np.ndarray, box: np.ndarray, rng: Generator) -> Face:
    """The face with noise on its landmarks or, one time in eight, with a noisy box alone."""
    size = float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))
    if rng.random() < 0.125:
        return Face(Box(*(box + rng.normal(0, 0.04 * size, 4))), 1.0)
    noisy = landmarks + rng.normal(0, 0.012 * size, landmarks.shape)
    return Face(Box(*box), 1.0, tuple(map(tuple, noisy)))


def jittered_matrix(face: Face, size_px: int, rng: Generator) -> np.ndarray:
    """The face's alignment, randomly rotated, scaled, shifted and mirrored."""
    matrix = face_matrix(face)
    angle = np.deg2rad(rng.uniform(-25, 25) if rng.random() < 0.15 else rng.normal(0, 5))
    turn = np.exp(rng.normal(0, 0.07)) * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    matrix[:, 2] -= 0.5
    matrix = turn @ matrix
    matrix[:, 2] += 0.5 + rng.normal(0, 0.03, 2)
    if rng.random() < 0.5:
        matrix[0] *= -1
        matrix[0, 2] += 1
    matrix *= size_px
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return matrix


def recolor(crop: Image, rng: Generator) -> Image:
    """Relight the crop: saturation, white balance, contrast, brightness, gamma, a lamp."""
    grey = np.tile([0.299, 0.587, 0.114], (3, 1))
    saturation = 0.0 if rng.random() < 0.15 else rng.uniform(0.5, 1.5)
    mixing = grey + saturation * (np.eye(3) - grey)
    if saturation:
        mixing *= np.exp(rng.normal(0, 0.08, (3, 1)))
    crop = cv2.transform(crop, mixing)  # type: ignore[assignment]
    mean, values = crop[::8, ::8].mean(), np.arange(256, dtype=np.float64)
    values = mean + (values - mean) * np.exp(rng.normal(0, 0.2)) + rng.normal(0, 12)
    if rng.random() < 0.5:
        values = 255 * np.clip(values / 255, 0, 1) ** np.exp(rng.normal(0, 0.3))
    crop = cv2.LUT(crop, np.clip(values, 0, 255).astype(np.uint8))  # type: ignore[assignment]
    if rng.random() < 0.15:
        strength = rng.uniform(20, 70) * rng.choice([-1, 1])
        axis = 0 if rng.random() < 0.5 else 1
        ramp = strength * np.linspace(-1, 1, crop.shape[axis])
        light = np.broadcast_to(np.expand_dims(ramp, (1 - axis, 2)), crop.shape)
        crop = cv2.add(crop, light.astype(np.int16), dtype=cv2.CV_8U)  # type: ignore[assignment]
    return crop


def expose(crop: Image, rng: Generator) -> Image:
    """Severely over- or underexpose the crop, one time in six."""
    draw = rng.random()
    if draw > 1 / 6:
        return crop
    values = np.arange(256) / 255
    if draw < 1 / 12:
        gain = rng.uniform(1.3, 2.6) if rng.random() < 0.5 else rng.uniform(1.5, 5)
        values = values * gain + rng.uniform(0, 0.2) if gain < 1.5 else (values**2.2 * gain) ** (1 / 2.2)
    else:
        values = values * rng.uniform(0.18, 0.6)
    crop = np.asarray(cv2.LUT(crop, np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)), np.uint8)
    if draw > 1 / 8:
        crop = noisy(crop, rng, rng.uniform(0.5, 5))
    return crop


def noisy(image: Image, rng: Generator, deviation: float) -> Image:
    """Add sensor noise to the picture."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(deviation)
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


def compressed(image: Image, quality: int) -> Image:
    """Round-trip the picture through JPEG at this quality."""
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(content, cv2.IMREAD_COLOR)  # type: ignore[return-value]


def degrade(crop: Image, rng: Generator) -> Image:
    """Degrade the crop as a poorer camera would: smaller, blurred, noisy or compressed."""
    side = crop.shape[0]
    if rng.random() < 0.25:
        small = int(rng.uniform(0.2, 0.8) * side)
        crop = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        crop = cv2.resize(crop, (side, side), interpolation=rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))  # type: ignore[assignment]
    if rng.random() < 0.1:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 2.0))  # type: ignore[assignment]
    if rng.random() < 0.1:
        crop = noisy(crop, rng, rng.uniform(3, 18))
    if rng.random() < 0.2:
        crop = compressed(crop, int(rng.uniform(8, 85)))
    return crop


def erase(crop: Image, rng: Generator) -> Image:
    """Cover part of the crop with a rectangle of noise or a plain colour, one time in four."""
    if rng.random() < 0.25:
        side = crop.shape[0]
        width, height = (int(side * rng.uniform(0.12, 0.5)) for _ in range(2))
        left, top = int(rng.uniform(0, side - width)), int(rng.uniform(0, side - height))
        color = rng.integers(0, 256, (height, width, 3) if rng.random() < 0.3 else 3)
        crop[top : top + height, left : left + width] = color
    return crop


def training_crop(
    picture: Image, landmarks: np.ndarray, box: np.ndarray, size_px: int, rng: Generator, mild: bool = False
) -> Image:
    """Cut a (size_px, size_px, 3) crop from a training picture and degrade it at random.

    `mild` exempts half of the crops from everything but the shift.
    """
    matrix = jittered_matrix(jittered_face(landmarks, box, rng), size_px, rng)
    crop = warp(picture, matrix, size_px)
    if mild and rng.random() < 0.5:
        return crop
    crop = occluded(crop, landmarks @ matrix[:, :2].T + matrix[:, 2], rng)
    return erase(degrade(expose(recolor(crop, rng), rng), rng), rng)
