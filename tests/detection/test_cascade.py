"""The second stage: where it looks, what it mends, and that a crowd is read as each of its people is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.detection import cascade
from agegender.detection.cascade import CascadeDetector, first_stage
from agegender.detection.yunet import YuNet
from agegender.imaging.geometry import margin_crop, margin_square
from agegender.imaging.io import decode
from agegender.types import Box, Detector

ROOT = Path(__file__).parents[2]
FILES = {name: ROOT / "models" / name for name in ("faces.onnx", "refinement.onnx")}
SIDE_PX = 64


@pytest.fixture(scope="session")
def bundled() -> CascadeDetector:
    return cascade.bundled(FILES)


spot = st.floats(60, 140)
length = st.floats(16, 80)


@given(spot, spot, length, length, st.sampled_from([0.3, 0.5]))
def test_the_square_around_a_box_is_what_is_cut_out(
    x: float, y: float, width: float, height: float, margin: float
) -> None:
    """On a picture whose colours are its coordinates, the middle pixels tell where they come from."""
    ramp = np.arange(200, dtype=np.uint8)
    picture = np.stack([*np.meshgrid(ramp, ramp), np.zeros((200, 200), np.uint8)], axis=2)
    box = Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    crop = margin_crop(picture, box, margin, SIDE_PX)
    left, top, side = margin_square(box, margin)
    place = 20
    expected = np.array((left, top)) + (place + 0.5) * side / SIDE_PX - 0.5
    assert crop[place, place, :2] == pytest.approx(expected, abs=1.6)


def test_landmarks_come_nearer_to_yunets(bundled: CascadeDetector, mirror: Path, photos: Path) -> None:
    images = [decode(path) for path in sorted(photos.glob("*.jpg"))]
    yunet = YuNet(mirror / "yunet_n_dynamic.onnx")
    truths = [yunet.detect(image) for image in images]

    def apart(detector: Detector) -> float:
        found, all_of_them = [], 0
        for image, truth in zip(images, truths, strict=True):
            faces = detector.detect(image)
            pairs = [(max(faces, key=lambda face: face.box.iou(true.box)), true) for true in truth if faces]
            found += [(face, true) for face, true in pairs if face.box.iou(true.box) > 0.4]
            all_of_them += len(truth)
        assert len(found) >= 0.8 * all_of_them
        points = np.array([(face.landmarks, true.landmarks) for face, true in found])
        eyes = np.linalg.norm(points[:, 1, 0] - points[:, 1, 1], axis=1)
        return float(np.median(np.linalg.norm(points[:, 0] - points[:, 1], axis=2).mean(axis=1) / eyes))

    assert apart(bundled) < 0.8 * apart(first_stage(FILES["faces.onnx"]))


def test_what_only_the_first_stage_takes_for_a_face_is_dropped(
    bundled: CascadeDetector, photos: Path
) -> None:
    image = decode(photos / "group-4.jpg")
    first = first_stage(FILES["faces.onnx"]).detect(image)
    second = bundled.detect(image)
    assert len(second) < len(first)
    assert all(face.score >= bundled.score for face in second)


def test_a_crowd_is_read_a_part_at_a_time_and_comes_out_the_same(
    bundled: CascadeDetector, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = decode(photos / "group-1.jpg")
    together = bundled.detect(image)
    monkeypatch.setattr(cascade, "BATCH", 3)
    apart = bundled.detect(image)
    assert len(together) == len(apart) > 3
    for one, other in zip(together, apart, strict=True):
        assert one.box.iou(other.box) > 0.999
        assert one.score == pytest.approx(other.score, abs=1e-4)
