"""What the pipeline makes of one face, step by step, as pictures; and what two filters see in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from agegender.drawing.annotate import draw_box
from agegender.drawing.palette import NEUTRAL
from agegender.estimation.alignment import align
from agegender.imaging.io import encode_jpeg, encode_png
from agegender.types import Face, Image

CROP_PX = 112
"""The side of the crops that the bundled net takes."""

# Sobel's filter for edges that run from top to bottom; turned, for those that run across.
SOBEL = np.array([(-1, 0, 1), (-2, 0, 2), (-1, 0, 1)], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Steps:
    """What the pipeline makes of one face: the picture, box and landmarks on it, the crop for the net.

    And what two filters make of the crop: edges that run down and edges that run across. All are files,
    PNG where every pixel of the crop counts and JPEG elsewhere.
    """

    seen: bytes
    found: bytes
    aligned: bytes
    edges: tuple[bytes, bytes]


def picture_steps(image: Image, face: Face) -> Steps:
    """Return the steps as pictures, of an RGB image and a face that was found in it."""
    crop = align(image, face, CROP_PX)
    edges = encode_png(filtered(crop, SOBEL)), encode_png(filtered(crop, SOBEL.T.copy()))
    return Steps(encode_jpeg(image), encode_jpeg(with_landmarks(image, face)), encode_png(crop), edges)


def with_landmarks(image: Image, face: Face) -> Image:
    """Return a copy of the RGB image with the face's box and, where it has some, its landmarks."""
    drawn = np.array(image, order="C")
    draw_box(drawn, face.box, NEUTRAL, text_px=face.box.width / 3)  # thick, as the picture is shown small
    radius_px = max(2, round(face.box.width / 20))
    for x, y in face.landmarks:
        cv2.circle(drawn, (round(x), round(y)), radius_px + 1, (0, 0, 0), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(drawn, (round(x), round(y)), radius_px, NEUTRAL, cv2.FILLED, cv2.LINE_AA)
    return drawn


def filtered(crop: Image, kernel: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Image:
    """Return how strongly each place of an RGB crop answers to a small filter: white is most, black none."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    answer = np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))
    scaled = np.minimum(255, answer * (255 / max(1.0, float(np.percentile(answer, 99)))))
    return np.repeat(scaled.astype(np.uint8)[:, :, None], 3, axis=2)
