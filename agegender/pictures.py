"""From the file of a picture to what is read from it, with no more decoded than that takes."""

from __future__ import annotations

from pathlib import Path

from agegender.analyzer import Analyzer
from agegender.imaging.io import decode, decode_at_least, read
from agegender.types import Analysis, Image

LOOK_PX = 1280
"""The long side of a picture that is enough to find faces: no detector looks closer."""

SHARP_PX = 128
"""The sides of a face that fills what is cut out of it: 126 pixels for the 227 of Levi and Hassner, 105
for the 112 of the bundled net, 100 for a card. Of a larger one less than all is used."""


def analyzed(source: bytes | Path, analyzer: Analyzer) -> tuple[Image, Analysis]:
    """Return the RGB picture, maybe smaller than in its file, and its analysis in the file's own pixels.

    A large JPEG is decoded at half its size or less while all its faces are sharp so, and whole where one is
    not. Raises `ImageError` as `images.decode` does.
    """
    data = source if isinstance(source, bytes) else read(source)
    image, whole_wh = decode_at_least(data, LOOK_PX)
    if image.shape[1] == whole_wh[0]:
        return image, analyzer(image)
    faces = analyzer.detector.detect(image)
    if any(min(face.box.width, face.box.height) < SHARP_PX for face in faces):
        larger = whole_wh[0] / image.shape[1]
        faces = tuple(face.moved(larger, larger) for face in faces)
        image = decode(data)
    return image, analyzer(image, faces).resized(*whole_wh)
