"""Write the trained detector as the ONNX file that the app runs.

    python -m training.detector.export WORK models/faces.onnx

Takes `detector.pt` from WORK and prints the file's size and SHA-256 for models/manifest.toml. Inputs and outputs are those of YuNet's
files: BGR, 0 to 255, (1, 3, height, width); `cls`, `obj`, `bbox` and `kps` for the strides 8, 16 and 32.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from training.detector.net import KINDS, STRIDES, DetectorNet

SIDE_PX = 320


class Exported(nn.Module):
    """The net, with probabilities in the place of logits."""

    def __init__(self, net: DetectorNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = self.net(x)
        return [
            output.sigmoid() if index % len(KINDS) < 2 else output for index, output in enumerate(outputs)
        ]


def main(work: Path, target: Path) -> None:
    net = DetectorNet()
    net.load_state_dict(torch.load(work / "detector.pt")["average"])
    names = [f"{kind}_{stride}" for stride in STRIDES for kind in KINDS]
    torch.onnx.export(
        Exported(net).eval(),
        (torch.zeros(1, 3, SIDE_PX, SIDE_PX),),
        str(target),
        dynamo=False,
        input_names=["input"],
        output_names=names,
        dynamic_axes={"input": {2: "height", 3: "width"}, **{name: {1: f"cells_{name}"} for name in names}},
    )
    onnx.checker.check_model(onnx.load(target))
    content = target.read_bytes()
    print(f"{target}: bytes = {len(content)}, sha256 = {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
