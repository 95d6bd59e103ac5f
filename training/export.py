"""Calibrate the trained net on the held-out faces and write it as an ONNX file.

    python -m training.export WORK FILE

Takes `checkpoint.pt` from WORK. In the file are also the scaling of the pixels and the calibration. The app
runs what `training.quantize` makes of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agegender.estimators import Apparent
from training.calibration import HELD_OUT, best_temperature, spread_loss
from training.faces import SIDE_PX, Faces, to_net
from training.files import describe
from training.net import FaceNet, years_pmf


class Exported(nn.Module):
    """(n, side, side, 3) RGB bytes → P(k ≤ age < k + 1), (n, 100), and P(female), (n,)."""

    def __init__(self, net: FaceNet, age_temperature: float, gender_temperature: float) -> None:
        super().__init__()
        self.net = net
        self.age_temperature = age_temperature
        self.gender_temperature = gender_temperature

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.net(to_net(faces))
        p_female = torch.sigmoid(outputs[:, -1] / self.gender_temperature)
        return years_pmf(outputs, self.age_temperature), p_female


@torch.no_grad()
def calibrate(exported: Exported, faces: Faces) -> None:
    """Set the temperatures that make the held-out faces most likely, ages spread evenly over their groups.

    As the app reads them: in its two views.
    """
    indices = np.arange(len(faces) - HELD_OUT, len(faces))
    views = [
        torch.cat([exported.net(faces.plain_crops(chunk, *view)) for chunk in np.array_split(indices, 20)])
        for view in Apparent.VIEWS
    ]

    def age_nll(temperature: float) -> float:
        pmf = torch.stack([years_pmf(outputs, temperature) for outputs in views]).mean(0)
        return spread_loss(pmf.numpy(), faces.low[indices].numpy(), faces.high[indices].numpy())

    def gender_nll(temperature: float) -> float:
        logits = torch.stack(views)[..., -1].mean(0) / temperature
        return float(F.binary_cross_entropy_with_logits(logits, faces.female[indices]))

    exported.age_temperature = best_temperature("age", age_nll)
    exported.gender_temperature = best_temperature("gender", gender_nll)


def fold_pools(net: FaceNet) -> None:
    """Make one convolution of each shortcut's average and the one after it, where sides are even.

    The same numbers come out; averaging in 8 bits is slow in ONNX Runtime.
    """
    side_px = SIDE_PX // 2
    for block in net.body:
        pool, convolution, norm = block.shortcut if isinstance(block.shortcut, nn.Sequential) else (None,) * 3
        if isinstance(pool, nn.AvgPool2d):
            if side_px % 2 == 0:
                whole = nn.Conv2d(convolution.in_channels, convolution.out_channels, 2, 2, bias=False)
                whole.weight.data = convolution.weight.data.expand(-1, -1, 2, 2).clone() / 4
                block.shortcut = nn.Sequential(whole, norm)
            side_px = (side_px + 1) // 2


def main(work: Path, target: Path) -> None:
    net = FaceNet()
    net.load_state_dict(torch.load(work / "checkpoint.pt")["average"])
    fold_pools(net)
    exported = Exported(net, 1.0, 1.0).eval()
    calibrate(exported, Faces(work))
    example = torch.zeros(2, SIDE_PX, SIDE_PX, 3, dtype=torch.uint8)
    torch.onnx.export(
        exported,
        (example,),
        str(target),
        dynamo=False,
        input_names=["faces"],
        output_names=["years_pmf", "p_female"],
        dynamic_axes={"faces": {0: "n"}, "years_pmf": {0: "n"}, "p_female": {0: "n"}},
    )
    print(describe(target))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
