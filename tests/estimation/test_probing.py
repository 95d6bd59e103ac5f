"""The Lab's arithmetic: changes, the estimates they cause, and their description in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stubs import AGE, GENDER, Stub

from agegender.analyzer import build_analyzer
from agegender.estimation.changes import SLIDERS, Changes, Cut, changed, cut_out
from agegender.estimation.probing import PATCHES, Curve, curve, curve_values, occlusion, read_all, told
from agegender.imaging.io import decode
from agegender.types import Age, Box, Face, Gender

SAMPLES = Path(__file__).parents[2] / "samples"
MARKS = ((40.0, 45.0), (60.0, 45.0), (50.0, 58.0), (42.0, 70.0), (58.0, 70.0))
FACE = Face(Box(30, 25, 70, 85), 0.9, MARKS)


@pytest.fixture(scope="module")
def cut() -> Cut:
    image = decode(SAMPLES / "astronaut.png")
    return cut_out(image, build_analyzer()(image).readings[0].face)


def plain() -> Cut:
    image = np.random.default_rng(1).integers(60, 200, (110, 100, 3), dtype=np.uint8)
    return image, FACE


def test_nothing_changed_is_the_same_picture() -> None:
    image, face = changed(plain(), Changes())
    assert np.array_equal(image, plain()[0])
    assert face == FACE


@pytest.mark.parametrize("name", SLIDERS)
def test_every_slider_does_something_and_leaves_the_original_alone(name: str) -> None:
    before = plain()
    image, _ = changed(before, Changes(**{name: SLIDERS[name].first or SLIDERS[name].last}))  # type: ignore[arg-type]
    assert image.shape != before[0].shape or (image != before[0]).mean() > 0.2
    assert np.array_equal(before[0], plain()[0])


def test_light_makes_it_darker_and_blur_smoother() -> None:
    image, _ = plain()
    dark, _ = changed(plain(), Changes(light=-50))
    assert dark.mean() == pytest.approx(image.mean() / 2, abs=1)
    smooth, _ = changed(plain(), Changes(blur=50))
    assert smooth.std() < image.std() / 2


def test_a_smaller_face_has_its_landmarks_where_they_are() -> None:
    image, face = changed(plain(), Changes(size=50))
    assert image.shape == (55, 50, 3)
    assert face.box == Box(15, 12.5, 35, 42.5)
    assert face.landmarks[0] == (20.0, 22.5)


def test_a_turned_face_has_its_landmarks_turned_clockwise_around_it() -> None:
    _, face = changed(plain(), Changes(turn=90))
    # The right eye, left of and above the middle (50, 55), moves up and right.
    assert face.landmarks[0] == pytest.approx((60, 45), abs=1e-6)
    assert face.landmarks[2] == pytest.approx((47, 55), abs=1e-6)


def test_a_mask_hides_the_mouth_and_sunglasses_the_eyes_even_without_landmarks() -> None:
    for face in (FACE, Face(FACE.box, 0.9)):
        image = plain()[0]
        masked, _ = changed((image, face), Changes(cover="Mask"))
        shaded, _ = changed((image, face), Changes(cover="Sunglasses"))
        mouth, eye = (slice(66, 74), slice(44, 56)), (slice(43, 48), slice(38, 42))
        assert masked[mouth].std() < 25 and np.array_equal(masked[eye], image[eye])
        assert shaded[eye].max() < 20 and np.array_equal(shaded[mouth], image[mouth])


def test_answers_are_the_librarys_own_on_the_same_pixels(cut: Cut) -> None:
    estimator = build_analyzer().estimator
    cuts = [
        changed(cut, each)
        for each in (Changes(), Changes(blur=30), Changes(size=40, light=-60), Changes(turn=45))
    ]
    for (age, gender), (image, face) in zip(read_all(estimator, cuts), cuts, strict=True):
        ((own_age, own_gender),) = estimator.estimate(image, [face])
        assert age.years == pytest.approx(own_age.years, abs=0.3)
        assert gender.p_female == pytest.approx(own_gender.p_female, abs=0.02)


def test_a_face_cut_out_is_read_as_in_the_whole_picture(cut: Cut) -> None:
    analyzer = build_analyzer()
    reading = analyzer(decode(SAMPLES / "astronaut.png")).readings[0]
    ((age, gender),) = read_all(analyzer.estimator, [cut])
    assert age.years == pytest.approx(reading.age.years, abs=0.3)
    assert gender.p_female == pytest.approx(reading.gender.p_female, abs=0.02)


def test_a_curve_is_one_call_and_holds_the_answer_of_each_value(cut: Cut) -> None:
    stub = Stub(says=lambda face: (AGE, Gender(min(1.0, face.box.height / 200))))
    found = curve(stub, cut, Changes(), "size")
    assert found.values == curve_values("size") == tuple(sorted(found.values))
    assert {SLIDERS["size"].first, SLIDERS["size"].last} <= set(found.values)
    females = [gender.p_female for _, gender in found.estimates]
    assert females == sorted(females) and females[0] < females[-1] / 10


def test_an_occlusion_map_shows_where_the_answer_hangs(cut: Cut) -> None:
    years, female = occlusion(build_analyzer().estimator, cut)
    assert years.shape == female.shape == (PATCHES, PATCHES)
    corner, inner = np.abs(years[-1, [0, -1]]).max(), np.abs(years[1:-1, 1:-1]).max()
    assert inner > corner  # the background in the lower corners matters less than the face


def curve_of(*years: float, p_female: float = 0.9) -> Curve:
    ages = [Age(AGE.probabilities, each, each - 8, each + 8) for each in years]
    estimates = tuple((age, Gender(p_female)) for age in ages)
    return Curve("blur", tuple(range(0, 10 * len(years), 10)), estimates, ((),) * len(years))


def test_words_say_from_where_on_the_answer_is_worth_little() -> None:
    assert told(curve_of(30, 31, 33, 45, 50)) == (
        "From 30 % blur on, the answer is of little use: the age moves by 15 years, to 45."
    )
    assert told(curve_of(30, 31, 29)) == (
        "Blur alone changes little: the estimate stays between 29 and 31 years, and the gender stays "
        "the same."
    )
    flipped = curve_of(30, 30)
    flipped = Curve("blur", (0, 10), (flipped.estimates[0], (AGE, Gender(0.1))), ((), ()))
    assert "the gender switches to Male" in told(flipped)


def test_words_tell_both_directions_of_a_slider() -> None:
    dark, fine, light = (Age(AGE.probabilities, y, y - 8, y + 8) for y in (50.0, 30.0, 10.0))
    found = Curve("light", (-90, 0, 90), tuple((age, GENDER) for age in (dark, fine, light)), ((),) * 3)
    assert told(found).count("of little use") == 2
    assert "From 90 % light on" in told(found) and "From -90 % light on" in told(found)
