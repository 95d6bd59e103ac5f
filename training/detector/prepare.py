"""Gather what the detector learns from: faces with a teacher's boxes and landmarks, and faceless pictures.

    python -m training.detector.prepare DATA DETECTOR WORK FACELESS [FACELESS …]

DATA is the folder of FairFace's training pictures as in `training.prepare`, DETECTOR is YuNet-n's ONNX file,
the teacher. Each FACELESS is a folder of pictures that are free to use, searched through with all its
folders: a picture in which the teacher finds anything like a face, at any of a few sizes, is left out. Into
WORK go `chips.npy` (n, 160, 160, 3) RGB, `chips.npz` (`faces`, rows of box and landmarks in pixels of the
chip, (m, 14), and `first` (n + 1,), where each chip's rows begin), and `faceless/`, PNG files of at most
1,024 pixels, transparent ones kept transparent.
"""

from __future__ import annotations

import argparse
import csv
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from agegender.detection.yunet import YuNet
from agegender.types import Face, Image

SIDE_PX = 160
BORDER_PX = 40
SCALES = (1.0, 2.0)
"""At these sizes the teacher looks at a chip with a border around it; the one where it is surest counts."""
SURE, UNSURE = 0.75, 0.3
"""Faces from SURE on are taught; a chip with one in between is left out: who knows what to teach there?"""
LONG_SIDE_PX = 1024
FACELESS_SIZES_PX = (320, 640, 1024)


def row(face: Face, scale: float) -> list[float]:
    """Return a face in a chip's border as a row of box and landmarks in the chip."""
    box = (face.box.left, face.box.top, face.box.right, face.box.bottom)
    return [number / scale - BORDER_PX for number in (*box, *np.ravel(face.landmarks))]


def chip_rows(chip: Image, teacher: YuNet) -> list[list[float]] | None:
    """Return the rows of all faces in a chip, or None where the teacher is not sure."""
    bordered = np.pad(chip, ((BORDER_PX, BORDER_PX), (BORDER_PX, BORDER_PX), (0, 0)), mode="edge")
    best: tuple[Face, ...] = ()
    best_scale = 1.0
    for scale in SCALES:
        scaled = cv2.resize(bordered, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        faces = teacher.detect(np.asarray(scaled, np.uint8))
        if faces and (not best or faces[0].score > best[0].score):
            best, best_scale = faces, scale
    if not best or any(face.score < SURE for face in best):
        return None
    return [row(face, best_scale) for face in best]


def chips(data: Path, limit: int) -> Iterator[Image]:
    """Yield the training pictures, in the file's order."""
    with open(data / "fairface-train.csv", newline="") as file:
        rows = list(csv.DictReader(file))[:limit]
    archives = {shard: tarfile.open(data / shard) for shard in sorted({row["shard"] for row in rows})}
    for entry in rows:
        member = archives[entry["shard"]].extractfile(entry["file"])
        assert member is not None, entry
        bgr = np.asarray(cv2.imdecode(np.frombuffer(member.read(), np.uint8), cv2.IMREAD_COLOR), np.uint8)
        yield np.ascontiguousarray(bgr[:, :, ::-1])


def faceless(path: Path, teacher: YuNet) -> np.ndarray | None:
    """Return a picture without faces, BGR or BGRA, or None: too small, not readable, or with a face."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint8 or min(picture.shape[:2]) < 64:
        return None
    if picture.ndim == 2 or picture.shape[2] == 1:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    scale = min(1.0, LONG_SIDE_PX / max(picture.shape[:2]))
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rgb = np.ascontiguousarray(picture[:, :, 2::-1], np.uint8)
    for size_px in FACELESS_SIZES_PX:
        factor = size_px / max(rgb.shape[:2])
        if teacher.detect(np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor), np.uint8)):
            return None
    return picture


def gather_faceless(folders: list[Path], target: Path, teacher: YuNet) -> int:
    """Put the faceless pictures of the folders into the target, and return how many there are in it."""
    paths = [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")
    ]
    seen: set[str] = set()
    for path in tqdm(paths, unit="picture"):
        picture = faceless(path, teacher)
        if picture is None:
            continue
        small = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA)
        name = f"{zlib.crc32(small.tobytes()):08x}"  # one wallpaper comes in many sizes
        cv2.imwrite(str(target / f"{name}.png"), picture)
        seen.add(name)
    return len(seen)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("detector", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("faceless", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, default=14000, help="only so many of FairFace's pictures")
    options = parser.parse_args()
    (options.work / "faceless").mkdir(parents=True, exist_ok=True)
    teacher = YuNet(options.detector, score=UNSURE)
    count = gather_faceless(options.faceless, options.work / "faceless", teacher)
    kept, rows, first = [], [], [0]
    for chip in tqdm(chips(options.data, options.limit), total=options.limit, unit="chip"):
        found = chip_rows(chip, teacher)
        if found is not None:
            kept.append(chip)
            rows += found
            first.append(len(rows))
    np.save(options.work / "chips.npy", np.stack(kept))
    np.savez(options.work / "chips.npz", faces=np.array(rows, dtype=np.float32), first=np.array(first))
    print(f"{len(kept)} chips with {len(rows)} faces, {count} pictures without")


if __name__ == "__main__":
    main()
