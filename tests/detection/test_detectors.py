"""Detectors against OpenCV's own YuNet, brute force, real photographs, and themselves in many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agegender.detection import cascade
from agegender.detection.candidates import non_maximum_suppression
from agegender.detection.cascade import CascadeDetector
from agegender.detection.ssd import SSD
from agegender.detection.yunet import YuNet, letterbox
from agegender.errors import ModelError
from agegender.estimation.alignment import face_matrix
from agegender.imaging.io import decode
from agegender.types import Box, Detector, Face, Image

SAMPLES = Path(__file__).parents[2] / "samples"
MODELS = SAMPLES.parent / "models"
# Where YuNet sees the faces of the samples.
FACES = {
    "astronaut.png": Box(178.1, 65.0, 269.5, 176.4),
    "grace_hopper.jpg": Box(177.4, 123.4, 355.7, 335.7),
}
PHOTOS = (
    *("background", "group-1", "group-4", "group-5", "person-linda", "person-vlado", "solvay1927"),
    *("stock-group-1", "stock-teen-3"),
)


def at_most(image: Image, long_side_px: int) -> Image:
    scale = min(1.0, long_side_px / max(image.shape))
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="session")
def yunet(mirror: Path) -> YuNet:
    return YuNet(mirror / "yunet_n_dynamic.onnx")


@pytest.fixture(scope="session")
def ssd(mirror: Path) -> SSD:
    return SSD(mirror / "opencv_face_detector_uint8.pb", mirror / "opencv_face_detector.pbtxt")


@pytest.fixture(scope="session")
def bundled() -> CascadeDetector:
    return cascade.bundled({name: MODELS / name for name in ("faces.onnx", "refinement.onnx")})


@pytest.fixture(params=["yunet", "bundled", "ssd"])
def detector(request: pytest.FixtureRequest) -> Detector:
    found: Detector = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("name", PHOTOS)
def test_yunet_finds_what_opencv_finds_with_the_same_weights(name: str, mirror: Path, photos: Path) -> None:
    image = at_most(decode(photos / f"{name}.jpg"), 1280)
    weights = mirror / "face_detection_yunet_2023mar.onnx"  # those of yunet_s_dynamic, in OpenCV's own file
    theirs = cv2.FaceDetectorYN.create(str(weights), "", image.shape[1::-1], 0.7, 0.3, 5000)
    _, rows = theirs.detect(np.ascontiguousarray(image[..., ::-1]))
    rows = np.empty((0, 15)) if rows is None else rows
    faces = YuNet(mirror / "yunet_s_dynamic.onnx", score=0.7, overlap=0.3).detect(image)
    assert len(faces) == len(rows)
    for face in faces:
        box = face.box
        ious = [box.iou(Box(x, y, x + width, y + height)) for x, y, width, height in rows[:, :4].tolist()]
        row = rows[int(np.argmax(ious))]
        assert max(ious) >= 0.9
        assert np.linalg.norm(np.array(face.landmarks) - row[4:14].reshape(5, 2), axis=1).max() <= 2
        assert face.score == pytest.approx(row[14], abs=0.01)


def test_yunet_answers_in_pixels_of_a_picture_that_it_scaled_down(yunet: YuNet) -> None:
    image = decode(SAMPLES / "astronaut.png")
    (face,) = yunet.detect(image)
    enlarged = cv2.resize(image, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    (large,) = yunet.detect(np.asarray(enlarged, np.uint8))
    expected = Box(*(5 * side for side in (face.box.left, face.box.top, face.box.right, face.box.bottom)))
    assert large.box.iou(expected) >= 0.9
    np.testing.assert_allclose(large.landmarks, 5 * np.array(face.landmarks), atol=15)


def test_landmarks_come_in_their_order(yunet: YuNet) -> None:
    (face,) = yunet.detect(decode(SAMPLES / "astronaut.png"))
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < nose[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


@pytest.mark.parametrize("sample", FACES)
def test_detectors_find_the_face_of_a_sample_where_it_is(detector: Detector, sample: str) -> None:
    (face,) = detector.detect(decode(SAMPLES / sample))
    assert face.box.iou(FACES[sample]) >= 0.6
    assert 0.5 <= face.score <= 1


@pytest.mark.parametrize("name", ["person-linda", "person-vlado"])
def test_detectors_find_the_face_on_a_portrait_and_nothing_else(
    detector: Detector, yunet: YuNet, name: str, photos: Path
) -> None:
    image = decode(photos / f"{name}.jpg")
    (truth,) = yunet.detect(image)
    (face,) = detector.detect(image)
    assert face.box.iou(truth.box) > 0.5


def test_a_face_that_fills_the_picture_is_found(bundled: CascadeDetector, photos: Path) -> None:
    image = decode(photos / "stock-teen-3.jpg")
    (face,) = bundled.detect(image)
    assert face.box.height > 0.3 * image.shape[0]
    alone = YuNet(MODELS / "faces.onnx").detect(image)
    assert all(part.box.height < 0.3 * image.shape[0] for part in alone), "or a second look is for nothing"


def test_detectors_find_no_face_where_there_is_none(detector: Detector, photos: Path) -> None:
    assert detector.detect(decode(photos / "background.jpg")) == ()


@pytest.mark.parametrize("name", ["group-1", "group-4", "solvay1927"])
def test_most_confident_face_comes_first(detector: Detector, name: str, photos: Path) -> None:
    scores = [face.score for face in detector.detect(decode(photos / f"{name}.jpg"))]
    assert scores == sorted(scores, reverse=True)


def test_boxes_alone_align_on_average_like_landmarks(detector: Detector, yunet: YuNet, photos: Path) -> None:
    shifts = []
    for name in ("group-4", "group-5", "person-linda", "person-vlado", "stock-group-1"):
        image = decode(photos / f"{name}.jpg")
        boxes = [face.box for face in detector.detect(image)]
        for face in yunet.detect(image):
            box = max(boxes, key=face.box.iou, default=Box(0, 0, 0, 0))
            if box.iou(face.box) > 0.3:
                shifts.append(crop_shift(face_matrix(face), face_matrix(Face(box, 1.0))))
    assert len(shifts) >= 7
    x, y, scale = np.median(shifts, axis=0)
    assert abs(x) < 0.06
    assert abs(y) < 0.06
    assert 0.93 < scale < 1.07


def crop_shift(matrix: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Return how far right and down the other crop's middle lies, and its size, in sides of the first."""
    middle = np.linalg.solve(other[:, :2], (0.5, 0.5) - other[:, 2])
    x, y = matrix[:, :2] @ middle + matrix[:, 2] - 0.5
    return x, y, float(np.hypot(*matrix[:, 0]) / np.hypot(*other[:, 0]))


@pytest.mark.parametrize("sample", FACES)
def test_ssd_is_fed_as_opencv_feeds_it(ssd: SSD, mirror: Path, sample: str) -> None:
    bgr = np.asarray(cv2.imread(str(SAMPLES / sample)))
    files = [str(mirror / f"opencv_face_detector{ending}") for ending in ("_uint8.pb", ".pbtxt")]
    net = cv2.dnn.readNet(*files)
    net.setInput(cv2.dnn.blobFromImage(bgr, 1.0, (300, 300), (104, 177, 123), swapRB=False, crop=False))
    best = max(net.forward()[0, 0], key=lambda row: row[2])
    (face,) = ssd.detect(decode(SAMPLES / sample))
    assert face.score == pytest.approx(best[2], abs=0.005)
    left, _, right, bottom = best[3:7] * np.tile(bgr.shape[1::-1], 2)
    assert (face.box.left, face.box.right, face.box.bottom) == pytest.approx((left, right, bottom), abs=1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (33, 47)])
def test_detectors_bear_pictures_of_any_shape(detector: Detector, shape: tuple[int, int]) -> None:
    assert detector.detect(np.full((*shape, 3), 200, dtype=np.uint8)) == ()


def test_detectors_give_the_same_from_many_threads(detector: Detector, photos: Path) -> None:
    sizes = {"astronaut.png": 512, "grace_hopper.jpg": 300}
    pictures = [at_most(decode(SAMPLES / name), size) for name, size in sizes.items()]
    names = ("background", "group-4", "person-linda", "stock-teen-3")
    pictures += [at_most(decode(photos / f"{name}.jpg"), 640) for name in names]
    expected = [detector.detect(picture) for picture in pictures]
    assert sum(map(len, expected)) >= 6
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detector.detect, pictures * 4)) == expected * 4


@pytest.mark.parametrize("content", [None, b"", b"not a model at all"])
def test_weights_that_cannot_be_read_say_so(mirror: Path, tmp_path: Path, content: bytes | None) -> None:
    broken = tmp_path / "weights.pb"
    if content is not None:
        broken.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.pb"):
        SSD(broken, mirror / "opencv_face_detector.pbtxt")


side = st.floats(1, 60)
boxes = st.lists(st.tuples(st.floats(-40, 40), st.floats(-40, 40), side, side), max_size=12).map(
    lambda rows: [Box(x, y, x + width, y + height) for x, y, width, height in rows]
)


@given(boxes, st.floats(0.05, 0.95))
def test_non_maximum_suppression_does_what_brute_force_does(boxes: list[Box], overlap: float) -> None:
    assume(all(abs(one.iou(other) - overlap) > 1e-6 for one, other in combinations(boxes, 2)))  # no ties
    kept: list[int] = []
    for index, box in enumerate(boxes):
        if all(box.iou(boxes[better]) <= overlap for better in kept):
            kept.append(index)
    array = np.array([(box.left, box.top, box.right, box.bottom) for box in boxes]).reshape(-1, 4)
    assert non_maximum_suppression(array, overlap) == kept


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 3))
def test_letterbox_keeps_the_pictures_and_fills_up_with_black(height: int, width: int, count: int) -> None:
    pictures = [np.full((height, width, 3), (200, 100, 50 + place), dtype=np.uint8) for place in range(count)]
    batch = letterbox(pictures)
    assert batch.shape[:2] == (count, 3)
    for padded, filled in zip(batch.shape[2:], (height, width), strict=True):
        assert padded % 32 == 0
        assert 0 <= padded - filled < 32
    expected = np.zeros(batch.shape, dtype=np.float32)
    for place in range(count):
        expected[place, :, :height, :width] = np.reshape((50 + place, 100, 200), (3, 1, 1))
    np.testing.assert_array_equal(batch, expected)


def test_yunet_finds_in_many_pictures_at_once_what_it_finds_in_each(yunet: YuNet, photos: Path) -> None:
    image = decode(photos / "group-4.jpg")
    parts = [image[300:940, left : left + 640] for left in (0, 400, 800, 1200)]
    found, places = yunet.candidates(parts, 0.5)
    assert len(set(places)) >= 2
    for place, part in enumerate(parts):
        alone, _ = yunet.candidates([part], 0.5)
        same = found[places == place]
        np.testing.assert_allclose(same.scores, alone.scores, atol=1e-5)
        np.testing.assert_allclose(same.boxes_xyxy, alone.boxes_xyxy, atol=1e-3)
        np.testing.assert_allclose(same.landmarks, alone.landmarks, atol=1e-3)
