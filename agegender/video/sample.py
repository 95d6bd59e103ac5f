"""A short sample video made of the sample pictures: a pan from one portrait to the other."""

from __future__ import annotations

import io
import math

import av
import cv2
import numpy as np

from agegender.imaging.io import decode
from agegender.places import SAMPLES
from agegender.types import Image

WIDTH_PX, HEIGHT_PX = 640, 480
FRAMES, FRAMES_PER_S = 150, 25


def sample_clip() -> bytes:
    """Render a silent MP4 of six seconds in which the camera pans over two people."""
    strip = np.hstack([_portrait("astronaut.png"), _portrait("john_glenn.jpg")])
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream(
            "libx264", rate=FRAMES_PER_S, options={"crf": "20", "preset": "veryfast"}
        )
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for i in range(FRAMES):
            part = (1 - math.cos(math.pi * i / (FRAMES - 1))) / 2  # slow at both ends
            left = part * (strip.shape[1] - WIDTH_PX)
            shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, 0.0]])
            picture: Image = cv2.warpAffine(strip, shift, (WIDTH_PX, HEIGHT_PX))  # type: ignore[assignment]
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
    return file.getvalue()


def _portrait(name: str) -> Image:
    image = decode(SAMPLES / name)
    width_px = round(image.shape[1] * HEIGHT_PX / image.shape[0])
    return cv2.resize(image, (width_px, HEIGHT_PX), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
