from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.detection.yunet import YuNet
from agegender.drawing.annotate import Plate, annotate, draw_plate, font, label_parts, typeset
from agegender.drawing.blur import BLOCKS, blur_faces
from agegender.drawing.palette import BLACK, FEMALE, MALE, NEUTRAL
from agegender.drawing.view_options import Part
from agegender.imaging.io import decode
from agegender.types import RANGES, Age, Analysis, Box, Face, Gender, Image, Reading

COLOURS = {"female": FEMALE, "male": MALE, "neutral": NEUTRAL}


def reading(box: Box, p_female: float = 0.97, range_index: int = 4) -> Reading:
    probabilities = tuple(float(i == range_index) for i in range(8))
    return Reading(Face(box, 0.9), Age(probabilities, 28.6, 22, 35), Gender(p_female))


def analysis(image: Image, *readings: Reading) -> Analysis:
    return Analysis(image.shape[1], image.shape[0], readings, 0.1)


def noise(height: int, width: int) -> Image:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


def shows(image: Image, colour: tuple[int, int, int]) -> bool:
    """Return whether the image has more pixels of exactly this colour than noise would give."""
    return int((image == colour).all(axis=2).sum()) > 20


boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.floats(-300, 300),
    st.floats(-300, 300),
    st.floats(0, 1e9) | st.floats(0, 200),
    st.floats(0, 1e9) | st.floats(0, 200),
)


@given(
    st.integers(1, 200),
    st.integers(1, 200),
    st.lists(boxes, max_size=30),
    st.booleans(),
    st.booleans(),
)
def test_any_boxes_on_a_picture_of_any_size_are_drawn_on_a_copy(
    height: int, width: int, faces: list[Box], blur: bool, numbers: bool
) -> None:
    image = noise(height, width)
    before = image.copy()
    drawn = annotate(image, analysis(image, *map(reading, faces)), blur=blur, numbers=numbers)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert np.array_equal(image, before)
    assert not np.shares_memory(drawn, image)


def test_a_picture_without_faces_stays_as_it_is() -> None:
    image = noise(48, 64)
    assert np.array_equal(annotate(image, analysis(image)), image)
    outside = reading(Box(100, 100, 140, 140))
    assert np.array_equal(annotate(image, analysis(image, outside)), image)


def test_nothing_but_boxes_and_labels_changes() -> None:
    image = noise(480, 640)
    faces = [Box(60, 150, 160, 270), Box(260, 150, 360, 270), Box(460, 150, 560, 270)]
    drawn = annotate(image, analysis(image, *map(reading, faces)))
    for face in faces:
        inside = np.s_[int(face.top) + 5 : int(face.bottom) - 5, int(face.left) + 5 : int(face.right) - 5]
        assert np.array_equal(drawn[inside], image[inside])
    assert np.array_equal(drawn[300:], image[300:])
    assert np.array_equal(drawn[:110], image[:110])


# A decoded picture may be read-only or a view.
def test_read_only_and_mirrored_pictures_are_drawn_on() -> None:
    image = noise(480, 640)
    face = analysis(image, reading(Box(60, 150, 160, 270)))
    view = image[:, ::-1]
    view.setflags(write=False)
    assert np.array_equal(annotate(view, face), annotate(np.ascontiguousarray(view), face))


@pytest.mark.parametrize(
    ("labels", "name", "expected"),
    [
        (("gender", "probability", "age"), "", ["Female 97 %", "25–32"]),
        (("gender", "age"), "", ["Female", "25–32"]),
        (("age", "gender"), "", ["Female", "25–32"]),
        (("years",), "", ["about 29"]),
        (("age", "years"), "3", ["3", "about 29", "25–32"]),
        (("probability",), "", []),
        ((), "Zoë", ["Zo?"]),
    ],
)
def test_a_label_tells_what_is_asked_for(labels: tuple[Part, ...], name: str, expected: list[str]) -> None:
    assert label_parts(reading(Box(0, 0, 9, 9)), labels, name) == expected


@pytest.mark.parametrize(("p_female", "expected"), [(1.0, "Female 99 %"), (0.0, "Male 99 %")])
def test_no_label_claims_certainty(p_female: float, expected: str) -> None:
    assert label_parts(reading(Box(0, 0, 9, 9), p_female), ("gender", "probability"), "") == [expected]


@pytest.mark.parametrize(
    ("labels", "p_female", "colour"),
    [
        (("gender", "age"), 0.9, "female"),
        (("gender",), 0.1, "male"),
        (("age",), 0.9, "neutral"),
        (("age", "probability", "years"), 0.1, "neutral"),
        ((), 0.1, "neutral"),
    ],
)
def test_colour_tells_the_gender_only_beside_the_word(
    labels: tuple[Part, ...], p_female: float, colour: str
) -> None:
    image = noise(240, 320)
    drawn = annotate(image, analysis(image, reading(Box(100, 80, 180, 180), p_female)), labels=labels)
    assert {name for name, rgb in COLOURS.items() if shows(drawn, rgb)} == {colour}


def test_a_face_whose_label_finds_no_room_does_not_show_a_gender_colour() -> None:
    image = noise(16, 16)
    drawn = annotate(image, analysis(image, reading(Box(2, 2, 12, 12))))
    assert {name for name, rgb in COLOURS.items() if shows(drawn, rgb)} == {"neutral"}


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Contrast ratio of two colours, 1 to 21, by WCAG 2.1."""

    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(colour) / 255]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_labels_have_the_best_grade_of_contrast() -> None:
    assert min(contrast(BLACK, colour) for colour in COLOURS.values()) >= 7


def test_the_typeface_has_every_sign_of_a_label() -> None:
    def picture(sign: str) -> bytes:
        return bytes(font(40).getmask(sign))

    texts = [*RANGES, "Female 0123456789 %", "Male", " · ", "29 years", "?"]
    signs = {sign for text in texts for sign in typeset(text)} - {" "}
    missing = picture("\uffff")
    assert missing == picture("–")  # otherwise the substitute hyphen is no longer needed
    assert [sign for sign in sorted(signs) if picture(sign) == missing] == []


def test_the_label_drawn_is_the_label_that_was_wanted() -> None:
    image = noise(480, 640)
    drawn = annotate(image, analysis(image, reading(Box(200, 150, 320, 300))), labels=("gender", "age"))
    label = draw_plate(Plate(("Female · 25–32",), 16, FEMALE))
    height, width = label.shape[:2]
    assert np.array_equal(drawn[150 - height : 150, 200 : 200 + width], label)
    assert not np.array_equal(label, draw_plate(Plate(("Female · 38–43",), 16, FEMALE)))


@pytest.mark.parametrize("scale", [1, 3])
def test_labels_grow_with_the_picture(scale: int) -> None:
    image = noise(480 * scale, 640 * scale)
    face = Box(200 * scale, 150 * scale, 320 * scale, 300 * scale)
    drawn = annotate(image, analysis(image, reading(face)))
    rows = np.flatnonzero((drawn == FEMALE).all(axis=2).sum(axis=1) > 50 * scale)
    label_rows = rows[rows < 145 * scale]  # without the box's upper line
    assert len(label_rows) == pytest.approx(18 * scale, abs=2 * scale)


def test_names_stand_in_place_of_numbers() -> None:
    image = noise(240, 320)
    face = analysis(image, reading(Box(100, 80, 180, 180)))
    assert np.array_equal(annotate(image, face, numbers=True), annotate(image, face, names=["1"]))
    assert not np.array_equal(annotate(image, face, names=["2"]), annotate(image, face, names=["1"]))


def test_a_blurred_face_is_a_few_plain_blocks() -> None:
    image = noise(300, 300)
    blurred = blur_faces(image, [Face(Box(100, 100, 180, 200), 0.9)])
    face = blurred[100:200, 100:180].reshape(-1, 3)
    assert len(np.unique(face, axis=0)) <= BLOCKS**2
    hair, chin = blurred[65:100, 125:155].reshape(-1, 3), blurred[200:220, 125:155].reshape(-1, 3)
    assert len(np.unique(np.concatenate([hair, chin]), axis=0)) <= BLOCKS**2
    assert np.array_equal(blurred[:, :75], image[:, :75])
    assert np.array_equal(blurred[245:], image[245:])


def test_what_is_averaged_away_leaves_no_trace() -> None:
    # Two pictures that differ only in a fine pattern inside the blocks.
    face = Face(Box(24, 24, 104, 104), 0.9)
    flat = np.full((128, 128, 3), 100, np.uint8)
    pattern = flat + np.where(np.indices((128, 128)).sum(axis=0) % 2, 60, -60)[..., None].astype(np.uint8)
    one, other = blur_faces(flat, [face]), blur_faces(pattern, [face])
    inside = np.s_[24:104, 24:104]
    assert np.abs(one[inside].astype(int) - other[inside]).max() <= 4


@given(st.integers(1, 60), st.integers(1, 60), boxes)
def test_every_pixel_of_a_face_is_blurred_wherever_it_lies(height: int, width: int, box: Box) -> None:
    image = noise(height, width)
    blurred = blur_faces(image, [Face(box, 0.9)])
    seen = blurred[
        max(0, int(np.ceil(box.top))) : max(0, int(min(box.bottom, height))),
        max(0, int(np.ceil(box.left))) : max(0, int(min(box.right, width))),
    ]
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) <= BLOCKS**2


def test_no_face_is_found_where_faces_were_blurred(photos: Path, mirror: Path) -> None:
    detector = YuNet(mirror / "yunet_n_dynamic.onnx")
    for name in ("person-linda.jpg", "group-5.jpg", "solvay1927.jpg"):
        image = decode(photos / name)
        faces = detector.detect(image)
        again = detector.detect(blur_faces(image, faces))
        assert faces
        assert not [face for face in again if any(face.box.iou(known.box) > 0.3 for known in faces)]
