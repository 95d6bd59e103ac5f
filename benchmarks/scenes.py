"""The pictures to measure on: real photographs if available, otherwise composed of samples."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from agegender.imaging.io import decode
from agegender.types import Image

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "astronaut.png"
FACE_XYXY = (120, 5, 330, 245)  # head and collar in the sample
PHOTOGRAPHS = {
    1: ("person-vlado.jpg", "stock-teen-3.jpg"),
    6: ("group-4.jpg",),
    15: ("group-1.jpg", "stock-group-1.jpg"),
    29: ("solvay1927.jpg",),
}
"""Photographs in the optional data by number of faces; CONTRIBUTING.md says where these are looked for."""


def photographs() -> dict[str, tuple[int, bytes]]:
    """Files with 1, 6, 15 and 29 faces by name, each with that number: real ones or composed ones."""
    folder = Path(os.environ.get("AGEGENDER_SHARED") or ROOT.parent / "shared") / "photos"
    real = [(faces, folder / name) for faces, names in PHOTOGRAPHS.items() for name in names]
    if all(path.is_file() for _, path in real):
        return {path.name: (faces, path.read_bytes()) for faces, path in real}
    return {f"{faces} × the sample": (faces, jpeg(tiled(1920, 1440, faces))) for faces in PHOTOGRAPHS}


def tiled(width_px: int, height_px: int, faces: int) -> Image:
    """An RGB picture with the given number of copies of the sample's head, none enlarged."""
    left, top, right, bottom = FACE_XYXY
    head = decode(SAMPLE)[top:bottom, left:right]
    columns = 1 if faces == 1 else max(3, round((1.8 * faces) ** 0.5))
    rows = -(-faces // columns)
    scale = 0.9 * min(width_px / columns / head.shape[1], height_px / rows / head.shape[0], 1.0)
    small = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full((height_px, width_px, 3), 128, np.uint8)
    for i in range(faces):
        x = round((i % columns + 0.5) * width_px / columns - small.shape[1] / 2)
        y = round((i // columns + 0.5) * height_px / rows - small.shape[0] / 2)
        picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    return picture


def enlarged(data: bytes, megapixels: float) -> bytes:
    """Enlarge the picture to a JPEG of that many megapixels, with grain, as large a file as a camera's."""
    image = decode(data)
    scale = (megapixels * 1e6 / (image.shape[0] * image.shape[1])) ** 0.5
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    large = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=how))
    grain = np.empty(large.shape[:2], np.int16)
    cv2.randn(grain, 0, 4)  # type: ignore[call-overload]  # accepts numbers, whatever its stub says
    return jpeg(np.clip(large + grain[:, :, None], 0, 255).astype(np.uint8))


def jpeg(image: Image) -> bytes:
    """Encode the image as cameras do: quality 92, chroma at half the resolution, no profile."""
    file = BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=92, subsampling="4:2:0")
    return file.getvalue()
