"""From a loaded picture of any mode to upright RGB pixels, in the colours of sRGB."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ExifTags, ImageCms
from PIL.Image import Transpose

from agegender.types import Image

MAX_EXIF_BYTES = 1_000_000
"""Cameras write some kilobytes. Larger ones can hold millions of numbers, each of which takes Pillow time."""

STRIP_PIXELS = 300_000
"""So much of a picture is converted at a time: it fits the processor's cache, and takes next to no memory."""

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


def upright_rgb(picture: PIL.Image.Image) -> Image:
    """Return a loaded picture of any mode as RGB uint8, upright, over white and in the colours of sRGB.

    Strip by strip, so that hardly more is held than the picture and the result.
    """
    width, height = picture.size
    turned = orientation(picture)
    levels = grey_levels(picture)
    to_srgb = srgb_transform(picture)
    image = np.empty((width, height, 3) if turned in SIDEWAYS else (height, width, 3), dtype=np.uint8)
    for box in strips(width, height):
        strip = to_rgb(picture.crop(box), levels, to_srgb)
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


def to_rgb(
    picture: PIL.Image.Image, levels: tuple[float, float] | None, to_srgb: ImageCms.ImageCmsTransform | None
) -> PIL.Image.Image:
    """Return a part of a picture of any mode as RGB, over white, with what is known of the whole."""
    if picture.mode.startswith("I;16"):
        picture = PIL.Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif levels:
        low, high = levels
        values = (finite(picture) - low) * (255 / max(high - low, 1e-12))
        picture = PIL.Image.fromarray(values.round().astype(np.uint8))
    if picture.has_transparency_data:
        white = PIL.Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture.convert("RGBA"))
        picture = white
    if picture.mode not in ("CMYK", "RGB"):
        picture = picture.convert("RGB")
    if to_srgb:
        return ImageCms.applyTransform(picture, to_srgb) or picture
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def grey_levels(picture: PIL.Image.Image) -> tuple[float, float] | None:
    """Return what is black and what is white in a grey picture of 32 bits, None for all others.

    Nothing in the file says it, so it is the darkest and the brightest pixel.
    """
    if picture.mode not in ("I", "F"):
        return None
    values = (finite(picture.crop(box)) for box in strips(*picture.size))
    lows, highs = zip(*((part.min(), part.max()) for part in values), strict=True)
    return min(lows), max(highs)


def finite(picture: PIL.Image.Image) -> npt.NDArray[np.float64]:
    """Return the pixels of a grey picture of 32 bits; 0 where they are no numbers."""
    return np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=0, neginf=0)


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

    Loading has already turned HEIF and TIFF pictures, and has taken the mark off them.
    """
    if len(picture.info.get("exif") or b"") > MAX_EXIF_BYTES:
        return 1
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error):
        return 1
    return value if isinstance(value, int) else 1
