"""From bytes or a file to an upright RGB picture, and from a picture to bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import pillow_heif
from PIL import ExifTags, ImageCms, UnidentifiedImageError
from PIL.Image import DecompressionBombError, DecompressionBombWarning, Transpose

from agegender.errors import ImageError
from agegender.types import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
"""What is read, in Pillow's names; its other decoders (EPS, PSD, …) stay shut to uploads."""

MAX_PIXELS = 50_000_000
MAX_BYTES = 4 * MAX_PIXELS
"""No file need be larger: four bytes a pixel, uncompressed."""

NOT_A_PICTURE = (
    "This is not a picture, or it is damaged. "
    "JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC and AVIF files can be read."
)
DAMAGED = "The picture is damaged or incomplete. Copy or download it again, or choose another one."
EMPTY = "The file is empty. Copy or download it again, or choose another one."
TOO_MANY_PIXELS = (
    f"The picture has more than {MAX_PIXELS // 1_000_000} megapixels. Make it smaller and try again."
)
TOO_MANY_BYTES = (
    f"The file is larger than {MAX_BYTES // 1_000_000} MB. Make the picture smaller and try again."
)

STRIP_PIXELS = 1_000_000
"""So much of a picture is converted at a time: it fits the processor's cache, and takes next to no memory."""

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


def decode(source: bytes | Path) -> Image:
    """Return the picture in `source` as upright RGB uint8 of shape (height, width, 3), C-contiguous.

    The bytes alone say what it is, whatever the name of the file; of several frames the first is read.
    EXIF's orientation and an ICC profile are applied where they are sound; transparent parts are laid
    over white. Raises ImageError for everything that is not a picture of at most `MAX_PIXELS`; its text
    can be shown as it is.
    """
    data = source if isinstance(source, bytes) else read(source)
    if not data:
        raise ImageError(EMPTY)
    if len(data) > MAX_BYTES:
        raise ImageError(TOO_MANY_BYTES)
    register_heif()
    try:
        with PIL.Image.open(BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ImageError(TOO_MANY_PIXELS)
            picture.load()
            return upright_rgb(picture)
    except ImageError:
        raise
    except (DecompressionBombError, DecompressionBombWarning) as error:
        # Pillow's own limit lies above ours, and it looks before we can: it warns or raises, as it is set.
        raise ImageError(TOO_MANY_PIXELS) from error
    except UnidentifiedImageError as error:
        raise ImageError(NOT_A_PICTURE) from error
    except Exception as error:  # decoders raise nearly anything when they meet damaged bytes
        raise ImageError(DAMAGED) from error


def read(path: Path) -> bytes:
    """Return what is in a file of at most `MAX_BYTES`; raises ImageError where it cannot be read."""
    try:
        if path.is_dir():
            raise ImageError(f"“{path}” is a folder. Choose a picture in it.")
        if not path.exists():
            raise ImageError(f"There is no file “{path}”. Check its name.")
        if not path.is_file():
            raise ImageError(f"“{path}” is not a file. Choose a picture.")
        if path.stat().st_size > MAX_BYTES:
            raise ImageError(TOO_MANY_BYTES)
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"“{path}” cannot be opened ({error.strerror}). Check that you may read it."
        ) from error


@cache
def register_heif() -> None:
    """Teach Pillow to open HEIC and HEIF; AVIF it knows itself."""
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


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

    None without one, and where it is broken or not of the picture's kind. Worth its tenth of a second for
    12 megapixels: telephones save in Display P3, whose skin would look pale, and printers' CMYK is far off.
    """
    profile = picture.info.get("icc_profile")
    if not profile:
        return None
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            "CMYK" if picture.mode == "CMYK" else "RGB",
            "RGB",
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def orientation(picture: PIL.Image.Image) -> int:
    """Return EXIF's orientation, 1 to 8, still to be applied to a loaded picture; 1 where it is unreadable.

    Loading has already turned HEIF and TIFF pictures, and has taken the mark off them.
    """
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error):
        return 1
    return value if isinstance(value, int) else 1


def encode_jpeg(image: Image, quality: int = 92) -> bytes:
    """Return the RGB image as a JPEG file without metadata; raises ImageError above 65,500 pixels a side."""
    if max(image.shape[:2]) > 65_500:  # libjpeg's limit
        raise ImageError("A JPEG picture has at most 65,500 pixels on each side. Save it as PNG instead.")
    file = BytesIO()
    # Full colour resolution, so that thin coloured lines stay sharp.
    PIL.Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return file.getvalue()


def encode_png(image: Image) -> bytes:
    """Return the RGB image as a PNG file without metadata."""
    file = BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
