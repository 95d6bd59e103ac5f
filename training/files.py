"""Files of nets: their weights in fewer bytes, and what is said of one that has been written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def describe(path: Path) -> str:
    """Return the file's size and SHA-256, as models/manifest.toml wants them."""
    content = path.read_bytes()
    return f"{path}: bytes = {len(content)}, sha256 = {hashlib.sha256(content).hexdigest()}"


def halve(path: Path) -> None:
    """Store the file's large weights as 16-bit floats, which are widened again when it is loaded."""
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
