"""From a loaded picture of any mode to upright RGB pixels, in the colours of sRGB."""

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
"""Cameras write some kilobytes. Larger ones can hold millions of numbers, each of which takes Pillow time."""

STRIP_PIXELS = 300_000
"""Pixels converted at a time: they fit the processor's cache and take next to no memory."""

MOST_PROFILES = 64
_changing_nothing: set[bytes] = set()
"""Sums of the profiles that were found to be sRGB: cameras and programs write the same few, and to look costs
as much as to decode a megapixel."""

# What each value of EXIF's orientation asks for, to turn the stored picture upright; 1 is upright.
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
    """Return pixels to be filled. A sandbox has its own way, which takes them from shared memory."""
    return np.empty(shape, dtype=np.uint8)


def upright_rgb(picture: PIL.Image.Image, light: Light | None = None) -> Image:
    """Return a loaded picture of any mode as RGB uint8, upright, over white and in the colours of sRGB.

    Strip by strip, so that hardly more is held than the picture and the result. `light` is how a picture of
    high dynamic range is meant.
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
    """Return the boxes (left, top, right, bottom) of parts as wide as the picture, from top to bottom."""
    rows = max(1, STRIP_PIXELS // width)
    return ((0, top, width, min(top + rows, height)) for top in range(0, height, rows))


def part(image: Image, box: tuple[int, int, int, int], turned: int) -> Image:
    """Return the part of the upright image into which a strip of the stored picture comes."""
    _, top, _, bottom = box
    if turned in (3, 4, 6, 7):  # what is stored first comes last
        size = image.shape[1 if turned in SIDEWAYS else 0]
        top, bottom = size - bottom, size - top
    return image[:, top:bottom] if turned in SIDEWAYS else image[top:bottom]


class Conversion:
    """What brings parts of a loaded picture of any mode to RGB, over white, in the colours of sRGB."""

    def __init__(self, picture: PIL.Image.Image, light: Light | None) -> None:
        self.levels = grey_levels(picture)
        self.to_srgb = None if light else srgb_transform(picture)
        self.tone = ToneMapper(*light) if light else None
        if self.tone:
            self.tone.look(np.asarray(_sample(picture).convert("RGB")))

    def __call__(self, picture: PIL.Image.Image) -> PIL.Image.Image:
        """Return a part of the picture as RGB."""
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
    """Return every so many pixels of a picture, by which its light can be told."""
    scale = min(1.0, (SAMPLED_PIXELS / (picture.width * picture.height)) ** 0.5)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, PIL.Image.Resampling.NEAREST)


def grey_levels(picture: PIL.Image.Image) -> tuple[float, float] | None:
    """Return what is black and what is white in a grey picture of 16 or 32 bits, None for all others.

    Of 16 bits cameras and scanners often use but 10 to 14, and nothing in the file says it, so white is the
    largest value of as many bits as are used. Of 32 bits or floating point it is the brightest pixel, and
    black the darkest.
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
    """Return the least and the greatest of the values that are numbers; infinities where there is none."""
    numbers = values[np.isfinite(values)]
    return (float(numbers.min()), float(numbers.max())) if numbers.size else (np.inf, -np.inf)


def finite(values: npt.NDArray[Any], black: float, white: float) -> npt.NDArray[np.float64]:
    """Return the values with black and white in the place of those that are no numbers."""
    return np.nan_to_num(values.astype(np.float64), nan=black, neginf=black, posinf=white)


def spread(values: npt.NDArray[np.float64], black: float, white: float) -> npt.NDArray[np.uint8]:
    """Return values from black to white as 0 to 255; all black where the two are the same."""
    if not np.isfinite(white - black) or white == black:
        return np.zeros(values.shape, np.uint8)
    return np.round((values - black) * (255 / (white - black))).astype(np.uint8)


def srgb_transform(picture: PIL.Image.Image) -> ImageCms.ImageCmsTransform | None:
    """Return what brings the colours of an RGB or CMYK picture to sRGB, by the profile that it has.

    None without one, where it is broken or not of the picture's kind, and where it is sRGB itself under
    whatever name, which most are. Worth its quarter of a second for 12 megapixels: telephones save in Display
    P3, whose skin would look pale, and printers' CMYK is far off.
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
    """Return whether a transform of RGB changes no colour, of 16 a channel, by more than rounding does."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    changed = ImageCms.applyTransform(PIL.Image.fromarray(colours), transform)
    return changed is not None and bool((np.abs(np.asarray(changed, dtype=int) - colours) <= 1).all())


def orientation(picture: PIL.Image.Image) -> int:
    """Return EXIF's orientation, 1 to 8, still to be applied to a loaded picture; 1 where it is unreadable.

    Loading has already turned HEIF and TIFF pictures, and has taken the mark off them; JPEG XL pictures
    keep it, but do not mean it.
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
