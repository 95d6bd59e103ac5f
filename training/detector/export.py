"""Write the trained detector as the ONNX file that the app runs.

    python -m training.detector.export WORK models/faces.onnx

Takes `detector.pt` from WORK and prints the file's size and SHA-256 for models/manifest.toml. Inputs and
outputs are those of YuNet's files: BGR, 0 to 255, (n, 3, height, width); `cls`, `obj`, `bbox` and `kps` for
the strides 8, 16 and 32. Objectness is lowered by as much as makes 0.7, the app's limit, the score from
which on one face in so many faceless scenes is invented; the scenes are of chips that training never saw.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.detector.material import SIDE_PX, Material
from training.detector.measure import found, to_net
from training.detector.net import KINDS, STRIDES, DetectorNet
from training.detector.scenes import empty, made_worse
from training.files import describe, halve

SCORE = 0.7
SCENES = 300
INVENTED = 0.01
"""So many faces may be invented in a faceless scene, each of which is made of what looks like one."""


class Exported(nn.Module):
    """The net, with probabilities in the place of logits."""

    def __init__(self, net: DetectorNet, lowered: float = 0.0) -> None:
        super().__init__()
        self.net = net
        self.lowered = lowered

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = self.net(x)
        kinds = [KINDS[index % len(KINDS)] for index in range(len(outputs))]
        return [
            (output - self.lowered * (kind == "obj")).sigmoid() if kind in ("cls", "obj") else output
            for kind, output in zip(kinds, outputs, strict=True)
        ]


@torch.no_grad()
def limit(net: Exported, material: Material) -> float:
    """Return the score from which on `INVENTED` faces are found in a faceless scene."""
    scores: list[float] = []
    for number in range(SCENES):
        rng = np.random.default_rng((10, number))
        image = made_worse(empty(material, rng, True).image, rng)
        outputs = [output.numpy() for output in net(to_net(torch.from_numpy(image)[None]))]
        scores += found(outputs, 0.3).scores.tolist()
    return sorted(scores, reverse=True)[round(INVENTED * SCENES)]


def lowering(score: float) -> float:
    """Return by how much objectness has to be lowered to bring a score, fit like objectness, to `SCORE`."""

    def logit(p: float) -> float:
        return float(np.log(p / (1 - p)))

    return logit(score) - logit(SCORE**2 / score)


def main(work: Path, target: Path) -> None:
    net = DetectorNet()
    net.load_state_dict(torch.load(work / "detector.pt")["average"])
    exported = Exported(net).eval()
    score = limit(exported, Material(work))
    exported.lowered = lowering(score)
    print(f"a score of {score:.3f} becomes {SCORE}: objectness lowered by {exported.lowered:.3f}")
    names = [f"{kind}_{stride}" for stride in STRIDES for kind in KINDS]
    torch.onnx.export(
        exported,
        (torch.zeros(1, 3, SIDE_PX, SIDE_PX),),
        str(target),
        dynamo=False,
        input_names=["input"],
        output_names=names,
        dynamic_axes={
            "input": {0: "n", 2: "height", 3: "width"},
            **{name: {0: "n", 1: f"cells_{name}"} for name in names},
        },
    )
    halve(target)
    print(describe(target))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
