"""Teach the second stage anew what is no face, on the features that it has.

    python -m training.detector.rejudge WORK WRONG models/refinement.onnx

WORK is what `training.detector.prepare` filled, WRONG what `training.detector.wrong` gathered. The net's
convolutions, its points and its first judgement stay; a small net on the features of the last convolution is
added to that judgement. Faces are chips with the teacher's boxes, moved, turned, masked, dark, small; the
others are crops of what two detectors took for faces where nobody is, and chips with something else for the
face. It learns on one core in minutes. The score for the first stage's boxes is shifted so that as many
held-out faces keep theirs as before; `is_face` is the judgement alone, for other detectors' boxes. Prints the
file's size and SHA-256 for models/manifest.toml.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from agegender.detection.second_opinion import MARGIN
from agegender.types import Image
from training.detector.candidates import STORED_PX
from training.detector.material import CHIP_PX, Material
from training.detector.refinement_net import SIDE_PX
from training.detector.scenes import made_worse, without_face
from training.files import describe

FACES, EMPTY = 9000, 2500
"""Crops of faces, and of chips without their face, made of training chips; a tenth as many held out."""

LOST = (0.003, 0.01, 0.03)
WRONG_EACH = 3
HIDDEN = 48
EPOCHS = 30
WRONG_WEIGHT = 2.0
FEATURES, LOGITS = "/net/Flatten_output_0", "/net/Gather_output_0"
"""What the file calls the last convolution's numbers, (n, 1536), and the first judgement, (n,)."""

Crops = list[Image]


def warped(
    image: Image, center: NDArray[np.float64], side: float, rng: Generator, most_degrees: float
) -> Image:
    """Return the crop of a square, moved a little, turned, perhaps mirrored or enlarged from a small one."""
    side *= float(np.exp(rng.normal(0, 0.1)))
    center = center + rng.normal(0, 0.04, 2) * side
    often = rng.random() < 0.7
    angle = np.deg2rad(rng.normal(0, 9) if often else rng.uniform(-most_degrees, most_degrees))
    scale = SIDE_PX / side
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        matrix[0] *= -1
    matrix = np.column_stack([matrix, np.full(2, SIDE_PX / 2) - matrix @ center])
    crop = cv2.warpAffine(
        image, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    if rng.random() < 0.4:
        small = int(rng.uniform(18, SIDE_PX))
        crop = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
    return made_worse(np.asarray(crop, np.uint8), rng)


def square_of(face: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Return the middle and the side of the square that the second stage sees of a chip's face."""
    left, top, right, bottom = face[:4].astype(np.float64)
    return np.array([(left + right) / 2, (top + bottom) / 2]), max(right - left, bottom - top) * (
        1 + 2 * MARGIN
    )


def faces_of(material: Material, count: int, rng: Generator, held_out: bool) -> Crops:
    """Return crops of chips' faces."""
    crops = []
    for _ in range(count):
        chip = material.chip(rng, held_out)
        crops.append(warped(chip.image, *square_of(chip.faces[0]), rng, 50))
    return crops


def emptied(material: Material, count: int, rng: Generator, held_out: bool) -> Crops:
    """Return crops of chips with something else where the face was, and of backs of heads and clothes."""
    crops = []
    for _ in range(count):
        chip = material.chip(rng, held_out)
        center, side = square_of(chip.faces[0])
        empty = without_face(chip, material, rng).image
        place = center if rng.random() < 0.5 else rng.uniform(0, CHIP_PX, 2)
        crops.append(warped(empty, place, side * float(np.exp(rng.normal(0, 0.4))), rng, 180))
    return crops


def wrong(stored: NDArray[np.uint8], each: int, rng: Generator) -> Crops:
    """Return crops of what was taken for a face."""
    middle, side = np.full(2, STORED_PX / 2), STORED_PX * (1 + 2 * MARGIN) / 2
    return [warped(crop, middle, side, rng, 30) for crop in stored for _ in range(each)]


def seen(session: onnxruntime.InferenceSession, crops: Crops) -> tuple[Tensor, Tensor]:
    """Return the features of crops, (n, 1536), and the first judgement of them, (n,)."""
    parts = []
    for start in range(0, len(crops), 128):
        batch = np.stack(crops[start : start + 128])
        parts.append(
            session.run([FEATURES, LOGITS], {"crops": batch, "scores": np.full(len(batch), 0.5, np.float32)})
        )
    features, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return torch.from_numpy(features), torch.from_numpy(logits)


class Correction(nn.Module):
    """Features, (n, 1536) → what is added to the first judgement, (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(1536, HIDDEN), nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Tensor) -> Tensor:
        hidden = F.relu(self.hidden(F.dropout(features, 0.3, self.training)))
        numbers: Tensor = self.head(F.dropout(hidden, 0.2, self.training))
        return numbers[:, 0]


def train(features: Tensor, logits: Tensor, is_face: Tensor) -> Correction:
    """Return what corrects the first judgement of training crops."""
    net, weights = Correction(), torch.where(is_face > 0.5, 1.0, WRONG_WEIGHT)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.05)
    steps = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(logits)).split(256):
            judged = logits[batch] + net(features[batch])
            loss = F.binary_cross_entropy_with_logits(judged, is_face[batch], weights[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        steps.step()
    return net.eval()


def write(net: Correction, source: Path, target: Path, raised: float) -> None:
    """Put the correction into the file, and raise the score's logit."""
    model = onnx.load(source)
    graph = model.graph
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == LOGITS:
                node.input[place] = "judged"
    at = next(i for i, node in enumerate(graph.node) if LOGITS in node.output) + 1
    weights = {name: parameter.detach().numpy() for name, parameter in net.named_parameters()}
    for name, array in weights.items():
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float16), f"correction.{name}_half"))
    casts = [
        helper.make_node(
            "Cast", [f"correction.{name}_half"], [f"correction.{name}"], to=onnx.TensorProto.FLOAT
        )
        for name in weights
    ]
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "correction.flat"))
    names = [f"correction.{name}" for name in weights]
    nodes = [
        *casts,
        helper.make_node("Gemm", [FEATURES, names[0], names[1]], ["correction.1"], transB=1),
        helper.make_node("Relu", ["correction.1"], ["correction.2"]),
        helper.make_node("Gemm", ["correction.2", names[2], names[3]], ["correction.3"], transB=1),
        helper.make_node("Reshape", ["correction.3", "correction.flat"], ["correction.4"]),
        helper.make_node("Add", [LOGITS, "correction.4"], ["judged"]),
    ]
    for node in reversed(nodes):
        graph.node.insert(at, node)
    constant = next(tensor for tensor in graph.initializer if tensor.name == "onnx::Add_175")
    moved = numpy_helper.to_array(constant) + np.float32(raised)
    constant.CopyFrom(numpy_helper.from_array(np.asarray(moved, np.float32), constant.name))
    onnx.checker.check_model(model)
    onnx.save(model, target)


def with_features(path: Path) -> onnxruntime.InferenceSession:
    """Return the file's session, with its features and first judgement as outputs."""
    model = onnx.load(path)
    for name, shape in ((FEATURES, ["n", 1536]), (LOGITS, ["n"])):
        model.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def main(work: Path, mistakes: Path, path: Path) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rng, material = np.random.default_rng(41), Material(work)
    with np.load(mistakes) as arrays:
        stored, held = arrays["crops"], arrays["held_out"]
    session = with_features(path)
    made = [
        seen(session, crops)
        for crops in (
            faces_of(material, FACES, rng, False),
            [*wrong(stored[~held], WRONG_EACH, rng), *emptied(material, EMPTY, rng, False)],
            faces_of(material, FACES // 10, rng, True),
            wrong(stored[held], 1, rng),
        )
    ]
    (faces, faces_old), (others, others_old), (kept, kept_old), (bad, bad_old) = made
    is_face = torch.cat([torch.ones(len(faces)), torch.zeros(len(others))])
    net = train(torch.cat([faces, others]), torch.cat([faces_old, others_old]), is_face)
    with torch.no_grad():
        kept_new, bad_new = kept_old + net(kept), bad_old + net(bad)
    for name, good, ill in (("before", kept_old, bad_old), ("now", kept_new, bad_new)):
        stay = [f"{lost:.1%}: {(ill > good.quantile(lost)).float().mean():.3f}" for lost in LOST]
        print(f"{name}: of {len(ill)} mistakes stay, where so many of {len(good)} faces are lost: {stay}")
    raised = float(kept_old.quantile(0.01) - kept_new.quantile(0.01))
    least = kept_new.quantile(torch.tensor(LOST)).sigmoid().tolist()
    print(f"the score raised by {raised:.3f}; {LOST} of the faces have less of is_face than {least}")
    write(net, path, path, raised)
    print(describe(path))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
