"""Model files: storing weights in fewer bytes, and describing a written file."""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def describe(path: Path) -> str:
    """Size and SHA-256 of the file, as models/manifest.toml needs them."""
    content = path.read_bytes()
    return f"{path}: bytes = {len(content)}, sha256 = {hashlib.sha256(content).hexdigest()}"


def multiply_adds(path: Path, shape: tuple[int, ...]) -> int:
    """Multiply-adds of the file's convolutions and matrix products for one input."""
    model = onnx.load(path)
    for size, dimension in zip(shape, model.graph.input[0].type.tensor_type.shape.dim, strict=True):
        dimension.ClearField("dim_param")
        dimension.dim_value = size
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output, *graph.input)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
        elif node.op_type in ("Gemm", "MatMul"):
            total += prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return total


def halve(path: Path) -> None:
    """Store the file's large weights as 16-bit floats, which are widened again on loading."""
    model = onnx.load(path)
    casts = []
    for index, tensor in enumerate(list(model.graph.initializer)):
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size > 64:
            name = tensor.name
            half = numpy_helper.from_array(array.astype(np.float16), f"{name}_half")
            model.graph.initializer[index].CopyFrom(half)
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, path)
