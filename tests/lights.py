"""High-dynamic-range pictures, made by the formulas of the standards."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agegender.imaging.hdr import Primaries, Transfer
from agegender.imaging.io import decode
from agegender.types import Image

SAMPLES = Path(__file__).parents[1] / "samples"
HOPPER = decode(SAMPLES / "grace_hopper.jpg")[::2, ::2].copy()

# From linear sRGB, as printed in ITU-R BT.2087 and SMPTE EG 432-1.
FROM_SRGB = {
    "bt709": np.eye(3),
    "bt2020": np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]),
    "p3": np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]]),
}
LUMA = {"bt709": (0.2126, 0.7152, 0.0722), "bt2020": (0.2627, 0.6780, 0.0593), "p3": (0.229, 0.6917, 0.0793)}


def linear(image: Image) -> np.ndarray:
    """Linear light from RGB uint8 in sRGB, by IEC 61966-2-1."""
    code = image / 255
    light: np.ndarray = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return light


def encoded(nits: np.ndarray, transfer: Transfer, primaries: Primaries) -> np.ndarray:
    """Code values from 0 to 1 for light in the primaries of sRGB, by the formulas of BT.2100."""
    light = np.maximum(nits @ FROM_SRGB[primaries].T, 0)
    code: np.ndarray
    if transfer == "pq":
        power = (light / 10_000) ** 0.1593017578125
        code = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
        return code
    luma = light @ np.array(LUMA[primaries]) / 1000
    scene = light / 1000 * np.maximum(luma, 1e-9)[..., np.newaxis] ** (1 / 1.2 - 1)
    loud = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    code = np.clip(np.where(scene <= 1 / 12, np.sqrt(3 * scene), loud), 0, 1)
    return code
