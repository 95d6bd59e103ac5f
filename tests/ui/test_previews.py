from __future__ import annotations

from io import BytesIO

import numpy as np
import PIL.Image
import pytest
import streamlit as st

from agegender.analyzer import build_analyzer
from agegender.drawing.view_options import ViewOptions
from agegender.errors import ImageError
from agegender.imaging import workers
from agegender.imaging.io import decode
from agegender.types import Age, Analysis, Box, Face, Gender, Reading
from agegender.ui import previews
from agegender.ui.previews import LARGEST_PX, annotated_original, annotated_preview, kept_crops, make_preview

AGE = Age((0, 0, 0, 0.2, 0.7, 0.1, 0, 0), 29.0, 22.0, 37.0)


def analysis_of(width_px: int, height_px: int, *boxes: Box, score: float = 0.9) -> Analysis:
    readings = tuple(Reading(Face(box, score, ((1.0, 2.0),) * 5), AGE, Gender(0.9)) for box in boxes)
    return Analysis(width_px, height_px, readings, 0.1)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((4000, 3000), (1280, 960)), ((3000, 4000), (720, 960)), ((64, 48), (64, 48)), ((9000, 2), (1280, 1))],
)
def test_a_preview_is_small_and_of_the_same_shape(size: tuple[int, int], shown: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 120, dtype=np.uint8)
    preview = make_preview(image, analysis_of(*size))
    with PIL.Image.open(BytesIO(preview.picture)) as picture:
        assert picture.size == shown
    assert preview.crops == ()


def test_a_crop_shows_its_face_in_order_and_from_the_large_picture() -> None:
    image = np.zeros((3000, 4000, 3), dtype=np.uint8)
    colours = [(200, 30, 30), (30, 30, 200)]
    boxes = [Box(100, 100, 160, 180), Box(3900, 2900, 4100, 3100)]  # the second leaves the picture
    for box, colour in zip(boxes, colours, strict=True):
        image[int(box.top) - 80 : int(box.bottom) + 80, int(box.left) - 80 : int(box.right) + 80] = colour
    crops = [decode(crop) for crop in make_preview(image, analysis_of(4000, 3000, *boxes)).crops]
    for crop, colour in zip(crops, colours, strict=True):
        assert crop.shape == (160, 160, 3)
        assert np.abs(crop.reshape(-1, 3).astype(int) - colour).max() < 12


def test_boxes_follow_a_picture_made_smaller() -> None:
    small = analysis_of(4000, 2000, Box(400, 200, 800, 1000)).resized(1000, 1000)
    assert (small.width_px, small.height_px) == (1000, 1000)
    assert small.readings[0].face.box == Box(100, 100, 200, 500)
    assert small.readings[0].age == AGE


def test_the_frame_of_a_preview_lies_where_the_face_does() -> None:
    image = np.full((1920, 2560, 3), 255, dtype=np.uint8)
    preview = make_preview(image, analysis_of(2560, 1920, Box(800, 800, 1600, 1600)))
    drawn = decode(annotated_preview(preview, ViewOptions()))
    changed = np.argwhere((drawn < 200).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert drawn.shape[:2] == LARGEST_PX[::-1]
    # A line's width and, above, a label, around the box at half its size.
    assert 385 < left <= 400 and 800 <= right < 815
    assert 300 < top <= 400 and 800 <= bottom < 815


def test_a_download_has_its_own_size_and_no_metadata() -> None:
    file = BytesIO()
    exif = PIL.Image.Exif()
    exif[0x010E] = "where I live"
    PIL.Image.new("RGB", (1600, 1200), "white").save(file, "JPEG", exif=exif, comment=b"secret")
    saved = annotated_original(
        file.getvalue(), analysis_of(1600, 1200, Box(100, 100, 400, 400)), ViewOptions()
    )
    with PIL.Image.open(BytesIO(saved)) as picture:
        assert picture.size == (1600, 1200)
        assert dict(picture.getexif()) == {}
    assert b"where I live" not in saved and b"secret" not in saved


@pytest.mark.parametrize(
    ("look", "left"),
    [
        (ViewOptions(), [80, 200]),
        (ViewOptions(score=0.9), [80, 200]),
        (ViewOptions(score=0.95), []),
        (ViewOptions(smallest_px=81), [200]),
    ],
)
def test_faces_too_small_or_uncertain_are_left_out_with_their_crops(
    look: ViewOptions, left: list[int]
) -> None:
    image = np.full((3000, 4000, 3), 120, dtype=np.uint8)
    boxes = Box(100, 100, 160, 180), Box(500, 500, 700, 700)
    preview = make_preview(image, analysis_of(4000, 3000, *boxes))
    assert [reading.face.box.height for reading in look.shown(preview.analysis).readings] == left
    assert len(kept_crops(preview, look)) == len(left)
    drawn = decode(annotated_preview(preview, look))
    assert (np.abs(drawn.astype(int) - 120).max() > 50) == bool(left)


@pytest.mark.parametrize("score", [0.0, 0.95], ids=["shown", "left out"])
def test_a_hidden_face_is_a_few_blocks_wherever_it_is_shown_or_saved(score: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    box = Box(400, 300, 700, 660)
    analysis, look = analysis_of(1200, 900, box), ViewOptions(score=score, labels=(), blur=True)
    file = BytesIO()
    PIL.Image.fromarray(noise).save(file, "PNG")
    preview = make_preview(noise, analysis)
    pictures = [
        decode(annotated_original(file.getvalue(), analysis, look)),
        decode(annotated_preview(preview, look)),
    ]
    inner = [picture[330:630, 430:670] for picture in pictures]
    inner += [decode(crop)[45:115, 45:115] for crop in kept_crops(preview, look)]
    assert len(inner) == (3 if score == 0.0 else 2)
    for face in inner:
        steps = np.abs(np.diff(face.astype(int), axis=1)).max(axis=2) > 12
        assert steps.any(axis=0).mean() < 0.25  # what changes lies at the edges of blocks, and noise is gone
        assert face.std() < 25 < noise.std()


def test_what_cannot_be_read_is_tried_once_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb takes seconds, and a page runs at every click."""
    tried: list[bytes] = []

    def fail(data: bytes, _: object) -> None:
        tried.append(data)
        raise workers.TooMuchError

    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(previews, "analyze_file", fail)
    analyzer = build_analyzer("bundled")
    for _ in range(3):
        with pytest.raises(ImageError, match="more memory or time"):
            previews.preview(b"a bomb", analyzer, str)
    assert tried == [b"a bomb"]


def test_a_worker_that_did_not_start_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise workers.NotStartedError

    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(previews, "analyze_file", fail)
    with pytest.raises(ImageError, match="does not start"):
        previews.preview(b"", build_analyzer("bundled"), str)
    monkeypatch.undo()
    monkeypatch.setattr(st, "session_state", {})
    with pytest.raises(ImageError, match="empty"):
        previews.preview(b"", build_analyzer("bundled"), str)
