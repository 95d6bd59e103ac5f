"""Warnings: each is given for the faces that deserve it, and only for those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from agegender.analyzer import Analyzer
from agegender.estimation.quality import (
    LEAST_FRONTALITY,
    LEAST_INSIDE,
    LEAST_PX,
    WORDS,
    inside,
    measure,
    sentence,
    warnings_of,
)
from agegender.evaluation.datasets import open_dataset
from agegender.evaluation.run import evaluate
from agegender.imaging.io import decode, encode_png
from agegender.tracking.fusion import Evidence, Shown, add_view, show
from agegender.types import WARNINGS, Age, Box, Estimate, Face, Gender, Image
from training import robustness

SAMPLES = Path(__file__).parents[2] / "samples"
# Eyes, nose and corners of the mouth in the portrait, measured by eye.
FACE = Face(Box(180, 62, 268, 178), 0.9, ((206, 108), (245, 106), (226, 130), (211, 150), (243, 149)))
PROFILE = Face(FACE.box, 0.9, ((206, 108), (245, 106), (247, 130), (240, 150), (246, 149)))


@pytest.fixture(scope="module")
def portrait() -> Image:
    return decode(SAMPLES / "astronaut.png")


def smaller(image: Image, part: float) -> tuple[Image, Face]:
    small = cv2.resize(image, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), FACE.moved(part, part)


def test_a_face_that_is_seen_well_has_no_warning(portrait: Image) -> None:
    assert warnings_of(portrait, FACE) == ()
    assert warnings_of(*smaller(portrait, 1.1 * LEAST_PX / FACE.box.height)) == ()


def test_small(portrait: Image) -> None:
    assert "small" in warnings_of(*smaller(portrait, 0.9 * LEAST_PX / FACE.box.height))


def test_blurred_evenly_and_by_a_movement_in_one_direction(portrait: Image) -> None:
    evenly = np.asarray(cv2.GaussianBlur(portrait, (0, 0), 4), np.uint8)
    moved = np.asarray(cv2.blur(portrait, (25, 1)), np.uint8)
    assert warnings_of(evenly, FACE) == ("blurred",)
    assert warnings_of(moved, FACE) == ("blurred",)


def test_blur_is_told_in_little_contrast_as_well_and_sharpness_too(portrait: Image) -> None:
    flat = (80 + portrait / 3).astype(np.uint8)
    assert warnings_of(flat, FACE) == ()
    assert warnings_of(np.asarray(cv2.GaussianBlur(flat, (0, 0), 6), np.uint8), FACE) == ("blurred",)


def test_dark(portrait: Image) -> None:
    assert warnings_of((portrait * 0.1).astype(np.uint8), FACE) == ("dark",)


def test_dark_skin_in_the_light_is_not_taken_for_darkness(portrait: Image) -> None:
    # Eyes, teeth and reflections stay bright.
    dark_skin = (portrait * np.where(portrait > 200, 1.0, 0.3)).astype(np.uint8)
    assert "dark" not in warnings_of(dark_skin, FACE)


def test_turned_away(portrait: Image) -> None:
    assert measure(portrait, PROFILE).frontal == pytest.approx(0.1, abs=0.05)
    assert "turned away" in warnings_of(portrait, PROFILE)
    assert LEAST_FRONTALITY < 0.5  # half turned does not count as turned away


def test_without_landmarks_nobody_knows_where_a_face_looks(portrait: Image) -> None:
    unmarked = Face(FACE.box, 0.9)
    assert measure(portrait, unmarked).frontal is None
    assert warnings_of(portrait, unmarked) == ()


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_cut_off_on_any_side(portrait: Image, side: str) -> None:
    left, top, right, bottom = 0, 0, portrait.shape[1], portrait.shape[0]
    (x, y) = (int(value) for value in FACE.box.center)
    box = {"left": (x, top), "right": (left, top), "top": (left, y), "bottom": (left, top)}[side]
    end = {"left": (right, bottom), "right": (x, bottom), "top": (right, bottom), "bottom": (right, y)}[side]
    part = np.ascontiguousarray(portrait[box[1] : end[1], box[0] : end[0]])
    moved = Face(
        Box(*(s - o for s, o in zip((180, 62, 268, 178), (*box, *box), strict=True))),
        0.9,
        tuple((px - box[0], py - box[1]) for px, py in FACE.landmarks),
    )
    assert inside(portrait, FACE) == pytest.approx(1)
    assert 0.2 < inside(part, moved) < LEAST_INSIDE
    assert "cut off" in warnings_of(part, moved)


def test_a_face_all_outside_of_the_picture_or_of_no_size_is_no_error(portrait: Image) -> None:
    assert inside(portrait, Face(Box(-300, -300, -200, -200), 0.9)) == 0
    assert "small" in warnings_of(portrait, Face(Box(5, 5, 5, 5), 0.9, ((5.0, 5.0),) * 5))
    assert warnings_of(np.zeros((1, 1, 3), np.uint8), Face(Box(0, 0, 1, 1), 0.9))


@pytest.mark.parametrize(
    ("warnings", "text"),
    [
        (("turned away",), "The face is turned away."),
        (("small", "dark"), "The face is small and poorly lit."),
        (
            ("blurred", "turned away", "cut off"),
            "The face is blurred, turned away and cut off by the picture's edge.",
        ),
    ],
)
def test_warnings_in_words(warnings: tuple[str, ...], text: str) -> None:
    assert sentence(warnings) == text


def test_every_warning_has_words() -> None:
    assert tuple(WORDS) == WARNINGS


def estimate() -> Estimate:
    return Age((0, 0, 0, 0, 1, 0, 0, 0), 28, 20, 36), Gender(0.9)


def shown_over(views: list[tuple[str, ...]], every_s: float = 0.5) -> list[tuple[str, ...]]:
    """The warnings shown after each view of a person."""
    evidence: Evidence | None = None
    shown: Shown | None = None
    found = []
    for i, warnings in enumerate(views):
        evidence = add_view(evidence, estimate(), 1.0, i * every_s, warnings)
        shown = show(shown, evidence, i * every_s, 0.0)
        found.append(shown.warnings)
    return found


def test_warnings_do_not_flicker_in_a_video() -> None:
    views: list[tuple[str, ...]] = [("blurred",) if i % 2 else () for i in range(60)]
    flickering = shown_over(views)
    assert sum(a != b for a, b in pairwise(flickering)) <= 1


def test_a_warning_comes_and_goes_with_its_reason() -> None:
    shown = shown_over([*[()] * 10, *[("turned away",)] * 40, *[()] * 40])
    assert shown[9] == () and shown[49] == ("turned away",) and shown[89] == ()


class Known:
    """Detects the face in the portrait with its left part cut off and a padded border."""

    name = "known"

    def __init__(self, shift_px: int) -> None:
        self.shift_px = shift_px

    def detect(self, _image: Image) -> tuple[Face, ...]:
        left, top, right, bottom = 180 - self.shift_px, 62, 268 - self.shift_px, 178
        marks = tuple((x - self.shift_px + 40, y + 40) for x, y in FACE.landmarks)
        return (Face(Box(left + 40, top + 40, right + 40, bottom + 40), 0.9, marks),)

    def estimate(self, _image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        return tuple(estimate() for _ in faces)


@pytest.mark.parametrize(("shift_px", "warnings"), [(0, ()), (225, ("cut off",))])
def test_the_border_that_an_evaluation_adds_does_not_count_as_seen(
    portrait: Image, tmp_path: Path, shift_px: int, warnings: tuple[str, ...]
) -> None:
    name = "35_1_0_20170117173333333.png"
    (tmp_path / name).write_bytes(encode_png(np.ascontiguousarray(portrait[:, shift_px:])))
    with open_dataset("utkface", tmp_path) as dataset:
        (result,) = evaluate(dataset, Analyzer(Known(shift_px), Known(shift_px)))
    assert result.reading is not None
    assert result.reading.warnings == warnings


def test_overexposed_where_nothing_is_left_of_most_of_the_face(portrait: Image) -> None:
    assert "overexposed" in warnings_of(
        robustness.overexposed(robustness.overexposed(portrait, FACE), FACE), FACE
    )
    assert "overexposed" not in warnings_of(np.minimum(portrait * 1.15, 255).astype(np.uint8), FACE)


@pytest.mark.parametrize("worn", [robustness.mask, robustness.sunglasses])
def test_covered_by_what_people_wear(portrait: Image, worn: Callable[[Image, Face], Image]) -> None:
    assert "covered" in warnings_of(worn(portrait, FACE), FACE)
    assert "covered" not in warnings_of(worn(portrait, FACE), Face(FACE.box, 0.9))  # eyes unknown
