"""Caffe in a hundred lines: read a deploy.prototxt, write random weights for it, run the net.

Written from Caffe's own definitions (caffe.proto and its layer catalogue), independently of OpenCV, as an
oracle.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Weights = dict[str, list[np.ndarray]]


def read_prototxt(path: Path) -> list[dict[str, Any]]:
    """The layers, each a dict of lists, as in text protobuf."""
    tokens = re.findall(r'"[^"]*"|[\w.+-]+|[{}:]', path.read_text())
    layers: list[dict[str, Any]] = _message(iter(tokens))["layers"]
    return layers


def _message(tokens: Iterator[str]) -> dict[str, Any]:
    fields = defaultdict(list)
    for key in tokens:
        if key == "}":
            break
        fields[key].append(_message(tokens) if next(tokens) == "{" else next(tokens).strip('"'))
    return fields


def _numbers(layer: dict[str, Any], kind: str, **defaults: float) -> list[float]:
    """Parameters of a layer, in the order of `defaults`."""
    given = layer[kind][0]
    return [float(given[name][0]) if name in given else default for name, default in defaults.items()]


def random_weights(layers: list[dict[str, Any]], rng: np.random.Generator, channels: int = 3) -> Weights:
    """Random weights and biases that keep activations in scale from layer to layer, for 227×227 inputs.

    The last layer scales them to where softmax is neither flat nor certain.
    """
    weights: Weights = {}
    side = 227
    for layer in layers:
        (kind,) = layer["type"]
        if kind == "CONVOLUTION":
            out, size, stride, pad = map(int, _convolution(layer))
            shape: tuple[int, ...] = (out, channels, size, size)
            side, channels = (side + 2 * pad - size) // stride + 1, out
        elif kind == "POOLING":
            size, stride = map(int, _numbers(layer, "pooling_param", kernel_size=0, stride=1))
            side = -(-(side - size) // stride) + 1
        elif kind == "INNER_PRODUCT":
            shape = (int(_numbers(layer, "inner_product_param", num_output=0)[0]), channels * side * side)
            channels, side = shape[0], 1
        if kind in ("CONVOLUTION", "INNER_PRODUCT"):
            scale = np.sqrt(2 / np.prod(shape[1:])) * (1 if shape[0] > 8 else 1 / 60)
            matrix = rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)
            weights[layer["name"][0]] = [matrix, rng.standard_normal(shape[0], dtype=np.float32) / 10]
    return weights


def _convolution(layer: dict[str, Any]) -> list[float]:
    return _numbers(layer, "convolution_param", num_output=0, kernel_size=0, stride=1, pad=0)


def write_caffemodel(path: Path, weights: Weights) -> None:
    """Write a binary NetParameter: layer = 100 {name = 1, blobs = 7 {data = 5, shape = 7 {dim = 1}}}."""
    layers = b""
    for name, blobs in weights.items():
        layer = _field(1, name.encode())
        for blob in blobs:
            shape = _field(1, b"".join(map(_varint, blob.shape)))
            layer += _field(7, _field(5, blob.astype("<f4").tobytes()) + _field(7, shape))
        layers += _field(100, layer)
    path.write_bytes(layers)


def _varint(number: int) -> bytes:
    head, rest = number & 0x7F, number >> 7
    return bytes([head | 0x80]) + _varint(rest) if rest else bytes([head])


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def forward(layers: list[dict[str, Any]], weights: Weights, x: np.ndarray) -> np.ndarray:
    """Run the net on a batch (n, channels, height, width)."""
    for layer in layers:
        (kind,) = layer["type"]
        matrix, bias = weights.get(layer["name"][0], (np.empty(0), np.empty(0)))
        if kind == "CONVOLUTION":
            _, size, stride, pad = map(int, _convolution(layer))
            padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
            windows = sliding_window_view(padded, (size, size), (2, 3))[:, :, ::stride, ::stride]
            x = np.tensordot(windows, matrix, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
            x = x + bias[:, None, None]
        elif kind == "RELU":
            x = np.maximum(x, 0)
        elif kind == "POOLING":  # the last window may extend beyond the input
            size, stride = map(int, _numbers(layer, "pooling_param", kernel_size=0, stride=1))
            more = [(0, (size - side) % stride) for side in x.shape[2:]]
            padded = np.pad(x, ((0, 0), (0, 0), *more), constant_values=-np.inf)
            x = sliding_window_view(padded, (size, size), (2, 3))[:, :, ::stride, ::stride].max((4, 5))
        elif kind == "LRN":  # across channels; alpha is divided among them
            local_size, alpha, beta = _numbers(layer, "lrn_param", local_size=5, alpha=1, beta=0.75)
            half = int(local_size) // 2
            squares = np.pad(x**2, ((0, 0), (half, half), (0, 0), (0, 0)))
            sums = sliding_window_view(squares, int(local_size), 1).sum(-1)
            x = x / (1 + alpha / local_size * sums) ** beta
        elif kind == "INNER_PRODUCT":
            x = x.reshape(len(x), -1) @ matrix.T + bias
        elif kind == "SOFTMAX":
            x = np.exp(x - x.max(1, keepdims=True))
            x = x / x.sum(1, keepdims=True)
        else:
            assert kind == "DROPOUT", kind  # no effect at inference
    return x
