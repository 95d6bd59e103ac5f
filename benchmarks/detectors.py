"""Compare the face detectors with YuNet-n, on photographs and on portraits.

    python -m benchmarks.detectors PHOTOS PORTRAITS [--json] [--limit N]

PHOTOS is a folder or a tar archive of photographs, searched at long sides of 1,024 and 640 pixels; PORTRAITS
one of tightly cropped faces, such as FairFace's, which get a border of 56 repeated pixels. There are no
hand-labelled boxes, so what YuNet-n finds with a score of 0.7 counts as true. On photographs, faces lower
than 32 pixels need not be found; a detection that YuNet-n does not share counts as invented. How far YuNet-n
agrees with itself on the same picture enlarged by a quarter shows how precise this measure is. Haar, OpenCV's
cascade of 2002, is here only for comparison.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from agegender.detection.cascade import bundled
from agegender.detection.ssd import SSD
from agegender.detection.yunet import YuNet
from agegender.errors import ImageError
from agegender.evaluation.archive import Files
from agegender.imaging.io import decode
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.types import Detector, Face, Image
from benchmarks.yardsticks import Enlarged, Haar

LONG_SIDES_PX = (1024, 640)
BORDER_PX = 56
LEAST_PX = 32.0
SAME_IOU = 0.4
"""Minimum IoU of two boxes of the same face: detectors have different conventions for them."""
ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class Row:
    """A detector's results on a set of pictures, compared with YuNet-n.

    `landmark_error` is the median over faces of the mean distance of the five points from YuNet-n's, in units
    of the distance between the eyes; None without landmarks. `milliseconds` is the median CPU time per
    picture.
    """

    pictures: str
    detector: str
    count: int
    faces: int
    recall: float
    invented_a_picture: float
    landmark_error: float | None
    milliseconds: float


def matched(faces: Sequence[Face], truth: Sequence[Face]) -> dict[int, int]:
    """Match detected to true faces, both by index; pairs that overlap most go first."""
    pairs = sorted(
        ((found.box.iou(true.box), i, j) for i, found in enumerate(faces) for j, true in enumerate(truth)),
        reverse=True,
    )
    places: dict[int, int] = {}
    for iou, i, j in pairs:
        if iou >= SAME_IOU and i not in places and j not in places.values():
            places[i] = j
    return places


def landmark_error(face: Face, true: Face) -> float:
    """Mean distance of the landmarks in units of the distance between the true eyes."""
    points, truth = np.array(face.landmarks), np.array(true.landmarks)
    return float(np.hypot(*(points - truth).T).mean() / max(1e-6, np.hypot(*(truth[0] - truth[1]))))


def compare(
    name: str, pictures: Iterable[Image], reference: Detector, detectors: Sequence[Detector], least_px: float
) -> list[Row]:
    """A row for the reference and for each detector, which take turns picture by picture."""
    everyone = (reference, *detectors)
    faces, found, invented, count = 0, [0] * len(everyone), [0] * len(everyone), 0
    errors: list[list[float]] = [[] for _ in everyone]
    seconds: list[list[float]] = [[] for _ in everyone]
    for image in pictures:
        count += 1
        answers = []
        for place, detector in enumerate(everyone):
            start = time.thread_time()
            answers.append(detector.detect(image))
            seconds[place].append(time.thread_time() - start)
        truth = answers[0]
        asked = {place for place, face in enumerate(truth) if face.box.height >= least_px}
        faces += len(asked)
        for place, answer in enumerate(answers):
            places = matched(answer, truth)
            found[place] += len(asked.intersection(places.values()))
            invented[place] += len(answer) - len(places)
            errors[place] += [
                landmark_error(answer[i], truth[j])
                for i, j in places.items()
                if j in asked and answer[i].landmarks
            ]
    return [
        Row(
            name,
            detector.name,
            count,
            faces,
            found[place] / max(1, faces),
            invented[place] / max(1, count),
            float(np.median(errors[place])) if errors[place] else None,
            1000 * float(np.median(seconds[place])),
        )
        for place, detector in enumerate(everyone)
    ]


def pictures_of(path: Path, limit: int | None) -> Iterator[Image]:
    """Yield the pictures in a folder or a tar archive; unreadable ones are reported on stderr."""
    with Files(path) as files:
        names = [name for name in files.names if name.lower().endswith(ENDINGS)][:limit]
        for name in tqdm(names, desc=path.name, unit="picture", disable=None):
            try:
                yield decode(files.read(name))
            except ImageError as error:
                print(f"{name}: {error}", file=sys.stderr)


def at_most(image: Image, long_side_px: int) -> Image:
    """Scale the picture down if its long side is longer."""
    scale = min(1.0, long_side_px / max(image.shape))
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def bordered(image: Image) -> Image:
    """Repeat the picture's edges outwards."""
    return np.pad(image, ((BORDER_PX, BORDER_PX), (BORDER_PX, BORDER_PX), (0, 0)), mode="edge")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or its rows with --json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--limit", type=int, help="maximum number of pictures of each")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    manifest = load_manifest()
    files = {name: store.fetch(manifest[name]) for name in ("yunet", "bundled", "ssd")}
    yunet = YuNet(files["yunet"]["yunet_n_dynamic.onnx"])
    ssd = SSD(files["ssd"]["opencv_face_detector_uint8.pb"], files["ssd"]["opencv_face_detector.pbtxt"])
    others: list[Detector] = [bundled(files["bundled"]), Haar(), ssd, Enlarged(yunet)]
    rows: list[Row] = []
    for long_side_px in LONG_SIDES_PX:
        photos = (at_most(image, long_side_px) for image in pictures_of(options.photos, options.limit))
        rows += compare(f"photographs, {long_side_px} pixels", photos, yunet, others, LEAST_PX)
    portraits = (bordered(image) for image in pictures_of(options.portraits, options.limit))
    rows += compare(f"portraits, border of {BORDER_PX} pixels", portraits, yunet, others, 0.0)
    print(json.dumps([asdict(row) for row in rows]) if options.json else lines(rows))


def lines(rows: Iterable[Row]) -> str:
    """Format the rows as a readable table."""
    texts = []
    for row in rows:
        error = "–" if row.landmark_error is None else f"{row.landmark_error:.3f}"
        texts.append(
            f"{row.pictures:28} {row.detector:23} recall {row.recall:6.1%} of {row.faces:4}  invented "
            f"{row.invented_a_picture:.2f} a picture  landmarks {error:>5}  {row.milliseconds:6.1f} ms"
        )
    return "\n".join(texts)


if __name__ == "__main__":
    main()
