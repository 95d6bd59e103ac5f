"""Write the trained second stage as the ONNX file that the app runs.

    python -m training.detector.refinement_export WORK FIRST models/refinement.onnx

Takes `refinement.pt` from WORK, FIRST is the exported first stage. The score is the logistic of both stages'
logits, put together on held-out crops, and shifted so that 0.7, the app's limit, is where one face in so many
held-out faceless scenes is invented. Prints the file's size and SHA-256 for models/manifest.toml.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agegender.detection.cascade import CascadeDetector, first_stage
from training.detector.candidates import split
from training.detector.export import SCORE
from training.detector.material import Material
from training.detector.refinement_net import SIDE_PX, RefinementNet
from training.detector.refinement_train import Candidates, answers
from training.detector.scenes import empty, made_worse
from training.files import describe, halve

SCENES = 1000
INVENTED = 0.01
"""So many faces may be invented in a faceless scene, each of which is made of what looks like one."""


class Exported(nn.Module):
    """(n, 64, 64, 3) BGR bytes and the first stage's scores, (n,) → scores, (n,), points, (n, 7, 2), and the
    second stage's judgement alone, (n,)."""

    def __init__(self, net: RefinementNet) -> None:
        super().__init__()
        self.net = net
        self.both = nn.Parameter(torch.tensor([0.0, 1.0, 0.5]))
        """The constant, and how much the logits of the second and of the first stage count."""

    def together(self, logits: Tensor, scores: Tensor) -> Tensor:
        return self.both[0] + self.both[1] * logits + self.both[2] * torch.logit(scores, 1e-4)

    def forward(self, crops: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, points = self.net(crops.permute(0, 3, 1, 2).float())
        return self.together(logits, scores).sigmoid(), points, logits.sigmoid()


def put_together(exported: Exported, data: Candidates) -> None:
    """Find what makes the held-out crops most likely, faces counting as much as all others together."""
    logits, _, is_face, _ = answers(exported.net, data)
    scores = torch.from_numpy(data.scores[data.chosen])
    optimizer = torch.optim.LBFGS([exported.both], max_iter=100)
    balance = (is_face < 0.5).sum() / (is_face > 0.5).sum()

    def closure() -> Tensor:
        optimizer.zero_grad()
        both = exported.together(logits, scores)
        loss = F.binary_cross_entropy_with_logits(both, is_face, pos_weight=balance)
        loss.backward()
        return loss

    optimizer.step(closure)


def limit(detector: CascadeDetector, material: Material) -> float:
    """Return the logit from which on `INVENTED` faces are found in a faceless scene."""
    scores: list[float] = []
    for number in range(SCENES):
        rng = np.random.default_rng((10, number))
        bgr = made_worse(empty(material, rng, True).image, rng)
        scores += [face.score for face in detector.detect(np.ascontiguousarray(bgr[:, :, ::-1]))]
    score = sorted(scores, reverse=True)[round(INVENTED * SCENES)]
    return float(np.log(score / (1 - score)))


def write(exported: Exported, target: Path) -> None:
    torch.onnx.export(
        exported,
        (torch.zeros(2, SIDE_PX, SIDE_PX, 3, dtype=torch.uint8), torch.full((2,), 0.5)),
        str(target),
        dynamo=False,
        input_names=["crops", "scores"],
        output_names=["score", "points", "is_face"],
        dynamic_axes={name: {0: "n"} for name in ("crops", "scores", "score", "points", "is_face")},
    )
    halve(target)


def main(work: Path, first: Path, target: Path) -> None:
    cv2.setNumThreads(1)
    net = RefinementNet()
    net.load_state_dict(torch.load(work / "refinement.pt")["average"])
    exported = Exported(net).eval()
    put_together(exported, Candidates(work, True))
    write(exported, target)
    invented = limit(CascadeDetector(first_stage(first), target, score=1e-6), split(Material(work), True))
    with torch.no_grad():
        exported.both[0] -= invented - float(torch.logit(torch.tensor(SCORE)))
    write(exported, target)
    print(f"constant and weights of the second and first stage: {exported.both.tolist()}")
    print(describe(target))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
