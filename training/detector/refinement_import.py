"""Read the second stage back from the ONNX file that the app runs, to go on training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from training.detector.refinement_export import Exported
from training.detector.refinement_net import RefinementNet


def read(path: Path) -> Exported:
    """Return the net of a file of `refinement_export.write`, in evaluation mode.

    The file's convolutions hold their normalization already; that of the net starts as one that does nothing.
    """
    graph = onnx.load(path).graph
    arrays = {
        tensor.name.removesuffix("_half"): numpy_helper.to_array(tensor) for tensor in graph.initializer
    }
    folded = [
        [tensor_of(arrays[name]) for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"
    ]
    exported = Exported(RefinementNet(len(arrays["net.hidden.bias"]))).eval()
    modules = list(exported.net.modules())
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
    norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for convolution, norm, (weight, bias) in zip(convolutions, norms, folded, strict=True):
            convolution.weight.copy_(weight)
            norm.weight.fill_((1 + norm.eps) ** 0.5)
            norm.bias.copy_(bias)
        for name in ("hidden", "head"):
            layer = exported.net.get_submodule(name)
            layer.load_state_dict(
                {part: tensor_of(arrays[f"net.{name}.{part}"]) for part in ("weight", "bias")}
            )
        numbers = [arrays[name] for name in sorted(arrays) if arrays[name].shape == ()]
        exported.both.copy_(tensor_of(np.array(numbers)))
    return exported


def tensor_of(array: NDArray[np.floating]) -> Tensor:
    """Return the array as a tensor of 32 bits."""
    return torch.from_numpy(array.astype(np.float32))
