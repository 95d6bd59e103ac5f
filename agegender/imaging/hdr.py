"""High dynamic range, PQ or HLG, to the range of sRGB, as ITU-R BT.2390 maps it."""

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
"""The numbers that files write for them (ITU-T H.273, transfer characteristics)."""

PRIMARIES: dict[int, Primaries] = {1: "bt709", 9: "bt2020", 11: "p3", 12: "p3"}
"""The numbers that files write for them (ITU-T H.273, colour primaries)."""

BRIGHT_NITS, WHITE_NITS = (110.0, 125.0), (100.0, 203.0)
"""White is at 203 cd/m² (BT.2408), but at 100 where next to nothing is brighter than 110: so FFmpeg makes
such videos of ordinary ones. Between 110 and 125 white moves from the one to the other."""

STILL_GAMMA, VIDEO_GAMMA = 2.2, 2.4
"""What displays do with pictures, and with videos (BT.1886). That of sRGB with its straight start is a little
less than 2.2, but nothing in a file says which of them its maker had before their eyes."""

HLG_NITS = 1000.0
"""The display that HLG is shown on where nothing else is said (BT.2100), with a system gamma of 1.2."""

WHITE_PERCENT, PEAK_PERCENT = 99.0, 99.9
"""The pixels that tell where white is, and above which light is cut off: there are but glints and noise."""

SAMPLED_PIXELS = 100_000
"""So many are enough to tell how bright a picture is."""

# x and y of red, green and blue; white is D65 for all three.
_XY: dict[Primaries, tuple[tuple[float, float], ...]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
_STEPS = 4096


class ToneMapper:
    """Maps pictures of one transfer and one set of primaries to sRGB; for a video one does all its frames.

    How it maps follows from the brightest that it has seen, so that a video does not flicker: what is mapped
    how changes only when something brighter comes.
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
        """Return RGB code values, (height, width, 3), full range, as RGB uint8 of sRGB.

        Code values are 0 to 255 as uint8, 0 to 65,535 as uint16, 0 to 1 as float32.
        """
        step = max(1, round((rgb.shape[0] * rgb.shape[1] / SAMPLED_PIXELS) ** 0.5))
        self.look(rgb[::step, ::step])
        return self.mapped(rgb)

    def look(self, rgb: Codes) -> None:
        """Take in how bright the code values are."""
        bright, peak = np.percentile(self._nits(rgb).max(axis=2), (WHITE_PERCENT, PEAK_PERCENT))
        self._bright_nits = max(self._bright_nits, float(bright))
        self._peak_nits = max(self._peak_nits, float(peak))

    def mapped(self, rgb: Codes) -> Image:
        """Return code values as RGB uint8 of sRGB, by what `look` has seen so far."""
        root = cv2.sqrt(np.clip(self._nits(rgb), 0, self._peak_nits))
        root *= (_STEPS - 1) / self._peak_nits**0.5
        image: Image = self._codes()[np.rint(root).astype(np.uint16)]
        return image

    def _codes(self) -> Image:
        """Return the code value of sRGB for each of `_STEPS` roots of light, from 0 to the peak's."""
        nits = np.linspace(0, 1, _STEPS) ** 2 * self._peak_nits
        white_nits = float(np.interp(self._bright_nits, BRIGHT_NITS, WHITE_NITS))
        light = np.clip(eetf(nits, self._peak_nits, white_nits) / white_nits, 0, 1)
        return np.round(255 * light ** (1 / self.gamma)).astype(np.uint8)

    def _nits(self, rgb: Codes) -> Floats:
        """Return the light of each pixel on the reference display, in cd/m² and the primaries of sRGB."""
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
    """Return the light for each code value: in cd/m² for PQ, of the scene from 0 to 1 for HLG."""
    code = np.linspace(0, 1, largest + 1)
    if transfer == "pq":
        return pq_to_nits(code).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073  # BT.2100, table 5
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)


def eetf(nits: npt.NDArray[np.float64], peak_nits: float, white_nits: float) -> npt.NDArray[np.float64]:
    """Return light from 0 to the peak as BT.2390-11 (5.4.1) brings it down to `white_nits`, black being 0."""
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
    """Return the light, 0 to 10,000 cd/m², of code values of PQ from 0 to 1."""
    power = code ** (1 / _M2)
    return 10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def nits_to_pq(nits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the code values of PQ, from 0 to 1, for light of 0 to 10,000 cd/m²."""
    power = (nits / 10_000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _xyz(primaries: Primaries) -> npt.NDArray[np.float64]:
    """Return the matrix from linear RGB to CIE XYZ, in which white has a Y of 1."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _XY[primaries]]).T
    x, y = _D65
    return columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y))
