"""Teach the exported second stage anew what is a face, and what only looks like one.

    python -m training.detector.rejudge WORK WRONG FIRST YUNET models/refinement.onnx [--passes N]

WORK is what `training.detector.prepare` filled, WRONG what `training.detector.wrong` gathered, FIRST the
first stage's file, YUNET YuNet-n's. All weights go on learning from what the file holds. Faces are chips with
the teacher's boxes, moved, turned, masked, dark, small, with points where the net as it was sees them on the
plain chip; and what both detectors find in made-up scenes, small and half covered. The others are crops of
what two detectors took for faces where nobody is or in the scenes, and chips with something else for the
face. The constant of the score is set so that no fewer faces are found in held-out scenes and portraits than
before. One core does it in six minutes. Prints the file's size and SHA-256 for models/manifest.toml.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agegender.detection.cascade import CascadeDetector, first_stage
from agegender.detection.second_opinion import MARGIN
from agegender.imaging.geometry import margin_crop
from agegender.types import Box, Image
from training.checkpoints import adamw, follow, set_rate
from training.detector.candidates import STORED_PX
from training.detector.close_ups import (
    Sample,
    Stored,
    empty,
    face,
    found_in_scenes,
    from_scene,
    plain,
    square_of,
    wrong,
)
from training.detector.export import SCORE
from training.detector.material import Faces, Material
from training.detector.measure import to_net
from training.detector.refinement_export import Exported, write
from training.detector.refinement_import import read
from training.detector.refinement_net import SIDE_PX
from training.detector.refinement_train import POINTS_WEIGHT, losses
from training.files import describe

FACES, EMPTY, SCENES = 5000, 1000, 1400
"""Crops of faces, and of chips without their face, in a pass, beside all that was taken for one and
all that is found in so many scenes."""

BATCH, RATE = 256, 6e-4
BORDER_PX = 40
"""What is repeated around a chip to make a portrait of it."""

LOST = (0.001, 0.003, 0.01)


@torch.no_grad()
def known_points(exported: Exported, material: Material) -> Faces:
    """Return box and landmarks of each chip's main face as the net sees them, (chips, 14)."""
    rows = []
    for index in range(len(material.images)):
        chip = plain(material, index)
        box = Box(*chip.faces[0, :4].tolist())
        crop = torch.from_numpy(margin_crop(chip.image, box, MARGIN, SIDE_PX))[None]
        _, points = exported.net(to_net(crop))
        center, side = square_of(chip.faces[0])
        rows.append((center - side / 2 + points[0].numpy() * side).reshape(14))
    return np.array(rows, np.float32)


def samples(
    material: Material, rows: Faces, mistakes: NDArray[np.uint8], scenes: Stored, number: int
) -> list[Sample]:
    """Return what a pass learns from, mixed."""
    rng = np.random.default_rng((41, number))
    chips = rng.integers(material.trained, size=FACES).tolist()
    made = [face(material, index, rows[index], rng) for index in chips]
    made += [empty(material, rng) for _ in range(EMPTY)] + [wrong(stored, rng) for stored in mistakes]
    made += [from_scene(stored, row, rng) for stored, row in scenes]
    return [made[place] for place in rng.permutation(len(made))]


def batches(made: list[Sample]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield crops, (n, 64, 64, 3), whether they are faces, (n,), and their points, (n, 7, 2)."""
    for start in range(0, len(made), BATCH):
        images, are_faces, points = zip(*made[start : start + BATCH], strict=True)
        yield (
            torch.from_numpy(np.stack(images)),
            torch.tensor(are_faces, dtype=torch.float32),
            torch.from_numpy(np.stack(points)),
        )


def trained(
    exported: Exported,
    material: Material,
    rows: Faces,
    mistakes: NDArray[np.uint8],
    scenes: Stored,
    passes: int,
) -> Exported:
    """Return the net after some passes: the running average of its weights."""
    average, steps = copy.deepcopy(exported), 0
    optimizer = adamw(exported.net, 0.01)
    total = passes * -(-(FACES + EMPTY + len(mistakes) + len(scenes)) // BATCH)
    for number in range(passes):
        sums = []
        for images, are_faces, points in batches(samples(material, rows, mistakes, scenes, number)):
            set_rate(
                optimizer, RATE * min(1.0, (steps + 1) / 30) * 0.5 * (1 + math.cos(math.pi * steps / total))
            )
            with torch.autocast("cpu", torch.bfloat16):
                logits, seen = exported.net(to_net(images))
            parts = losses(logits.float(), seen.float(), are_faces, points)
            optimizer.zero_grad()
            (parts[0] + POINTS_WEIGHT * parts[1]).backward()
            nn.utils.clip_grad_norm_(exported.net.parameters(), 5.0)
            optimizer.step()
            follow(average.net, exported.net, steps)
            steps += 1
            sums.append(parts.detach().numpy())
        print(f"pass {number + 1}/{passes} losses {np.mean(sums, axis=0).round(4)}", flush=True)
    return average


def portraits(material: Material) -> Iterator[Image]:
    """Yield the held-out chips, RGB, with a border, and mirrored."""
    for index in range(material.trained, len(material.images)):
        sides = ((BORDER_PX, BORDER_PX), (BORDER_PX, BORDER_PX), (0, 0))
        image = np.pad(material.images[index], sides, mode="edge")
        yield from (image, np.ascontiguousarray(image[:, ::-1]))


def surest(first: Path, refinement: Path, material: Material) -> NDArray[np.float64]:
    """Return the logit of the best face of each portrait, the surest first."""
    detector = CascadeDetector(first_stage(first), refinement, score=0.0)
    found = [detector.detect(image) for image in portraits(material)]
    scores = np.clip([max((face.score for face in faces), default=0.0) for faces in found], 1e-6, 1 - 1e-6)
    return np.sort(np.log(scores / (1 - scores)))[::-1]


@torch.no_grad()
def in_scenes(exported: Exported, scenes: Stored) -> NDArray[np.float64]:
    """Return the logit of the score of each face that the first stage finds in scenes, the surest first."""
    faces = [(stored, row) for stored, row in scenes if row[1] and row[2]]
    edge = (STORED_PX - SIDE_PX) // 2
    middle = torch.from_numpy(np.stack([stored[edge:-edge, edge:-edge] for stored, _ in faces]))
    scores = torch.tensor([float(row[0]) for _, row in faces])
    return np.sort(torch.logit(exported(middle, scores)[0].double(), 1e-6).numpy())[::-1]


def raise_for(before: NDArray[np.float64], now: NDArray[np.float64], limit: float) -> float:
    """Return what to add to the logits so that as many reach the limit as before."""
    found = int((before >= limit).sum())
    print(f"{found} of {len(before)} are found")
    return limit - float(now[found - 1]) + 1e-3


@torch.no_grad()
def report(name: str, exported: Exported, good: list[Sample], bad: list[Sample]) -> None:
    """Print how many mistakes stay where few faces are lost, and what those faces have."""
    faces, others = (
        torch.cat([exported.net(to_net(images))[0] for images, *_ in batches(made)]) for made in (good, bad)
    )
    limits = [float(faces.quantile(lost)) for lost in LOST]
    stay = [
        f"{float((others > limit).float().mean()):.3f} at {1 / (1 + math.exp(-limit)):.4f}"
        for limit in limits
    ]
    print(f"{name}: of {len(bad)} mistakes stay, where {LOST} of {len(good)} faces are lost: {stay}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("work", "wrong", "first", "yunet", "refinement"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--passes", type=int, default=4)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    material, exported = Material(options.work), read(options.refinement)
    with np.load(options.wrong) as arrays:
        stored, held = arrays["crops"], arrays["held_out"]
    rows, rng = known_points(exported, material), np.random.default_rng(42)
    good = [
        face(material, index, rows[index], rng)
        for index in range(material.trained, len(rows))
        for _ in range(4)
    ]
    bad = [wrong(crop, rng) for crop in stored[held]]
    report("before", exported, good, bad)
    paths = options.work, options.first, options.yunet
    scenes, kept = found_in_scenes(*paths, SCENES), found_in_scenes(*paths, SCENES // 10, True)
    print(
        f"{len(scenes)} crops of scenes, {sum(bool(row[2]) for _, row in scenes)} of them faces", flush=True
    )
    limit = math.log(SCORE / (1 - SCORE))
    before = in_scenes(exported, kept), surest(options.first, options.refinement, material)
    exported = trained(exported, material, rows, stored[~held], scenes, options.passes)
    report("now", exported, good, bad)
    with TemporaryDirectory() as folder:
        write(exported, Path(folder) / "raw.onnx")
        now = in_scenes(exported, kept), surest(options.first, Path(folder) / "raw.onnx", material)
    raised = [raise_for(*pair, limit) for pair in zip(before, now, strict=True)]
    with torch.no_grad():
        exported.both[0] += max(raised)
    write(exported, options.refinement)
    print(f"raised by the most of {raised}; constant and weights {exported.both.tolist()}")
    print(describe(options.refinement))


if __name__ == "__main__":
    main()
