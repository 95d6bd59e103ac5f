"""Estimators: the nets' inputs, the processing of their outputs, and the order of results."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import caffe_oracle
import numpy as np
import pytest

from agegender.analyzer import Analyzer
from agegender.detection.yunet import YuNet
from agegender.errors import ModelError
from agegender.estimation import apparent
from agegender.estimation.age import from_years
from agegender.estimation.alignment import align
from agegender.estimation.apparent import Apparent
from agegender.estimation.levi_hassner import LeviHassner
from agegender.evaluation.datasets import open_dataset
from agegender.evaluation.report import report_lines, report_object
from agegender.evaluation.run import evaluate
from agegender.imaging.geometry import margin_crop
from agegender.imaging.io import decode
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.types import RANGES, Box, Estimate, Face, Image

# The user's own cache, before conftest.py replaces it.
OWN_CACHE = os.environ.get("AGEGENDER_CACHE")

SAMPLES = Path(__file__).parents[2] / "samples"
HOPPER = Face(
    Box(177.4, 123.4, 355.7, 335.7),
    0.94,
    ((224.3, 197.3), (306.8, 195.6), (265.4, 238.9), (229.8, 274.0), (304.4, 272.3)),
)
COLLINS = Face(
    Box(178.1, 65.0, 269.5, 176.4),
    0.94,
    ((203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204.0, 143.1), (242.9, 143.7)),
)
ELSEWHERE = (Face(Box(330, 320, 480, 470), 0.9), Face(Box(-40, -30, 90, 120), 0.9))  # one exceeds the picture


@pytest.fixture(scope="module")
def hopper() -> Image:
    return decode(SAMPLES / "grace_hopper.jpg")


@pytest.fixture(scope="module")
def collins() -> Image:
    return decode(SAMPLES / "astronaut.png")


def numbers(estimates: tuple[Estimate, ...]) -> np.ndarray:
    return np.array([(*age.probabilities, age.years, gender.p_female) for age, gender in estimates])


class Session:
    """Replaces an ONNX Runtime session: age is a face's mean red, gender its mean blue."""

    def __init__(self, _path: Path) -> None:
        self.batches: list[np.ndarray] = []

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="faces", shape=["n", 96, 96, 3])]

    def run(self, outputs: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert outputs == ["years_pmf", "p_female"]
        self.batches.append(feeds["faces"])
        red, _, blue = feeds["faces"].mean((1, 2)).T
        pmf = np.eye(100, dtype=np.float32)[(red / 256 * 100).astype(int)]
        return [pmf, (blue / 256).astype(np.float32)]


def test_apparent_net_gets_aligned_rgb_faces_of_its_own_size(
    monkeypatch: pytest.MonkeyPatch, collins: Image
) -> None:
    monkeypatch.setattr(apparent, "onnx_session", Session)
    estimator = Apparent(Path("models/some-net.onnx"))
    faces = (COLLINS, *ELSEWHERE)
    estimates = estimator.estimate(collins, faces)
    (batch,) = estimator._session.batches
    crops = [align(collins, face, 96) for face in faces]
    assert batch.dtype == np.uint8
    np.testing.assert_array_equal(batch, crops)
    for crop, (age, gender) in zip(crops, estimates, strict=True):
        assert age.years == pytest.approx(int(crop[..., 0].mean() / 256 * 100))
        assert gender.p_female == pytest.approx(crop[..., 2].mean() / 256)
    assert estimator.name == "some-net"


def test_crowd_goes_through_in_parts_and_comes_out_in_order(
    monkeypatch: pytest.MonkeyPatch, collins: Image
) -> None:
    monkeypatch.setattr(apparent, "onnx_session", Session)
    estimator = Apparent(Path("net.onnx"))
    faces = [Face(Box(x, y, x + 90, y + 110), 0.9) for y in range(0, 420, 42) for x in range(0, 420, 60)]
    estimates = estimator.estimate(collins, faces)
    assert [len(batch) for batch in estimator._session.batches] == [8] * 8 + [6]
    assert estimates == tuple(estimator.estimate(collins, [face])[0] for face in faces)


def test_years_are_those_that_the_ages_are_made_of(monkeypatch: pytest.MonkeyPatch, collins: Image) -> None:
    monkeypatch.setattr(apparent, "onnx_session", Session)
    estimator = Apparent(Path("net.onnx"))
    faces = (COLLINS, *ELSEWHERE) * 12
    years_pmf = estimator.years_pmf(collins, faces)
    assert years_pmf.shape == (36, 100)
    assert [age for age, _ in estimator.estimate(collins, faces)] == [from_years(pmf) for pmf in years_pmf]
    assert estimator.years_pmf(collins, ()).shape == (0, 100)


def test_no_faces_no_estimates(monkeypatch: pytest.MonkeyPatch, collins: Image) -> None:
    monkeypatch.setattr(apparent, "onnx_session", Session)
    estimator = Apparent(Path("net.onnx"))
    assert estimator.estimate(collins, ()) == ()
    assert estimator._session.batches == []


@pytest.fixture(scope="module")
def bundled() -> Apparent:
    return Apparent(store.fetch(load_manifest()["apparent"])["apparent.onnx"])


def test_bundled_net_reads_the_samples(bundled: Apparent, hopper: Image, collins: Image) -> None:
    ((age_hopper, _),) = bundled.estimate(hopper, (HOPPER,))
    ((age_collins, gender_collins),) = bundled.estimate(collins, (COLLINS,))
    assert gender_collins.label == "Female"
    assert 25 <= age_collins.years <= 45  # she was 35
    assert age_hopper.years >= 55  # she was 77
    for age in (age_hopper, age_collins):
        assert age.low < age.years < age.high
        assert sum(age.probabilities) == pytest.approx(1, abs=1e-4)


def test_bundled_net_gives_a_face_the_same_in_any_company(bundled: Apparent, collins: Image) -> None:
    faces = (COLLINS, *ELSEWHERE) * 12
    alone = np.concatenate([numbers(bundled.estimate(collins, [face])) for face in faces[:3]])
    together = numbers(bundled.estimate(collins, faces))
    np.testing.assert_allclose(together, np.tile(alone, (12, 1)), rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def nets(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Both Levi–Hassner nets with random weights: the files, and the nets for the oracle."""
    folder, paths = tmp_path_factory.mktemp("caffe"), dict[str, Path]()
    oracle: dict[str, Any] = {}
    rng = np.random.default_rng(2015)
    for kind in ("age", "gender"):
        graph, weights_path = mirror / f"{kind}_deploy.prototxt", folder / f"{kind}_net.caffemodel"
        layers = caffe_oracle.read_prototxt(graph)
        weights = caffe_oracle.random_weights(layers, rng)
        caffe_oracle.write_caffemodel(weights_path, weights)
        paths |= {graph.name: graph, weights_path.name: weights_path}
        oracle[kind] = (layers, weights)
    return {"paths": paths, **oracle}


@pytest.fixture(scope="module")
def levi_hassner(nets: dict[str, Any]) -> LeviHassner:
    return LeviHassner(nets["paths"])


class Middle:
    """Detects one face in the middle of every picture."""

    name = "middle"

    def detect(self, image: Image) -> tuple[Face, ...]:
        (height_px, width_px), side_px = image.shape[:2], min(image.shape[:2]) / 3
        x, y = width_px / 2, height_px / 2
        return (Face(Box(x - side_px, y - side_px, x + side_px, y + side_px), 0.9),)


def test_levi_hassner_gets_the_same_tables_of_an_evaluation(
    levi_hassner: LeviHassner, bundled: Apparent, tmp_path: Path
) -> None:
    for name in ("77_0_0_20170117173333333.jpg", "28_0_0_20170117173333334.jpg"):
        (tmp_path / name).write_bytes((SAMPLES / "grace_hopper.jpg").read_bytes())
    reports = []
    for estimator in (bundled, levi_hassner):
        analyzer = Analyzer(Middle(), estimator)
        with open_dataset("utkface", tmp_path) as dataset:
            results = list(evaluate(dataset, analyzer))
            reports.append(report_object(dataset, analyzer.models, results))
            assert any(
                line.startswith("faces by true age")
                for line in report_lines(dataset, analyzer.models, results)
            )
    ours, theirs = reports
    assert list(ours) == list(theirs)
    assert theirs["groups"].keys() == ours["groups"].keys()
    for report in reports:
        assert sum(map(sum, report["confusion"]["counts"])) == 2
        assert [one["count"] for one in report["age_calibration"]] == [2] * 9


def test_levi_hassner_agrees_with_an_independent_forward_pass(
    nets: dict[str, Any], levi_hassner: LeviHassner, collins: Image
) -> None:
    faces = (COLLINS, *ELSEWHERE)
    crops = np.stack([margin_crop(collins, face.box, 0.4, 227) for face in faces])
    bgr = crops[..., [2, 1, 0]].transpose(0, 3, 1, 2) - np.reshape([78.42634, 87.76891, 114.89585], (3, 1, 1))
    ages, genders = (
        caffe_oracle.forward(layers, weights, bgr.astype(np.float32))
        for layers, weights in (nets["age"], nets["gender"])
    )
    assert ages.shape == (3, len(RANGES))
    assert genders.shape == (3, 2)
    assert 0.2 < ages.max() < 0.95  # neither flat nor certain, or this would prove little
    assert 0.05 < genders.min() < 0.4
    for (age, gender), of_range, (_male, female) in zip(
        levi_hassner.estimate(collins, faces), ages, genders, strict=True
    ):
        assert age.probabilities == pytest.approx(of_range, abs=1e-4)
        assert gender.p_female == pytest.approx(female, abs=1e-4)


def test_levi_hassner_in_parts_as_one_by_one(
    monkeypatch: pytest.MonkeyPatch, levi_hassner: LeviHassner, collins: Image
) -> None:
    faces = (COLLINS, *ELSEWHERE)
    alone = np.concatenate([numbers(levi_hassner.estimate(collins, [face])) for face in faces])
    monkeypatch.setattr(apparent, "BATCH", 2)
    np.testing.assert_allclose(numbers(levi_hassner.estimate(collins, faces)), alone, rtol=1e-4, atol=1e-5)
    assert levi_hassner.estimate(collins, ()) == ()


def test_levi_hassner_gives_the_same_from_many_threads(
    levi_hassner: LeviHassner, hopper: Image, collins: Image
) -> None:
    work = [(hopper, (HOPPER,)), (collins, (COLLINS, ELSEWHERE[0])), (collins, ELSEWHERE), (hopper, ())] * 4
    expected = [levi_hassner.estimate(*item) for item in work]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda item: levi_hassner.estimate(*item), work)) == expected


@pytest.mark.parametrize("content", [None, b"", b"not a model at all"])
def test_weights_that_cannot_be_read_say_so(
    nets: dict[str, Any], tmp_path: Path, content: bytes | None
) -> None:
    broken = tmp_path / "age_net.caffemodel"
    if content is not None:
        broken.write_bytes(content)
    with pytest.raises(ModelError, match=r"age_net\.caffemodel"):
        LeviHassner({**nets["paths"], broken.name: broken})


@pytest.mark.weights
def test_real_levi_hassner_weights_read_real_faces(
    monkeypatch: pytest.MonkeyPatch, mirror: Path, photos: Path, hopper: Image, collins: Image
) -> None:
    if OWN_CACHE is None:
        monkeypatch.delenv("AGEGENDER_CACHE")
    else:
        monkeypatch.setenv("AGEGENDER_CACHE", OWN_CACHE)
    spec = load_manifest()["levi-hassner"]
    if store.status(spec) != "cached":
        pytest.skip("the Levi–Hassner weights are not in the cache: agegender models fetch levi-hassner")
    estimator = LeviHassner(store.fetch(spec))
    ((age_hopper, _),) = estimator.estimate(hopper, (HOPPER,))
    ((age_collins, gender_collins),) = estimator.estimate(collins, (COLLINS,))
    assert gender_collins.label == "Female"
    assert 20 <= age_collins.years <= 50  # she was 35
    assert age_hopper.years > age_collins.years + 10  # she was 77
    detector = YuNet(mirror / "yunet_n_dynamic.onnx")
    for name, label in (("person-vlado.jpg", "Male"), ("person-linda.jpg", "Female")):
        photo = decode(photos / name)
        ((_, gender),) = estimator.estimate(photo, detector.detect(photo))
        assert gender.label == label, name
