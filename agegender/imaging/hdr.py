"""Tone mapping of high dynamic range (PQ or HLG) to sRGB by ITU-R BT.2390."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from agegender.types import Image

Transfer = Literal["pq", "hlg"]
Primaries = Literal["bt709", "bt2020", "p3"]
Codes = npt.NDArray[np.uint8 | np.uint16 | np.float32]
Floats = npt.NDArray[np.float32]

TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
"""Codes in files (ITU-T H.273, transfer characteristics)."""

PRIMARIES: dict[int, Primaries] = {1: "bt709", 9: "bt2020", 11: "p3", 12: "p3"}
"""Codes in files (ITU-T H.273, colour primaries)."""

BRIGHT_NITS, WHITE_NITS = (110.0, 125.0), (100.0, 203.0)
"""White is at 203 cd/m² (BT.2408), or at 100 if next to nothing is brighter than 110.

The latter is what FFmpeg makes of ordinary videos. Between 110 and 125, white moves from one to the other.
"""

STILL_GAMMA, VIDEO_GAMMA = 2.2, 2.4
"""Display gamma for pictures and for videos (BT.1886).

The effective gamma of sRGB with its linear start is a little below 2.2, but no file says which of the two its
maker had in mind.
"""

HLG_NITS = 1000.0
"""Default reference display of HLG (BT.2100), with a system gamma of 1.2."""

WHITE_PERCENT, PEAK_PERCENT = 99.0, 99.9
"""Percentiles of brightness for finding white, and above which light is clipped as glints and noise."""

SAMPLED_PIXELS = 100_000
"""Number of pixels sampled to measure the brightness of a picture."""

# x and y of red, green and blue; white is D65 for all three.
_XY: dict[Primaries, tuple[tuple[float, float], ...]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
_STEPS = 4096


class ToneMapper:
    """Maps pictures with the same transfer and primaries to sRGB; one instance serves all frames of a video.

    The mapping depends on the brightest light seen so far, so that a video does not flicker: it changes only
    when something brighter appears.
    """

    def __init__(
        self, transfer: Transfer, primaries: Primaries = "bt2020", gamma: float = STILL_GAMMA
    ) -> None:
        self.transfer = transfer
        self.primaries = primaries
        self.gamma = gamma
        self._bright_nits = 0.0
        self._peak_nits = 1.0

    def __call__(self, rgb: Codes) -> Image:
        """Map RGB code values, (height, width, 3), full range, to RGB uint8 in sRGB.

        Code values are 0 to 255 as uint8, 0 to 65,535 as uint16, 0 to 1 as float32.
        """
        step = max(1, round((rgb.shape[0] * rgb.shape[1] / SAMPLED_PIXELS) ** 0.5))
        self.look(rgb[::step, ::step])
        return self.mapped(rgb)

    def look(self, rgb: Codes) -> None:
        """Record the brightness of the code values."""
        bright, peak = np.percentile(self._nits(rgb).max(axis=2), (WHITE_PERCENT, PEAK_PERCENT))
        self._bright_nits = max(self._bright_nits, float(bright))
        self._peak_nits = max(self._peak_nits, float(peak))

    def mapped(self, rgb: Codes) -> Image:
        """Map code values to RGB uint8 in sRGB, based on what `look` has seen so far."""
        root = cv2.sqrt(np.clip(self._nits(rgb), 0, self._peak_nits))
        root *= (_STEPS - 1) / self._peak_nits**0.5
        image: Image = self._codes()[np.rint(root).astype(np.uint16)]
        return image

    def _codes(self) -> Image:
        """sRGB code value for each of `_STEPS` roots of light, from 0 to the peak's."""
        nits = np.linspace(0, 1, _STEPS) ** 2 * self._peak_nits
        white_nits = float(np.interp(self._bright_nits, BRIGHT_NITS, WHITE_NITS))
        light = np.clip(eetf(nits, self._peak_nits, white_nits) / white_nits, 0, 1)
        return np.round(255 * light ** (1 / self.gamma)).astype(np.uint8)

    def _nits(self, rgb: Codes) -> Floats:
        """Light of each pixel on the reference display, in cd/m² and the primaries of sRGB."""
        if rgb.dtype == np.float32:
            rgb = np.round(np.clip(np.nan_to_num(rgb), 0, 1) * 65535).astype(np.uint16)
        light = _light(self.transfer, 255 if rgb.dtype == np.uint8 else 65535)[rgb]
        if self.transfer == "hlg":  # BT.2100: the brighter the scene, the steeper the display
            luma = cv2.transform(light, _xyz(self.primaries)[1:2])
            light *= cv2.pow(np.maximum(luma, 1e-9), 0.2)[..., np.newaxis] * HLG_NITS
        to_srgb = np.linalg.inv(_xyz("bt709")) @ _xyz(self.primaries)
        return np.asarray(cv2.transform(light, to_srgb), np.float32)


@lru_cache(4)
def _light(transfer: Transfer, largest: int) -> Floats:
    """Light for each code value: in cd/m² for PQ, scene light from 0 to 1 for HLG."""
    code = np.linspace(0, 1, largest + 1)
    if transfer == "pq":
        return pq_to_nits(code).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073  # BT.2100, table 5
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)


def eetf(nits: npt.NDArray[np.float64], peak_nits: float, white_nits: float) -> npt.NDArray[np.float64]:
    """Compress light from 0 to the peak to `white_nits` by BT.2390-11 (5.4.1), with black at 0."""
    if peak_nits <= white_nits:
        return nits
    whole = nits_to_pq(np.array(peak_nits))
    code, most = nits_to_pq(nits) / whole, float(nits_to_pq(np.array(white_nits)) / whole)
    knee = 1.5 * most - 0.5
    t = np.clip((code - knee) / (1 - knee), 0, 1)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    )
    return pq_to_nits(np.where(code < knee, code, bent) * whole)


# The constants of SMPTE ST 2084.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def pq_to_nits(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Light, 0 to 10,000 cd/m², of PQ code values from 0 to 1."""
    power = code ** (1 / _M2)
    return 10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def nits_to_pq(nits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """PQ code values, from 0 to 1, of light from 0 to 10,000 cd/m²."""
    power = (nits / 10_000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _xyz(primaries: Primaries) -> npt.NDArray[np.float64]:
    """Matrix from linear RGB to CIE XYZ in which white has a Y of 1."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _XY[primaries]]).T
    x, y = _D65
    return columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y))
