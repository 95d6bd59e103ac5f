"""Quantise the exported net to 8 bits, and write the file that the app runs.

    python -m training.quantize WORK FILE models/apparent.onnx

FILE comes from `training.export`. All convolutions but the first, and the sums between them, get 8 bits;
activation ranges come from plain crops of training faces, without the outermost 0.001 %. Weights get 7 bits:
with 8, two products of bytes overflow where a processor accumulates in 16 bits (x86 before VNNI). Prints how
both files do on the held-out faces, and the new one's size and SHA-256 for models/manifest.toml.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
    shape_inference,
)

from agegender.estimation.apparent import Apparent
from agegender.types import Box, Face
from training.calibration import HELD_OUT
from training.faces import SIDE_PX, Faces
from training.files import describe, multiply_adds

CROPS = 512
PERCENTILE = 99.999
KINDS = ("Conv", "Add", "Relu", "AveragePool")
GROUP_STARTS = (3, 10, 20, 30, 40, 50, 60, 70)


class Crops(CalibrationDataReader):
    """The crops that determine activation ranges, in batches."""

    def __init__(self, crops: NDArray[np.uint8]) -> None:
        self.parts = iter(np.array_split(crops, len(crops) // 16))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        part = next(self.parts, None)
        return None if part is None else {"faces": part}


def body(path: Path) -> list[str]:
    """Names of the nodes that get 8 bits: all convolutions but the first, and what is between them."""
    nodes = list(onnx.load(path).graph.node)
    kinds = [node.op_type for node in nodes]
    between = nodes[kinds.index("Conv") + 1 : kinds.index("ReduceMean")]
    return [node.name for node in between if node.op_type in KINDS]


def held_out(path: Path, faces: Faces) -> str:
    """How a file does on the held-out faces, run as the app runs it."""
    estimator = Apparent(path)
    parts = [
        next(estimator.outputs(picture, [Face(Box(*box), 1.0, tuple(map(tuple, landmarks)))]))
        for picture, box, landmarks in zip(
            faces.pictures[-HELD_OUT:], faces.boxes[-HELD_OUT:], faces.landmarks[-HELD_OUT:], strict=True
        )
    ]
    pmf, female = (np.concatenate(column) for column in zip(*parts, strict=True))
    groups = np.stack([part.sum(axis=1) for part in np.split(pmf, GROUP_STARTS, axis=1)], axis=1)
    truth = torch.bucketize(faces.low[-HELD_OUT:], torch.tensor(GROUP_STARTS), right=True).numpy()
    apart = np.abs((groups.cumsum(axis=1)[:, :-1] < 0.5).sum(axis=1) - truth)
    right = (female > 0.5) == (faces.female[-HELD_OUT:].numpy() > 0.5)
    nll = -np.log(np.maximum(groups[np.arange(len(groups)), truth], 1e-9)).mean()
    return (
        f"{path.name}: gender {right.mean():.4f} group {(apart == 0).mean():.4f} "
        f"±1 {(apart <= 1).mean():.4f} nll {nll:.4f}"
    )


def main(work: Path, source: Path, target: Path) -> None:
    faces = Faces(work)
    trained = np.random.default_rng(0).choice(faces.trained, CROPS, replace=False)
    crops = np.stack([faces.plain_crop(index) for index in trained])
    with TemporaryDirectory() as folder:
        prepared = Path(folder) / source.name
        shape_inference.quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            Crops(crops),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=body(prepared),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )
    for path in (source, target):
        print(held_out(path, faces))
    print(describe(target))
    print(f"{multiply_adds(source, (1, SIDE_PX, SIDE_PX, 3)) / 1e6:.1f} million multiply-adds a face")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
