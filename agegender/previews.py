"""What is kept of an analysed picture so that it can be shown again: small pictures, not the large one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import PIL.Image

from agegender.alignment import margin_crop
from agegender.drawing import annotate
from agegender.images import decode, encode_jpeg
from agegender.types import Analysis, Box, Image

LARGEST_PX = (1280, 960)
"""The most that a preview is wide and high: sharp on any screen, and a few hundred kilobytes."""

CROP_PX = 160
CROP_MARGIN = 0.3


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture as it was analysed: `analysis` in the pixels of the picture, the rest as JPEG files.

    `picture` is the whole of it, no larger than `LARGEST_PX`, and `crops` its faces, one a reading.
    """

    analysis: Analysis
    picture: bytes
    crops: tuple[bytes, ...]


def make_preview(image: Image, analysis: Analysis) -> Preview:
    """Return what to keep of an RGB image and its analysis."""
    boxes = [reading.face.box for reading in analysis.readings]
    crops = tuple(encode_jpeg(margin_crop(image, box, CROP_MARGIN, CROP_PX)) for box in boxes)
    small = PIL.Image.fromarray(image)
    small.thumbnail(LARGEST_PX, reducing_gap=2.0)
    return Preview(analysis, encode_jpeg(np.array(small), quality=95), crops)


def annotated_preview(preview: Preview) -> bytes:
    """Return the preview with boxes and labels, as a JPEG file."""
    picture = decode(preview.picture)
    return encode_jpeg(_annotate(picture, resized(preview.analysis, picture.shape[1], picture.shape[0])))


def annotated_original(data: bytes, analysis: Analysis) -> bytes:
    """Return the picture in its own size with boxes and labels, as a JPEG file without metadata."""
    return encode_jpeg(_annotate(decode(data), analysis))


def resized(analysis: Analysis, width_px: int, height_px: int) -> Analysis:
    """Return the analysis in the pixels of the same picture made `width_px` by `height_px`; no landmarks."""
    x, y = width_px / analysis.width_px, height_px / analysis.height_px
    readings = []
    for reading in analysis.readings:
        box = reading.face.box
        box = Box(box.left * x, box.top * y, box.right * x, box.bottom * y)
        readings.append(replace(reading, face=replace(reading.face, box=box, landmarks=())))
    return replace(analysis, width_px=width_px, height_px=height_px, readings=tuple(readings))


def _annotate(image: Image, analysis: Analysis) -> Image:
    return annotate(image, analysis, numbers=len(analysis.readings) > 1)
