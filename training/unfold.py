"""Take the weights of an exported file back into a net that can be trained further.

The file holds convolutions with the batch normalisations folded into them. Here the two are taken apart
again: a filter gets the length that it would be initialised with, and its normalisation the mean and the
deviation that the filter's answers have on crops, so that the net gives what the file gives.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.net import FaceNet


@torch.no_grad()
def load_exported(net: FaceNet, path: Path, crops: Tensor) -> None:
    """Give the net the weights of a file by `training.export`; `crops` are (n, 3, side, side), RGB, 0–255."""
    graph = onnx.load(path).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor).astype(np.float32) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
    folded = [node.input[1:] for node in graph.node if node.op_type == "Conv"]
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for (weight, bias), convolution, norm in zip(folded, convolutions, norms, strict=True):
        convolution.weight.copy_(torch.from_numpy(arrays[weight]))
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
        mean, variance = (
            answers[norm].mean((0, 2, 3)),
            answers[norm].var((0, 2, 3), correction=0),
        )
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)
        lengths = convolution.weight.flatten(1).norm(dim=1)
        ratio = np.sqrt(2.0) / lengths.clamp(min=1e-6)
        convolution.weight.mul_(ratio[:, None, None, None])
        norm.running_mean.copy_(mean * ratio)
        norm.running_var.copy_(variance * ratio**2)
