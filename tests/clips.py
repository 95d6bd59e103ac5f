"""A clip with known ground truth: a camera passes over two portraits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from agegender.imaging.io import decode
from agegender.types import Box, Image

FPS = 15
SECONDS = 14.0
GUEST_S = (4.0, 9.0)  # when the second person is present, sliding in and out
SIZE_WH = (640, 480)


class Frame(NamedTuple):
    time_s: float
    image: Image
    truth: dict[str, Box]  # the faces entirely in view


PORTRAITS = {
    name: decode(Path(__file__).parents[1] / "samples" / file)
    for name, file in (("Collins", "astronaut.png"), ("Hopper", "grace_hopper.jpg"))
}
FACES = {"Collins": Box(178, 65, 269, 176), "Hopper": Box(177, 123, 356, 336)}  # measured by eye
GUEST_SCALE = 0.55


def clip(seconds: float = SECONDS, noise: float = 8.0) -> Iterator[Frame]:
    """Yield frames with a pan, a zoom, changing light, noise, and a guest who comes and goes."""
    grain = np.random.default_rng(7).normal(0, noise, (480, 640, 3)).astype(np.float32)
    for i in range(round(seconds * FPS)):
        time_s = i / FPS
        pan = 60 * math.sin(2 * math.pi * time_s / 5), 15 * math.cos(2 * math.pi * time_s / 3.1)
        zoom = 1.0 + 0.2 * math.sin(2 * math.pi * time_s / 7)
        image, truth = compose(zoom, pan, guest_at(time_s))
        light = 1.0 + 0.35 * math.sin(2 * math.pi * time_s / 4.3)
        noisy = image * np.float32(light) + np.roll(grain, 37 * i, axis=(0, 1))
        yield Frame(time_s, noisy.clip(0, 255).astype(np.uint8), truth)


def guest_at(time_s: float) -> float | None:
    """How far the guest has come in from the right, 0 to 1; None when away."""
    start_s, end_s = GUEST_S
    if not start_s <= time_s <= end_s:
        return None
    return min(1.0, time_s - start_s, end_s - time_s)


def compose(zoom: float, pan: tuple[float, float], guest: float | None) -> tuple[Image, dict[str, Box]]:
    """A frame, and the boxes of the faces in it."""
    width = SIZE_WH[0]
    matrix = np.array([[zoom, 0, 20 + pan[0]], [0, zoom, 20 + pan[1]]])
    warped = cv2.warpAffine(PORTRAITS["Collins"], matrix, SIZE_WH, borderMode=cv2.BORDER_REPLICATE)
    image = np.asarray(warped, np.uint8)
    truth = {"Collins": moved(FACES["Collins"], zoom, 20 + pan[0], 20 + pan[1])}
    if guest is not None:
        cut = PORTRAITS["Hopper"][80:420, 100:450]
        small = cv2.resize(cut, None, fx=GUEST_SCALE, fy=GUEST_SCALE, interpolation=cv2.INTER_AREA)
        left, top = width - round(guest * small.shape[1]), 180
        image[top : top + small.shape[0], left:] = small[:, : width - left]
        box = moved(FACES["Hopper"], GUEST_SCALE, left - 100 * GUEST_SCALE, top - 80 * GUEST_SCALE)
        if box.right <= width:
            truth["Hopper"] = box
    return image, truth


def moved(box: Box, scale: float, right: float, down: float) -> Box:
    return Box(
        box.left * scale + right, box.top * scale + down, box.right * scale + right, box.bottom * scale + down
    )


def face_on(width: int, height: int, face_px: int, name: str = "Collins") -> Image:
    """A picture of the given size with one face about `face_px` wide in its middle."""
    face = FACES[name]
    scale = face_px / face.width
    x, y = face.center
    matrix = np.array([[scale, 0, width / 2 - scale * x], [0, scale, height / 2 - scale * y]])
    borders = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(PORTRAITS[name], matrix, (width, height), borderMode=borders), np.uint8)


def write_mjpeg(path: Path, pictures: Iterable[Image]) -> None:
    """Write pictures as a Motion-JPEG file, which Chromium plays as a camera at 30 frames per second."""
    with av.open(path, "w", format="mjpeg") as file:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = file.add_stream("mjpeg", rate=30, options={"qmin": "3", "qmax": "5"})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuvj420p"
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        if stream is not None:
            file.mux(stream.encode())


def clip_of_one(frames: int = 60) -> Iterator[Image]:
    """Yield a loop of a single, slightly moving face in the middle."""
    width, height = SIZE_WH
    still = face_on(width + 40, height + 40, 110)
    for i in range(frames):
        turn = 2 * math.pi * i / frames
        left, top = round(20 + 10 * math.cos(turn)), round(20 + 10 * math.sin(turn))
        yield np.ascontiguousarray(still[top : top + height, left : left + width])
