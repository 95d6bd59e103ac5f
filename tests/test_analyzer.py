"""The pipeline as a whole: identical results from many threads, in order, and what `auto` means."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from stubs import Stub

from agegender.analyzer import Analyzer, build_analyzer
from agegender.errors import ModelError
from agegender.imaging.io import decode
from agegender.types import Age, Box, Gender, Image

SAMPLES = Path(__file__).parents[1] / "samples"
BOXES = (Box(300, 10, 350, 60), Box(20, 90, 70, 129), Box(20, 10, 70, 60))


def pictures() -> list[Image]:
    """The samples at several sizes, each different from the others."""
    found = [decode(SAMPLES / name) for name in ("astronaut.png", "grace_hopper.jpg")]
    scaled = [cv2.resize(image, None, fx=part, fy=part) for image in found for part in (0.5, 0.73, 1.4)]
    return [*found, *(np.asarray(image, np.uint8) for image in scaled)]


def compare_threads(detector: str) -> None:
    analyze = build_analyzer(detector)
    alone = [analyze(picture).readings for picture in pictures()]
    assert all(alone), "each of them shows a face"
    order = [index for turn in range(4) for index in np.roll(np.arange(len(alone)), turn)]
    shown = pictures()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda index: analyze(shown[index]).readings, order))
    assert together == [alone[index] for index in order]


def test_eight_threads_get_bit_for_bit_what_one_gets_without_a_network() -> None:
    compare_threads("bundled")


@pytest.mark.usefixtures("mirror")
def test_eight_threads_get_bit_for_bit_what_one_gets_with_yunet() -> None:
    compare_threads("yunet")


def test_readings_come_from_left_to_right_each_with_its_own_estimate() -> None:
    stub = Stub(*BOXES, says=lambda face: (Age((1.0,) + (0.0,) * 7, face.box.left, 0, 99), Gender(0.5)))
    analysis = Analyzer(stub, stub)(np.zeros((200, 400, 3), np.uint8))
    assert (analysis.width_px, analysis.height_px) == (400, 200)
    assert [reading.face.box for reading in analysis.readings] == [BOXES[2], BOXES[1], BOXES[0]]
    assert [reading.age.years for reading in analysis.readings] == [20, 20, 300]
    assert all("dark" in reading.warnings for reading in analysis.readings)  # the picture is black


def test_a_picture_without_faces_is_no_error() -> None:
    assert build_analyzer("bundled")(np.full((120, 160, 3), 90, np.uint8)).readings == ()


@pytest.mark.usefixtures("mirror")
def test_auto_takes_yunet_where_it_can_be_had() -> None:
    analyze = build_analyzer()
    assert analyze.detector.name == "yunet_n_dynamic"
    assert analyze.notes == ()


def test_auto_takes_the_bundled_one_where_yunet_cannot_be_had_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agegender.models.store.fetch", refusing_yunet)
    analyze = build_analyzer()
    assert analyze.detector.name == "faces"
    assert "built-in face detector" in analyze.notes[0] and "no network here" in analyze.notes[0]


def refusing_yunet(model: object, _progress: object) -> dict[str, Path]:
    if getattr(model, "name", "") == "yunet":
        raise ModelError("There is no network here.")
    names = ("apparent.onnx", "faces.onnx", "refinement.onnx")
    return {name: SAMPLES.parent / "models" / name for name in names}


@pytest.mark.parametrize(("detector", "estimator"), [("nobody", "apparent"), ("bundled", "nobody")])
def test_an_unknown_name_is_told_with_those_there_are(detector: str, estimator: str) -> None:
    with pytest.raises(ModelError, match=r"'nobody'.*There are: "):
        build_analyzer(detector, estimator)
