from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.drawing.label_layout import Place, place_labels
from agegender.types import Box

WIDTH, HEIGHT = 400, 300
FACE = Box(150, 100, 230, 180)


def label_box(place: Place, sizes: list[tuple[int, int]]) -> Box:
    width, height = sizes[place.option]
    return Box(place.left, place.top, place.left + width, place.top + height)


def meet(one: Box, other: Box) -> bool:
    return one.intersection(other).area > 0


boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.floats(-100, WIDTH),
    st.floats(-100, HEIGHT),
    st.floats(0.5, 250),
    st.floats(0.5, 250),
)
label_sizes = st.lists(st.tuples(st.integers(1, 150), st.integers(1, 40)), min_size=1, max_size=4)
scenes = st.lists(st.tuples(boxes, label_sizes), max_size=12)


@given(scenes)
def test_labels_lie_inside_the_picture_and_cover_neither_other_faces_nor_each_other(
    scene: list[tuple[Box, list[tuple[int, int]]]],
) -> None:
    faces, sizes = [face for face, _ in scene], [options for _, options in scene]
    places = place_labels(faces, sizes, WIDTH, HEIGHT)
    assert len(places) == len(scene)
    placed = {i: label_box(place, sizes[i]) for i, place in enumerate(places) if place}
    for i, label in placed.items():
        assert Box(0, 0, WIDTH, HEIGHT).intersection(label) == label
        assert not any(meet(label, face) for j, face in enumerate(faces) if j != i)
        assert not any(meet(label, other) for j, other in placed.items() if j != i)
        assert label.intersection(faces[i]).area <= faces[i].area / 2 + 400  # rounding to whole pixels
    assert places == place_labels(faces, sizes, WIDTH, HEIGHT)


@given(scenes)
def test_a_label_is_left_out_or_made_smaller_only_where_there_is_no_room(
    scene: list[tuple[Box, list[tuple[int, int]]]],
) -> None:
    # Whole pixels, so that the four plain spots can be named exactly.
    faces = [Box(*(float(round(side)) for side in sides(face))) for face, _ in scene]
    sizes = [options for _, options in scene]
    places = place_labels(faces, sizes, WIDTH, HEIGHT)
    labels: list[Box] = []
    for i, place in enumerate(places):
        taken = [*faces, *labels]
        for width, height in sizes[i][: place.option if place else None]:
            for label in plain_places(faces[i], width, height):
                outside = Box(0, 0, WIDTH, HEIGHT).intersection(label) != label
                assert outside or any(meet(label, other) for other in taken)
        if place:
            labels.append(label_box(place, sizes[i]))


def sides(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def plain_places(face: Box, width: int, height: int) -> list[Box]:
    """Spots above, below, right and left of the visible part of the face."""
    seen = face.intersection(Box(0, 0, WIDTH, HEIGHT))
    if seen.area == 0:
        return []
    corners = [
        (seen.left, seen.top - height),
        (seen.left, seen.bottom),
        (seen.right, seen.top),
        (seen.left - width, seen.top),
    ]
    return [Box(x, y, x + width, y + height) for x, y in corners]


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        pytest.param(FACE, Place(0, 150, 80), id="above, flush left"),
        pytest.param(Box(150, 10, 230, 90), Place(0, 150, 90), id="below where there is no room above"),
        pytest.param(Box(150, 0, 230, 300), Place(0, 230, 0), id="right of a face as high as the picture"),
        pytest.param(Box(330, 0, 400, 300), Place(0, 210, 0), id="left of one at the right edge"),
        pytest.param(Box(0, 0, 400, 300), Place(0, 0, 280), id="on the lower edge of a face that fills all"),
        pytest.param(Box(350, 100, 390, 140), Place(0, 280, 80), id="pushed back in at the right edge"),
        pytest.param(Box(-50, 100, 30, 180), Place(0, 0, 80), id="at the visible part of a face"),
    ],
)
def test_one_label_goes(face: Box, expected: Place) -> None:
    assert place_labels([face], [[(120, 20)]], WIDTH, HEIGHT) == [expected]


def test_two_faces_one_above_the_other_keep_their_labels_apart() -> None:
    faces = [FACE, Box(150, 25, 230, 95)]
    assert place_labels(faces, [[(120, 20)]] * 2, WIDTH, HEIGHT) == [Place(0, 150, 180), Place(0, 150, 5)]


def test_a_label_keeps_away_from_a_face_that_it_could_be_taken_for() -> None:
    # Flush left, it would cover the forehead of the other face, which is a little lower.
    faces = [FACE, Box(235, 102, 315, 182)]
    place = place_labels(faces, [[(120, 20)]] * 2, WIDTH, HEIGHT)[0]
    assert place is not None
    assert place.top == 80
    assert place.left + 120 <= 225


def test_a_smaller_label_is_taken_before_the_face_is_covered() -> None:
    face = Box(0, 15, 400, 300)
    assert place_labels([face], [[(120, 20), (60, 12)]], WIDTH, HEIGHT) == [Place(1, 0, 3)]


def test_what_does_not_fit_is_left_out() -> None:
    assert place_labels([FACE, FACE], [[(401, 20)], []], WIDTH, HEIGHT) == [None, None]
    assert place_labels([FACE], [[(401, 20), (20, 20)]], WIDTH, HEIGHT) == [Place(1, 150, 80)]
    assert place_labels([Box(0, 0, 1, 1)], [[(1, 1)]], 1, 1) == [None]  # it would hide the whole face
    assert place_labels([], [], WIDTH, HEIGHT) == []
