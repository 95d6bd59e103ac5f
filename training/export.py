"""Calibrate the trained net on the held-out faces and export it to ONNX.

    python -m training.export WORK FILE

Takes `checkpoint.pt` from WORK. The file includes the scaling of pixels and the calibration. The app runs
what `training.quantize` makes of it.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.calibration import (
    EXACT_COST,
    POWERS,
    STATED,
    STRETCHES,
    TEMPERATURES,
    WIDENINGS,
    corrected,
    coverage_of_old,
    density,
    errors_by_group,
    exact,
    spread_loss,
    weights_of_years,
)
from training.faces import SIDE_PX, Faces, to_net
from training.files import describe
from training.net import FaceNet, years_pmf

SCALES = np.linspace(0.3, 1.5, 49).tolist()
FOLDED_PX = 56
BENDS = np.linspace(0.0, 0.6, 49).tolist()


class Exported(nn.Module):
    """(n, side, side, 3) RGB bytes → P(k ≤ age < k + 1), (n, 100), and P(female), (n,)."""

    def __init__(self, net: FaceNet, age_temperature: float = 1.0) -> None:
        super().__init__()
        self.net = net
        self.age_temperature, self.stretch, self.widening = age_temperature, 0.0, 0.0
        self.gender_scale, self.gender_bend = 1.0, 0.0
        self.factors = torch.ones(100)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.net(to_net(faces))
        p_female = torch.sigmoid(bent(outputs[:, -1], self.gender_scale, self.gender_bend))
        pmf = years_pmf(outputs, self.age_temperature, self.stretch, self.widening)
        weighted = pmf * self.factors
        return weighted / weighted.sum(1, keepdim=True), p_female


def bent(logits: Tensor, scale: float, bend: float) -> Tensor:
    """Scale logits, confident ones more: label smoothing holds back only those."""
    return logits * (scale + bend * logits.abs())


@torch.no_grad()
def calibrate(exported: Exported, faces: Faces) -> None:
    """Fit temperatures on the held-out faces, and corrections for ages that are rare in FairFace.

    For each α and stretch, the temperature maximises the likelihood of ages spread evenly over their groups.
    α and stretch minimise the age error with FairFace's groups weighted equally, among those that cost at
    most `EXACT_COST` of exact groups. The widening brings the coverage of the intervals of people over 40
    closest to its nominal value in each group of ten years.
    """
    indices = np.concatenate([faces.held_out, faces.held_out_congress])
    outputs = torch.cat([exported.net(faces.plain_crops(chunk)) for chunk in np.array_split(indices, 22)])
    count = len(faces.held_out)
    of_fairface = outputs[:count]
    low, high = (ends[faces.held_out].numpy() for ends in (faces.low, faces.high))
    labels = weights_of_years(faces.low[indices], faces.high[indices])
    trained = faces.trained[~faces.congress[faces.trained]]
    often = density(weights_of_years(faces.low[trained], faces.high[trained]))

    def pmf(
        outputs: Tensor, temperature: float, power: float, stretch: float, widening: float = 0.0
    ) -> NDArray[np.float64]:
        of_years = years_pmf(outputs, temperature, stretch, widening).double().numpy()
        return corrected(of_years, often**-power)

    found: dict[tuple[float, float], tuple[float, float, float]] = {}
    for pair in product(POWERS, STRETCHES):
        losses = [
            spread_loss(pmf(of_fairface, temperature, *pair), low, high) for temperature in TEMPERATURES
        ]
        temperature = TEMPERATURES[int(np.argmin(losses))]
        every = pmf(outputs, temperature, *pair)
        errors, right = errors_by_group(every, labels), exact(every[:count], labels[:count])
        found[pair] = errors.mean(), right, temperature
        print(
            f"α {pair[0]:.2f}, stretch {pair[1]:.2f}: temperature {temperature:.3f}, loss {min(losses):.4f}, "
            f"exact {right:.4f}, off by {errors.mean():.3f} years: {np.round(errors, 1)}"
        )
    least = max(right for _, right, _ in found.values()) - EXACT_COST
    best = min((pair for pair in found if found[pair][1] >= least), key=lambda pair: found[pair][0])
    exported.age_temperature, exported.stretch = found[best][2], best[1]
    exported.factors = torch.from_numpy(often ** -best[0]).float()
    held = {
        widening: coverage_of_old(pmf(outputs, exported.age_temperature, *best, widening), labels)
        for widening in WIDENINGS
    }
    exported.widening = min(held, key=lambda widening: float(np.abs(held[widening] - STATED).sum()))
    for widening, parts in held.items():
        print(f"widening {widening:.1f}: intervals hold {np.round(parts, 2)} of those from 40, 50, 60, 70 on")
    print(
        f"chosen: α {best[0]:.2f}, stretch {best[1]:.2f}, temperature {exported.age_temperature:.3f}, "
        f"widening {exported.widening:.1f}"
    )

    def gender_nll(scale: float, bend: float) -> float:
        logits = bent(of_fairface[:, -1], scale, bend)
        return float(F.binary_cross_entropy_with_logits(logits, faces.female[faces.held_out]))

    exported.gender_scale, exported.gender_bend = min(
        product(SCALES, BENDS), key=lambda pair: gender_nll(*pair)
    )
    before, after = gender_nll(1.0, 0.0), gender_nll(exported.gender_scale, exported.gender_bend)
    print(
        f"gender: scale {exported.gender_scale:.3f}, bend {exported.gender_bend:.3f}, "
        f"held-out loss {before:.4f} → {after:.4f}"
    )


def fold_pools(net: FaceNet) -> None:
    """Merge each shortcut's average pooling with the convolution after it, where sides are even and large.

    The outputs are the same. 8-bit averaging is slow in ONNX Runtime, but for small sides it costs less than
    the additional multiply-adds of a merged convolution, three times as many.
    """
    side_px = SIDE_PX // 2
    for block in net.body:
        if isinstance(block.shortcut, nn.Sequential) and isinstance(block.shortcut[0], nn.AvgPool2d):
            _, convolution, norm = block.shortcut
            if side_px % 2 == 0 and side_px >= FOLDED_PX:
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
