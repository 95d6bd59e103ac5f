"""Calibrate the age of an exported ONNX file anew, without the checkpoint that it was made from.

    python -m training.recalibrate WORK models/apparent.onnx

Chooses the temperature of age by the held-out faces in WORK, as `training.export` does, changes it in the
file, and prints the file's size and SHA-256 for models/manifest.toml. Nothing else in it changes.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.utils import Extractor

from agegender.alignment import align
from agegender.types import Box, Face
from training.calibration import HELD_OUT, best_temperature, spread_loss

OUTPUTS = "/net/head/Gemm_output_0"
"""What the net itself gives. The graph from there on is the formula of the distribution over years."""


def held_out_crops(
    work: Path, size_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Return the held-out faces as the app would crop them, from which age on, and below which they are."""
    arrays = np.load(work / "faces.npz")
    count = len(arrays["boxes"])
    pictures = np.load(work / "pictures.npy", mmap_mode="r")[count - HELD_OUT : count]
    landmarks, boxes = (arrays[name][-HELD_OUT:].astype(np.float64) for name in ("landmarks", "boxes"))
    crops = [
        align(picture, Face(Box(*box), 1.0, tuple(map(tuple, points))), size_px)
        for picture, points, box in zip(pictures, landmarks, boxes, strict=True)
    ]
    return np.stack(crops), arrays["age_min"][-HELD_OUT:], arrays["age_max"][-HELD_OUT:] + 1


def temperature_constants(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    """Return what the scales of age, softplus · 6 + 1, are multiplied by: for faces and for mirror images."""
    makers = {output: node for node in graph.node for output in node.output}

    def operators_up(node: onnx.NodeProto, count: int) -> list[str]:
        made_by = [node.op_type]
        while len(made_by) < count and node.input and node.input[0] in makers:
            node = makers[node.input[0]]
            made_by.append(node.op_type)
        return made_by

    scalings = [node for node in graph.node if operators_up(node, 4) == ["Mul", "Add", "Mul", "Softplus"]]
    return [makers[node.input[1]].attribute[0].t for node in scalings]


def set_temperature(model: onnx.ModelProto, temperature: float) -> None:
    """Change the temperature of age. Raises `ValueError` when it is not there twice."""
    constants = temperature_constants(model.graph)
    if len(constants) != 2:
        raise ValueError("This is not a file that training.export wrote.")
    for constant in constants:
        constant.CopyFrom(numpy_helper.from_array(np.array(temperature, dtype=np.float32)))


def run(model: onnx.ModelProto, feed: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
    """Return the model's only output."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: NDArray[np.float32] = session.run(None, feed)[0]
    return output


def main(work: Path, target: Path) -> None:
    model = onnx.load(target)
    parts = Extractor(onnx.shape_inference.infer_shapes(model))
    net, formula = parts.extract_model(["faces"], [OUTPUTS]), parts.extract_model([OUTPUTS], ["years_pmf"])
    size_px = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    crops, low_years, high_years = held_out_crops(work, size_px)
    # The net puts the mirror images after the faces: in every part first the ones, then the others.
    halves = [run(net, {"faces": part}).reshape(2, len(part), -1) for part in np.array_split(crops, 10)]
    outputs = np.concatenate(halves, axis=1)
    outputs = outputs.reshape(-1, outputs.shape[-1])

    def loss(temperature: float) -> float:
        set_temperature(formula, temperature)
        return spread_loss(run(formula, {OUTPUTS: outputs}), low_years, high_years)

    set_temperature(model, best_temperature("age", loss))
    onnx.checker.check_model(model)
    onnx.save(model, target)
    content = target.read_bytes()
    print(f"{target}: bytes = {len(content)}, sha256 = {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
