"""Photographs from bytes to analysis, compared with the old application; overhead; large files; growth."""

from __future__ import annotations

import time
from functools import partial
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import PIL.Image

from agegender.analyzer import Analyzer, analyze_file
from agegender.detection.coarse_to_fine import CoarseToFineDetector
from agegender.imaging.io import decode, decode_at_least
from agegender.types import Analysis, Face, Image
from benchmarks import scenes
from benchmarks.timing import Clock, Session, side_by_side

Rows = list[dict[str, Any]]


def compared(now: Analyzer, seed: Analyzer, rounds: int) -> Rows:
    """A row per photograph: faces found by each, milliseconds from bytes, and their ratio.

    The old application is timed twice: as it was, with the faces its SSD finds, and with its two nets on as
    many faces as are found now, which is what the same answer would have cost.
    """
    rows = []
    for name, (faces, data) in scenes.photographs().items():
        found = analyze_file(data, now, decode_at_least)[1].readings
        boxes = [reading.face for reading in found]

        def as_then(data: bytes) -> None:
            seed(read_as_then(data))

        def same(data: bytes = data, boxes: Any = boxes) -> None:
            image = read_as_then(data)
            seed.detector.detect(image)
            seed.estimator.estimate(image, boxes)

        ms = side_by_side(
            rounds,
            now=partial(analyze_file, data, now, decode_at_least),
            then=partial(as_then, data),
            same=same,
        )
        rows.append(
            {
                "picture": name,
                "faces": faces,
                "found": len(found),
                "one closer look finds": len(closer_look(now, decode(data))),
                "seed found": len(seed(read_as_then(data)).readings),
                "ms": ms["now"],
                "seed ms": ms["then"],
                "seed ms, same faces": ms["same"],
                "times faster, same faces": ms["same"] / ms["now"],
            }
        )
    return rows


def closer_look(now: Analyzer, image: Image) -> tuple[Face, ...]:
    """Faces found in a single look at the whole picture, at the highest resolution ever used."""
    detector = now.detector
    if isinstance(detector, CoarseToFineDetector):
        return detector.detector.detect(image)
    return detector.detect(image)


def read_as_then(data: bytes) -> Image:
    """The RGB image as the old application read it, at full size and ignoring profiles."""
    bgr = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(bgr[:, :, ::-1])


def load_with_pillow(data: bytes) -> None:
    """Decode a file with Pillow at full size."""
    PIL.Image.open(BytesIO(data)).load()


def decode_and_analyze(data: bytes, analyzer: Analyzer) -> Analysis:
    """Analyse a file decoded at full size."""
    return analyzer(decode(data))


def overhead(now: Analyzer, rounds: int) -> Rows:
    """Time outside of decoding and the nets, in milliseconds and relative to the nets."""
    rows = []
    for name, (faces, data) in scenes.photographs().items():
        image, clock = decode(data), Clock()
        with watched_nets(now, clock):
            now(image)
            clock.restart()
            start_s = time.process_time()
            for _ in range(rounds):
                now(image)
            whole = 1000 * (time.process_time() - start_s) / rounds
        nets = sum(clock.ms.values()) / rounds
        rows.append(
            {
                "picture": name,
                "faces": faces,
                "nets ms": nets,
                "rest ms": whole - nets,
                "rest / nets, %": 100 * (whole - nets) / nets,
            }
        )
    return rows


def watched_nets(analyzer: Analyzer, clock: Clock) -> Any:
    """Context manager that times the two nets of the analyzer with the clock."""
    calls = []
    for role in ("detector", "estimator"):
        owner: Any = getattr(analyzer, role)
        owner = getattr(owner, "detector", owner)  # the coarse-to-fine detector wraps it
        if not isinstance(owner._session, Session):
            owner._session = Session(owner._session)
        calls.append((role, owner._session, "run"))
    return clock.on(*calls)


def large_files(now: Analyzer, rounds: int, megapixels: float) -> Rows:
    """Time to decode and analyse a large JPEG, compared with Pillow decoding it at full size."""
    rows = []
    for name, (faces, data) in scenes.photographs().items():
        large = scenes.enlarged(data, megapixels)
        ms = side_by_side(
            rounds,
            pillow=partial(load_with_pillow, large),
            now=partial(analyze_file, large, now, decode_at_least),
        )
        rows.append(
            {
                "picture": f"{name}, {megapixels:.0f} megapixels",
                "faces": faces,
                "MB": len(large) / 1e6,
                "Pillow ms": ms["pillow"],
                "ms": ms["now"],
                "ratio": ms["now"] / ms["pillow"],
            }
        )
    return rows


def growth(now: Analyzer, rounds: int, faces: tuple[int, ...], megapixels: tuple[float, ...]) -> Rows:
    """Time by number of faces at one size, and by megapixels of a file with one face."""
    rows = []
    for count in faces:
        image = scenes.tiled(1280, 960, count)
        ms = side_by_side(rounds, it=partial(now, image))["it"]
        rows.append({"by": "faces", "value": float(count), "ms": ms})
    for size in megapixels:
        data = scenes.enlarged(scenes.jpeg(scenes.tiled(800, 600, 1)), size)
        ms = side_by_side(rounds, it=partial(decode_and_analyze, data, now))["it"]
        rows.append({"by": "megapixels", "value": size, "ms": ms})
    return rows


def fits(rows: Rows) -> Rows:
    """Least-squares line through each kind of growth, and its worst residual."""
    lines = []
    for by in ("faces", "megapixels"):
        x, y = np.array([(row["value"], row["ms"]) for row in rows if row["by"] == by]).T
        slope, start = np.polyfit(x, y, 1)
        off = y - (start + slope * x)
        lines.append(
            {
                "by": by,
                "ms at 0": float(start),
                "ms each": float(slope),
                "worst residual, ms": float(np.abs(off).max()),
                "R²": float(1 - off.var() / max(1e-9, y.var())),
            }
        )
    return lines
