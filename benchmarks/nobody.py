"""False detections in pictures without people, and recall on pictures with them.

    python -m benchmarks.nobody NOBODY FAIRFACE [--before REFINEMENT] [--limit N] [--json]

NOBODY is a folder or a tar archive of pictures without anybody in them, searched at long sides of 1,024, 640
and 320 pixels; FAIRFACE a data set as for `agegender evaluate`, also searched with a mask drawn over the
face, darkened, and turned by 30°. REFINEMENT is an earlier version of the bundled detector's second file:
with it, the bundled detector is also run as it was, and YuNet on its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from agegender.detection.cascade import bundled
from agegender.detection.coarse_to_fine import CoarseToFineDetector
from agegender.detection.second_opinion import SecondOpinion
from agegender.detection.yunet import YuNet
from agegender.evaluation.datasets import open_dataset
from agegender.evaluation.run import spread
from agegender.imaging.geometry import at_most
from agegender.imaging.io import decode
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.types import Detector, Face, Image
from benchmarks.detectors import pictures_of

LONG_SIDES_PX = (1024, 640, 320)
BORDER_PX = 56


def detectors(before: Path | None) -> dict[str, Detector]:
    """Both detectors by name and, if `before` is given, their earlier versions."""
    manifest = load_manifest()
    files = store.fetch(manifest["bundled"])
    yunet = YuNet(store.fetch(manifest["yunet"])["yunet_n_dynamic.onnx"])
    second = SecondOpinion(files["refinement.onnx"])
    found: dict[str, Detector] = {
        "yunet": CoarseToFineDetector(yunet, second=second),
        "bundled": bundled(files),
    }
    if before:
        found["yunet, before"] = CoarseToFineDetector(yunet)
        found["bundled, before"] = bundled({**files, "refinement.onnx": before})
    return found


def masked(image: Image, face: Face) -> Image:
    """Draw a light mask over nose, mouth and chin of a face on the RGB picture."""
    right, left, nose, *mouth = np.array(face.landmarks)
    across, down = (left - right) * 0.9, np.mean(mouth, axis=0) - (right + left) / 2
    top, chin = nose - 0.15 * down, np.mean(mouth, axis=0) + 0.6 * down
    corners = [top - across, top, top + across, chin + 0.7 * across, chin + 0.1 * down, chin - 0.7 * across]
    drawn = image.copy()
    cv2.fillPoly(drawn, [np.array(corners).round().astype(np.int32)], (200, 215, 225), cv2.LINE_AA)
    return drawn


def dark(image: Image, _face: Face) -> Image:
    """Reduce the RGB picture to a sixth of its light, and add grain."""
    grain = np.random.default_rng(1).normal(0, 4, image.shape)
    return np.clip(image * 0.16 + grain, 0, 255).astype(np.uint8)


def turned_a_little(image: Image, _face: Face) -> Image:
    """Rotate the RGB picture by 30° around its middle."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 30, 1.0)
    turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)


HARDER: dict[str, Callable[[Image, Face], Image]] = {
    "as they are": lambda image, _: image,
    "masked": masked,
    "dark": dark,
    "turned by 30°": turned_a_little,
}


def people(path: Path, limit: int | None) -> Iterator[Image]:
    """Yield FairFace's pictures with their edges repeated outwards."""
    with open_dataset("fairface", path) as dataset:
        for sample in spread(dataset.samples, limit):
            image = decode(dataset.files.read(sample.name))
            yield np.pad(image, ((BORDER_PX, BORDER_PX), (BORDER_PX, BORDER_PX), (0, 0)), mode="edge")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures, or an object of them with --json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nobody", type=Path)
    parser.add_argument("fairface", type=Path)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--limit", type=int, help="maximum number of pictures of each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    ours = detectors(options.before)
    invented, looks = dict.fromkeys(ours, 0), 0
    for image in pictures_of(options.nobody, options.limit):
        for long_side_px in LONG_SIDES_PX:
            small, looks = at_most(image, long_side_px), looks + 1
            for name, detector in ours.items():
                invented[name] += len(detector.detect(small))
    teacher = YuNet(store.fetch(load_manifest()["yunet"])["yunet_n_dynamic.onnx"], score=0.5)
    found, count = {kind: dict.fromkeys(ours, 0) for kind in HARDER}, 0
    for image in people(options.fairface, options.limit):
        faces, count = teacher.detect(image), count + 1
        for kind, make in HARDER.items():
            harder = make(image, faces[0]) if faces else image
            for name, detector in ours.items():
                found[kind][name] += bool(detector.detect(harder))
    if options.json:
        print(json.dumps({"looks": looks, "invented": invented, "people": count, "found": found}))
        return
    for name in ours:
        recalls = "  ".join(f"{kind} {found[kind][name] / max(1, count):.1%}" for kind in HARDER)
        print(f"{name:16} invented {invented[name]:4} in {looks} looks;  found {recalls}")


if __name__ == "__main__":
    main()
