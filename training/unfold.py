"""Turn a bundled file's weights back into a checkpoint from which training can continue.

    python -m training.unfold WORK models/apparent.onnx CHECKPOINT

The file holds 8-bit convolutions with the normalisations folded into them. This separates them again: each
filter gets the norm it would be initialised with, and its normalisation the mean and deviation of the
filter's responses to crops of training faces, so that the net's outputs equal the file's. CHECKPOINT is for
`training.train --weights`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from training.faces import Faces
from training.net import FaceNet

CROPS = 512
Part = TypeVar("Part", bound=nn.Module)


def initializers(graph: onnx.GraphProto) -> dict[str, NDArray[np.float32]]:
    """The file's constants by name, dequantised where they are quantised."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            levels, scale, zero = (arrays[name].astype(np.float32) for name in node.input)
            per_filter = (-1,) + (1,) * (levels.ndim - 1)
            arrays[node.output[0]] = (levels - zero.reshape(per_filter)) * scale.reshape(per_filter)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def in_order_of_names(net: FaceNet, kind: type[Part]) -> list[Part]:
    """The net's modules of a kind in order of name, the same order as in the file."""
    parts = dict(net.named_modules())
    return [part for name in sorted(parts) if isinstance(part := parts[name], kind)]


@torch.no_grad()
def unfold(net: FaceNet, path: Path, crops: Tensor) -> None:
    """Give the net the weights of the file; `crops` are (n, 3, side, side), RGB, 0–255."""
    graph = onnx.load(path).graph
    arrays = initializers(graph)
    nodes = sorted((node for node in graph.node if node.op_type == "Conv"), key=lambda node: node.name)
    folded = [node.input[1:] for node in nodes]
    convolutions, norms = in_order_of_names(net, nn.Conv2d), in_order_of_names(net, nn.BatchNorm2d)
    for (weight, bias), convolution, norm in zip(folded, convolutions, norms, strict=True):
        filters = torch.from_numpy(arrays[weight])
        if filters.shape[-1] == 2:  # average pooling merged into a 1×1 convolution by `training.export`
            filters = filters.sum((2, 3), keepdim=True)
        convolution.weight.copy_(filters)
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.fill_(1)
        norm.bias.copy_(torch.from_numpy(arrays[bias]))
    net.head.weight.copy_(torch.from_numpy(arrays["net.head.weight"]))
    net.head.bias.copy_(torch.from_numpy(arrays["net.head.bias"]))

    answers: dict[nn.Module, Tensor] = {}
    hooks = [
        norm.register_forward_pre_hook(lambda module, inputs: answers.update({module: inputs[0]}))
        for norm in norms
    ]
    net.eval()(crops)
    for hook in hooks:
        hook.remove()
    for convolution, norm in zip(convolutions, norms, strict=True):
        mean, variance = answers[norm].mean((0, 2, 3)), answers[norm].var((0, 2, 3), correction=0)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)
        lengths = convolution.weight.flatten(1).norm(dim=1)
        ratio = np.sqrt(2.0) / lengths.clamp(min=1e-6)
        convolution.weight.mul_(ratio[:, None, None, None])
        norm.running_mean.copy_(mean * ratio)
        norm.running_var.copy_(variance * ratio**2)


def main(work: Path, source: Path, target: Path) -> None:
    net = FaceNet()
    unfold(net, source, Faces(work).plain_crops(np.arange(CROPS)))
    torch.save({"average": net.state_dict()}, target)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
