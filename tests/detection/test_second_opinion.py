"""The second opinion: asked about unsure faces alone, it keeps those that are faces, however they lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agegender.detection.orientation import turned, turned_face
from agegender.detection.second_opinion import SURE, SecondOpinion
from agegender.imaging.io import decode
from agegender.types import Box, Face

ROOT = Path(__file__).parents[2]
FACE = Face(Box(177.4, 123.4, 355.7, 335.7), 0.75)


@pytest.fixture(scope="module")
def second() -> SecondOpinion:
    return SecondOpinion(ROOT / "models" / "refinement.onnx")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_face_stays_whichever_way_it_lies(second: SecondOpinion, degrees: int) -> None:
    image = decode(ROOT / "samples" / "grace_hopper.jpg")
    face = turned_face(FACE, degrees, image.shape[1], image.shape[0])
    assert second.confirmed(turned(image, degrees), [face]) == (face,)


def test_what_is_no_face_goes_unless_the_detector_is_sure(second: SecondOpinion) -> None:
    y, x = np.mgrid[:300, :300]
    fence = np.stack([128 + 90 * np.sign(np.sin(x / 9)), 120 + 0 * x, 90 + y / 4], axis=2).astype(np.uint8)
    unsure, sure = Face(Box(80, 80, 200, 220), 0.8), Face(Box(60, 60, 180, 200), SURE)
    assert second.confirmed(fence, [sure, unsure]) == (sure,)


def test_nobody_is_asked_about_nothing(second: SecondOpinion) -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    assert second.confirmed(image, []) == ()
    assert second.confirmed(image, [replace(FACE, score=0.99)]) == (replace(FACE, score=0.99),)
