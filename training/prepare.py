"""Decode the training pictures of FairFace and Congress once, and find the face in each.

    python -m training.prepare DATA DETECTOR WORK

DATA is a folder with `fairface-train.csv` (columns shard, file, age_min, age_max, gender, race) and the tar
files it names, and `congress-train.csv` and .tar; DETECTOR is YuNet's ONNX file. Writes to WORK
`pictures.npy` (n, side, side, 3) and `faces.npz`: landmarks, boxes, labels and the set, in the same order,
Congress first. Pictures without a detected face are left out; of several faces, the one nearest to the middle
is used.
"""

from __future__ import annotations

import csv
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from agegender.detection.yunet import YuNet
from agegender.types import Face, Image

SIDE_PX = 160


def central(faces: tuple[Face, ...], image: Image) -> Face:
    """The face nearest to the middle of the picture."""
    middle = np.array(image.shape[1::-1]) / 2
    return min(faces, key=lambda face: float(np.hypot(*(np.array(face.box.center) - middle))))


def table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def main(data: Path, detector_path: Path, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    rows = [row | {"shard": "congress-train.tar", "race": ""} for row in table(data / "congress-train.csv")]
    rows += table(data / "fairface-train.csv")
    detector = YuNet(detector_path, score=0.5)
    archives = {shard: tarfile.open(data / shard) for shard in sorted({row["shard"] for row in rows})}
    pictures = np.lib.format.open_memmap(
        work / "pictures.npy", "w+", np.uint8, (len(rows), SIDE_PX, SIDE_PX, 3)
    )
    kept, landmarks, boxes = list[dict[str, str]](), [], []
    for row in tqdm(rows, unit="picture"):
        member = archives[row["shard"]].extractfile(row["file"])
        assert member is not None, row
        bgr = np.asarray(cv2.imdecode(np.frombuffer(member.read(), np.uint8), cv2.IMREAD_COLOR), np.uint8)
        image = np.ascontiguousarray(bgr[:, :, ::-1])
        if image.shape[:2] != (SIDE_PX, SIDE_PX):  # some Congress pictures lack a row or two
            image = np.asarray(cv2.resize(image, (SIDE_PX, SIDE_PX)), np.uint8)
        faces = detector.detect(image)
        if not faces:
            continue
        face = central(faces, image)
        pictures[len(kept)] = image
        landmarks.append(face.landmarks)
        boxes.append((face.box.left, face.box.top, face.box.right, face.box.bottom))
        kept.append(row)
    pictures.flush()
    np.savez(
        work / "faces.npz",
        landmarks=np.array(landmarks, dtype=np.float32),
        boxes=np.array(boxes, dtype=np.float32),
        age_min=np.array([int(row["age_min"]) for row in kept], dtype=np.float32),
        age_max=np.array([int(row["age_max"]) for row in kept], dtype=np.float32),
        female=np.array([row["gender"] == "female" for row in kept]),
        race=np.array([row["race"] for row in kept]),
        congress=np.array([row["shard"] == "congress-train.tar" for row in kept]),
    )
    print(f"{len(kept)} faces in {len(rows)} pictures")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
