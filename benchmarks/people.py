"""People counted in videos with known people, by the current rules and the earlier ones.

    python -m benchmarks.people [--stills FOLDER] [--json]

Each still becomes clips of three seconds: static with grain, panned and zoomed, out of focus, and dark; and
three stills in sequence become another. The true faces are the known number on each still, taken as those
that YuNet-n is surest of on the whole still. Those 24 pixels high in the frame for a second have to be
counted, smaller ones may be. A counted person is right if the boxes are on a true face that is nobody else's.
Earlier, everybody found twice was counted, and anybody who reappeared was somebody new.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from agegender.analyzer import Analyzer, build_analyzer
from agegender.imaging.io import decode
from agegender.tracking.follower import Follower
from agegender.tracking.people import Sightings
from agegender.tracking.tracker import GONE_S
from agegender.types import Age, Box, Detector, Estimate, Face, Gender, Image
from benchmarks.scenes import PHOTOGRAPHS, ROOT
from benchmarks.tables import table

FPS, SECONDS = 10, 3.0
WIDTH_PX, HEIGHT_PX = 640, 480
LEAST_PX, OVERLAP = 24.0, 0.3
KNOWN = {name: faces for faces, names in PHOTOGRAPHS.items() for name in names} | {
    "group-5.jpg": 7,
    "solvay_1927.jpg": 29,
    "background.jpg": 0,
}
DETECTORS = ("yunet", "bundled")


class Still(NamedTuple):
    """A still and its faces."""

    image: Image
    faces: tuple[Box, ...]


class Shot(NamedTuple):
    """A frame, and the true faces in it by ID; those in `are_seen` have to be found."""

    image: Image
    truth: dict[int, Box]
    are_seen: frozenset[int]


@dataclass
class Tally:
    """How many people there are, how many are counted, and how many of these are right."""

    true: int = 0
    counted: int = 0
    right: int = 0

    def row(self) -> dict[str, object]:
        """Precision and recall, in per cent."""
        return {
            "people": self.true,
            "counted": self.counted,
            "precision": 100 * self.right / self.counted if self.counted else None,
            "recall": 100 * self.right / self.true if self.true else None,
        }


class _Anybody:
    """Estimates the same for every face, because counting does not depend on it."""

    name = "anybody"

    def estimate(self, _: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        return ((Age((0, 0, 0, 0, 1, 0, 0, 0), 28.0, 20.0, 36.0), Gender(0.5)),) * len(faces)


def stills(folder: Path) -> dict[str, Still]:
    """The stills in a folder with a known number of faces; portraits have one."""
    detector = build_analyzer("yunet").detector
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".jpg", ".png"):
            continue
        image = decode(path)
        faces = detector.detect(image)[: KNOWN.get(path.name, 1)]
        found[path.name] = Still(image, tuple(face.box for face in faces))
    return found


WAYS = ("still", "moving", "unsharp", "dark")


def clip(still: Still, way: str, seed: int) -> Iterator[Shot]:
    """Yield the frames of a still, filmed in one of `WAYS`."""
    random = np.random.default_rng(seed)
    height, width = still.image.shape[:2]
    fit = max(WIDTH_PX / width, HEIGHT_PX / height) if width < height else WIDTH_PX / width
    for i in range(round(SECONDS * FPS)):
        time = i / FPS
        zoom = fit * (1 + 0.1 * time if way == "moving" else 1)
        x = WIDTH_PX / 2 - zoom * width / 2 + (20 * np.sin(2 * time) if way == "moving" else 0)
        y = min(0.0, HEIGHT_PX / 2 - zoom * height / 2)
        matrix = np.array([[zoom, 0, x], [0, zoom, y]])
        size = WIDTH_PX, HEIGHT_PX
        frame = cv2.warpAffine(still.image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
        if way == "unsharp":
            frame = cv2.GaussianBlur(frame, (0, 0), 1.2 + 1.2 * abs(np.sin(2.5 * time)))
        grain = random.normal(0, 6, frame.shape[:2])[..., np.newaxis]
        light = 0.35 if way == "dark" else 1.0
        image = (frame * light + grain).clip(0, 255).astype(np.uint8)
        boxes = {n: box.moved(zoom, zoom, x, y) for n, box in enumerate(still.faces)}
        yield Shot(image, boxes, frozenset(n for n, box in boxes.items() if _is_seen(box)))


def counted(shots: Sequence[Shot], analyzer: Analyzer, now: bool) -> Tally:
    """How well people are counted, by the current or the earlier rules."""
    follower, sightings = Follower(analyzer, rest_s=GONE_S if now else 0.0), Sightings()
    lies_on: dict[int, Counter[int]] = {}
    true: Counter[int] = Counter()
    for i, shot in enumerate(shots):
        time_s = i / FPS
        tracks = follower.follow(shot.image, time_s)
        sightings.add(tracks, shot.image, time_s)
        true.update(shot.are_seen)
        for track in tracks:
            if track.missed == 0:
                votes = lies_on.setdefault(track.number, Counter())
                votes[_nearest(track.face.box, shot.truth)] += 1
    sightings.end(len(shots) / FPS)
    sightings.people()
    wanted = {n for n, frames in true.items() if frames >= FPS}
    numbers = [n for n, votes in lies_on.items() if (sightings.number_of(n) if now else votes.total() >= 2)]
    people = [lies_on[number].most_common(1)[0][0] for number in numbers]
    minded = [n for n in people if n in wanted or n == -1]  # smaller faces may be counted, or not
    return Tally(len(wanted), len(minded), len(set(minded) & wanted))


def _nearest(box: Box, truth: dict[int, Box]) -> int:
    """The true face that a box is on, or −1."""
    best = max(truth, key=lambda n: truth[n].iou(box), default=-1)
    return best if best >= 0 and truth[best].iou(box) >= OVERLAP else -1


def _is_seen(box: Box) -> bool:
    inside = box.intersection(Box(0, 0, WIDTH_PX, HEIGHT_PX)).area
    return box.height >= LEAST_PX and inside >= 0.9 * box.area


def joined(shots: Sequence[Sequence[Shot]]) -> list[Shot]:
    """Concatenate clips, treating people in each as different."""
    return [
        Shot(
            shot.image,
            {1000 * i + n: box for n, box in shot.truth.items()},
            frozenset(1000 * i + n for n in shot.are_seen),
        )
        for i, part in enumerate(shots)
        for shot in part
    ]


def measure(found: dict[str, Still], detector: Detector) -> list[dict[str, object]]:
    """A row for each way of filming and each rule."""
    analyzer = Analyzer(detector, _Anybody())
    tallies: dict[tuple[str, bool], Tally] = {}
    for way in (*WAYS, "three stills"):
        filmed = "still" if way == "three stills" else way
        clips = [list(clip(still, filmed, i)) for i, still in enumerate(found.values())]
        if way == "three stills":
            clips = [joined(clips[i : i + 3]) for i in range(0, len(clips), 3)]
        for now in (False, True):
            sums: npt.NDArray[np.int64] = np.zeros(3, np.int64)
            for shots in clips:
                tally = counted(shots, analyzer, now)
                sums += (tally.true, tally.counted, tally.right)
            tallies[way, now] = Tally(*map(int, sums))
    for now in (False, True):
        each = [tally for (_, rule), tally in tallies.items() if rule is now]
        tallies["all", now] = Tally(*(sum(getattr(t, n) for t in each) for n in ("true", "counted", "right")))
    return [
        {"detector": detector.name, "filmed": way, "rule": "now" if now else "before", **tally.row()}
        for (way, now), tally in tallies.items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.people",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stills", type=Path, default=ROOT / "samples", metavar="FOLDER")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = stills(options.stills)
    rows = []
    for name in DETECTORS:
        print(f"… {name}", file=sys.stderr, flush=True)
        rows += measure(found, build_analyzer(name).detector)
    print(json.dumps(rows, indent=1) if options.json else table(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
