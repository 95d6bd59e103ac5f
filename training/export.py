"""Calibrate the trained net on the held-out faces and write it as an ONNX file.

    python -m training.export WORK FILE

Takes `checkpoint.pt` from WORK. In the file are also the scaling of the pixels and the calibration. The app
runs what `training.quantize` makes of it.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agegender.estimation.apparent import Apparent
from training.calibration import HELD_OUT, best_temperature, spread_loss
from training.faces import SIDE_PX, Faces, to_net
from training.files import describe
from training.net import FaceNet, years_pmf

SCALES = np.linspace(0.3, 1.5, 49).tolist()
BENDS = np.linspace(0.0, 0.6, 49).tolist()


class Exported(nn.Module):
    """(n, side, side, 3) RGB bytes → P(k ≤ age < k + 1), (n, 100), and P(female), (n,)."""

    def __init__(self, net: FaceNet, age_temperature: float = 1.0) -> None:
        super().__init__()
        self.net = net
        self.age_temperature = age_temperature
        self.gender_scale, self.gender_bend = 1.0, 0.0

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.net(to_net(faces))
        p_female = torch.sigmoid(bent(outputs[:, -1], self.gender_scale, self.gender_bend))
        return years_pmf(outputs, self.age_temperature), p_female


def bent(logits: Tensor, scale: float, bend: float) -> Tensor:
    """Return logits scaled the more the surer they are: smoothed labels hold back the surest ones alone."""
    return logits * (scale + bend * logits.abs())


@torch.no_grad()
def calibrate(exported: Exported, faces: Faces) -> None:
    """Set what makes the held-out faces most likely, ages spread evenly over their groups.

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

    def gender_nll(scale: float, bend: float) -> float:
        logits = bent(torch.stack(views)[..., -1], scale, bend).mean(0)
        return float(F.binary_cross_entropy_with_logits(logits, faces.female[indices]))

    exported.age_temperature = best_temperature("age", age_nll)
    exported.gender_scale, exported.gender_bend = min(
        product(SCALES, BENDS), key=lambda pair: gender_nll(*pair)
    )
    before, after = gender_nll(1.0, 0.0), gender_nll(exported.gender_scale, exported.gender_bend)
    print(
        f"gender: scale {exported.gender_scale:.3f}, bend {exported.gender_bend:.3f}, "
        f"held-out loss {before:.4f} → {after:.4f}"
    )


def fold_pools(net: FaceNet) -> None:
    """Make one convolution of each shortcut's average and the one after it, where sides are even.

    The same numbers come out; averaging in 8 bits is slow in ONNX Runtime.
    """
    side_px = SIDE_PX // 2
    for block in net.body:
        if isinstance(block.shortcut, nn.Sequential) and isinstance(block.shortcut[0], nn.AvgPool2d):
            _, convolution, norm = block.shortcut
            if side_px % 2 == 0:
                whole = nn.Conv2d(convolution.in_channels, convolution.out_channels, 2, 2, bias=False)
                whole.weight.data = convolution.weight.data.expand(-1, -1, 2, 2).clone() / 4
                block.shortcut = nn.Sequential(whole, norm)
            side_px = (side_px + 1) // 2


def main(work: Path, target: Path) -> None:
    net = FaceNet()
    net.load_state_dict(torch.load(work / "checkpoint.pt")["average"])
    fold_pools(net)
    exported = Exported(net).eval()
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
