"""Large JPEG files: decoded at reduced size if nothing is lost, with results in their own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from agegender.analyzer import Analyzer, analyze_file
from agegender.estimation.age import from_ranges
from agegender.imaging.io import decode
from agegender.types import Box, Estimate, Face, Gender, Image

WHOLE_WH = (4000, 3000)


class Spot:
    """Detects the one bright rectangle in a picture."""

    name = "spot"

    def detect(self, image: Image) -> tuple[Face, ...]:
        rows, columns = np.nonzero(image[:, :, 0] > 128)
        box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return (Face(box, 0.9, ((box.left, box.top),) * 5),)


class Noting:
    """Records the sizes of the pictures it is given, and their faces."""

    name = "noting"

    def __init__(self) -> None:
        self.seen: list[tuple[tuple[int, ...], Box]] = []

    def estimate(self, image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        self.seen += [(image.shape, face.box) for face in faces]
        return tuple((from_ranges(np.full(8, 0.125)), Gender(0.9)) for _ in faces)


def jpeg_with(box: Box, orientation: int = 1) -> bytes:
    picture = PIL.Image.new("L", WHOLE_WH)
    picture.paste(255, (int(box.left), int(box.top), int(box.right), int(box.bottom)))
    exif = PIL.Image.Exif()
    exif[274] = orientation
    file = BytesIO()
    picture.save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize(("side_px", "shape"), [(800, (1500, 2000, 3)), (80, (3000, 4000, 3))])
def test_a_large_jpeg_is_decoded_whole_only_for_small_faces(side_px: int, shape: tuple[int, ...]) -> None:
    box = Box(1000, 1400, 1000 + side_px, 1400 + side_px)
    estimator = Noting()
    image, analysis = analyze_file(jpeg_with(box), Analyzer(Spot(), estimator))
    assert image.shape == estimator.seen[0][0] == shape
    assert (analysis.width_px, analysis.height_px) == WHOLE_WH
    (reading,) = analysis.readings
    assert reading.face.box.iou(box) > 0.9
    assert reading.face.landmarks[0] == pytest.approx((1000, 1400), abs=4)
    scale = shape[1] / WHOLE_WH[0]
    assert estimator.seen[0][1].left == pytest.approx(1000 * scale, abs=4)


def test_a_picture_on_its_side_is_told_of_upright() -> None:
    data = jpeg_with(Box(0, 0, 1600, 1000), orientation=6)  # a quarter turn clockwise makes it upright
    image, analysis = analyze_file(data, Analyzer(Spot(), Noting()))
    assert image.shape == (2000, 1500, 3)
    assert (analysis.width_px, analysis.height_px) == (3000, 4000)
    assert analysis.readings[0].face.box.iou(Box(2000, 0, 3000, 1600)) > 0.95


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_others_come_as_they_are(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    PIL.Image.new("RGB", (2000, 900), "white").save(path, kind)
    image, analysis = analyze_file(path, Analyzer(Spot(), Noting()))
    assert image.shape == (900, 2000, 3)
    assert analysis.readings[0].face.box == Box(0, 0, 2000, 900)
    assert np.array_equal(image, decode(path))


def test_the_same_faces_are_found_and_read_in_a_large_copy(photos: Path) -> None:
    from agegender.analyzer import build_analyzer

    analyze = build_analyzer("yunet")
    file = BytesIO()
    with PIL.Image.open(photos / "person-vlado.jpg") as picture:
        picture.resize((4096, 3072), PIL.Image.Resampling.BICUBIC).save(file, "JPEG", quality=92)
    expected = analyze(decode(file.getvalue()))
    image, analysis = analyze_file(file.getvalue(), analyze)
    assert image.shape == (1536, 2048, 3)
    for reading, other in zip(analysis.readings, expected.readings, strict=True):
        assert reading.face.box.iou(other.face.box) > 0.9
        assert reading.age.years == pytest.approx(other.age.years, abs=2)
        assert reading.gender.label == other.gender.label
