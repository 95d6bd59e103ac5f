"""Convert loaded pictures of any mode to upright RGB pixels in sRGB."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ExifTags, ImageCms
from PIL.Image import Transpose

from agegender.imaging.hdr import SAMPLED_PIXELS, ToneMapper
from agegender.imaging.light import Light
from agegender.types import Image

MAX_EXIF_BYTES = 1_000_000
"""Cameras write a few kilobytes. Larger ones can hold millions of numbers, which cost Pillow time."""

STRIP_PIXELS = 300_000
"""Pixels converted at a time: they fit the processor's cache and take next to no memory."""

MOST_PROFILES = 64
_changing_nothing: set[bytes] = set()
"""Hashes of profiles known to be sRGB.

Cameras and programs write the same few, and checking one costs as much as decoding a megapixel.
"""

# Transformation that each EXIF orientation requires to turn the stored picture upright; 1 is upright.
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)


def new_image(shape: tuple[int, int, int]) -> Image:
    """Allocate pixels. A sandbox replaces this to allocate them in shared memory."""
    return np.empty(shape, dtype=np.uint8)


def upright_rgb(picture: PIL.Image.Image, light: Light | None = None) -> Image:
    """Convert a loaded picture of any mode to RGB uint8, upright, over white and in sRGB.

    Works strip by strip, so that memory holds hardly more than the picture and the result. `light` is the
    encoding of a high-dynamic-range picture.
    """
    width, height = picture.size
    turned = orientation(picture)
    to_rgb = Conversion(picture, light)
    image = new_image((width, height, 3) if turned in SIDEWAYS else (height, width, 3))
    for box in strips(width, height):
        strip = to_rgb(picture.crop(box))
        if turned in UPRIGHT:
            strip = strip.transpose(UPRIGHT[turned])
        part(image, box, turned)[:] = np.asarray(strip)
    return image


def strips(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) of full-width strips, from top to bottom."""
    rows = max(1, STRIP_PIXELS // width)
    return ((0, top, width, min(top + rows, height)) for top in range(0, height, rows))


def part(image: Image, box: tuple[int, int, int, int], turned: int) -> Image:
    """The part of the upright image that a strip of the stored picture maps to."""
    _, top, _, bottom = box
    if turned in (3, 4, 6, 7):  # what is stored first comes last
        size = image.shape[1 if turned in SIDEWAYS else 0]
        top, bottom = size - bottom, size - top
    return image[:, top:bottom] if turned in SIDEWAYS else image[top:bottom]


class Conversion:
    """Converts parts of a loaded picture of any mode to RGB, over white, in sRGB."""

    def __init__(self, picture: PIL.Image.Image, light: Light | None) -> None:
        self.levels = grey_levels(picture)
        self.to_srgb = None if light else srgb_transform(picture)
        self.tone = ToneMapper(*light) if light else None
        if self.tone:
            self.tone.look(np.asarray(_sample(picture).convert("RGB")))

    def __call__(self, picture: PIL.Image.Image) -> PIL.Image.Image:
        """Convert a part of the picture to RGB."""
        if self.levels:
            values = finite(np.asarray(picture), *self.levels)
            picture = PIL.Image.fromarray(spread(values, *self.levels))
        if self.tone:
            alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
            picture = PIL.Image.fromarray(self.tone.mapped(np.asarray(picture.convert("RGB"))))
            if alpha:
                picture.putalpha(alpha)
        if picture.has_transparency_data:
            white = PIL.Image.new("RGBA", picture.size, "white")
            white.alpha_composite(picture.convert("RGBA"))
            picture = white
        if picture.mode not in ("CMYK", "RGB"):
            picture = picture.convert("RGB")
        if self.to_srgb:
            return ImageCms.applyTransform(picture, self.to_srgb) or picture
        return picture if picture.mode == "RGB" else picture.convert("RGB")


def _sample(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Subsample a picture, enough to measure its light."""
    scale = min(1.0, (SAMPLED_PIXELS / (picture.width * picture.height)) ** 0.5)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, PIL.Image.Resampling.NEAREST)


def grey_levels(picture: PIL.Image.Image) -> tuple[float, float] | None:
    """Black and white levels of a grey picture of 16 or 32 bits; None for all others.

    Cameras and scanners often use only 10 to 14 of 16 bits without the file saying so; white is therefore the
    largest value of as many bits as are used. For 32 bits or floating point, the levels are the darkest and
    brightest pixel.
    """
    short = picture.mode.startswith("I;16")
    if not short and picture.mode not in ("I", "F"):
        return None
    found = (levels_of(np.asarray(picture.crop(box))) for box in strips(*picture.size))
    lows, highs = zip(*found, strict=True)
    low, high = min(lows), max(highs)
    if short:
        low, high = 0.0, float(2 ** max(8, int(high).bit_length()) - 1)
    white_is_zero = getattr(picture, "tag_v2", {}).get(262) == 0  # TIFF 6.0, PhotometricInterpretation
    return (high, low) if white_is_zero else (low, high)


def levels_of(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Minimum and maximum of the finite values; infinities if there are none."""
    numbers = values[np.isfinite(values)]
    return (float(numbers.min()), float(numbers.max())) if numbers.size else (np.inf, -np.inf)


def finite(values: npt.NDArray[Any], black: float, white: float) -> npt.NDArray[np.float64]:
    """Replace non-finite values by black or white."""
    return np.nan_to_num(values.astype(np.float64), nan=black, neginf=black, posinf=white)


def spread(values: npt.NDArray[np.float64], black: float, white: float) -> npt.NDArray[np.uint8]:
    """Scale values from black to white to 0 to 255; all black if both are the same."""
    if not np.isfinite(white - black) or white == black:
        return np.zeros(values.shape, np.uint8)
    return np.round((values - black) * (255 / (white - black))).astype(np.uint8)


def srgb_transform(picture: PIL.Image.Image) -> ImageCms.ImageCmsTransform | None:
    """Transform from an RGB or CMYK picture's ICC profile to sRGB.

    None if there is no profile, if it is broken or does not match the picture, and if it is sRGB under any
    name, as most are. Worth a quarter of a second for 12 megapixels: phones save in Display P3, in which skin
    would look pale, and printers' CMYK is far off.
    """
    profile = picture.info.get("icc_profile")
    if not profile or (picture.mode != "CMYK" and sha256(profile).digest() in _changing_nothing):
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            "CMYK" if picture.mode == "CMYK" else "RGB",
            "RGB",
        )
        if picture.mode != "CMYK" and changes_nothing(transform):
            if len(_changing_nothing) < MOST_PROFILES:
                _changing_nothing.add(sha256(profile).digest())
            return None
        return transform
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Return whether an RGB transform changes no colour, at 16 levels per channel, beyond rounding."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    changed = ImageCms.applyTransform(PIL.Image.fromarray(colours), transform)
    return changed is not None and bool((np.abs(np.asarray(changed, dtype=int) - colours) <= 1).all())


def orientation(picture: PIL.Image.Image) -> int:
    """EXIF orientation, 1 to 8, still to be applied to a loaded picture; 1 if it is unreadable.

    Loading has already turned HEIF and TIFF pictures and removed their tag; JPEG XL pictures keep theirs, but
    it no longer applies.
    """
    if picture.format == "JXL":
        return 1
    if len(picture.info.get("exif") or b"") > MAX_EXIF_BYTES:
        return 1
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error):
        return 1
    return value if isinstance(value, int) else 1
