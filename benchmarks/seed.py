"""The application that this one grew out of: an SSD, then two Caffe nets for every face."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from agegender.analyzer import Analyzer
from agegender.detection.ssd import SSD
from agegender.errors import ModelError
from agegender.estimation.levi_hassner import LeviHassner
from agegender.models import store
from agegender.models.manifest import load_manifest


def seed_analyzer() -> tuple[Analyzer, str]:
    """The SSD with the two Caffe nets, and a note on their weights. Raises `ModelError`."""
    manifest = load_manifest()
    ssd = store.fetch(manifest["ssd"])
    detector = SSD(ssd["opencv_face_detector_uint8.pb"], ssd["opencv_face_detector.pbtxt"])
    spec = manifest["levi-hassner"]
    try:
        return Analyzer(detector, LeviHassner(store.fetch(spec))), "as published"
    except ModelError:
        graphs = tuple(file for file in spec.files if file.name.endswith(".prototxt"))
        return Analyzer(detector, made_up_nets(store.fetch(replace(spec, files=graphs)))), "made up"


def made_up_nets(graphs: dict[str, Path]) -> LeviHassner:
    """The two nets with random weights, which take as long to run."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import caffe_oracle  # type: ignore[import-not-found, unused-ignore]

    with tempfile.TemporaryDirectory() as folder:
        paths = dict(graphs)
        for kind in ("age", "gender"):
            path = Path(folder) / f"{kind}_net.caffemodel"
            layers = caffe_oracle.read_prototxt(graphs[f"{kind}_deploy.prototxt"])
            caffe_oracle.write_caffemodel(path, caffe_oracle.random_weights(layers, np.random.default_rng(1)))
            paths[path.name] = path
        return LeviHassner(paths)
