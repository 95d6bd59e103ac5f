"""Decode bytes or files to upright RGB pictures, and encode pictures to bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import PIL.Image
import pillow_heif
from PIL import UnidentifiedImageError
from PIL.Image import DecompressionBombError, DecompressionBombWarning

from agegender.errors import ImageError
from agegender.imaging import tiff
from agegender.imaging.bombs import Pieces, refuse_intricate, refuse_many_scans
from agegender.imaging.color import SIDEWAYS, orientation, upright_rgb
from agegender.imaging.first_frame import seek_first_frame
from agegender.imaging.formats import PICTURES, names, raw_message, unread_message
from agegender.imaging.geometry import LONG_SHAPE
from agegender.imaging.incomplete import complete, lacks_end, note
from agegender.imaging.light import light_of
from agegender.types import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
"""Pillow formats read besides JPEG XL; its other decoders (EPS, PSD, …) stay disabled for uploads."""

MAX_PIXELS = 50_000_000
HUNGRY = ("WEBP", "AVIF")
"""Formats whose decoders need 16 bytes per pixel instead of 4, and so get half the pixel limit."""

MAX_RARE_PIXELS = MAX_PIXELS // 4
"""Pixel limit for TIFF files that OpenCV reads, which take up to 24 bytes per pixel."""

MAX_BYTES = 4 * MAX_PIXELS
"""Maximum size of a file: four bytes per pixel, uncompressed."""

NOT_A_PICTURE = f"This is not a picture, or it is damaged. {names(PICTURES)} files can be read."
JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
NO_JPEG_XL = (
    "This is a JPEG XL picture. To have those read, install pylibjxl (pip install pylibjxl), "
    "or save it as JPEG or PNG and choose that."
)
DAMAGED = "The picture is damaged or incomplete. Copy or download it again, or choose another one."
EMPTY = "The file is empty. Copy or download it again, or choose another one."
TOO_MANY_PIXELS = (
    f"The picture has more than {MAX_PIXELS // 1_000_000} megapixels. Make it smaller and try again."
)
TOO_MANY_HUNGRY_PIXELS = (
    f"The picture has more than {MAX_PIXELS // 2_000_000} megapixels, too many for WebP and AVIF files. "
    "Make it smaller, or save it as JPEG, and try again."
)
TOO_MANY_RARE_PIXELS = (
    f"The picture has more than {MAX_RARE_PIXELS // 1_000_000} megapixels, "
    "too many for a TIFF file of its kind. Make it smaller, or save it as JPEG, and try again."
)
TOO_MANY_BYTES = (
    f"The file is larger than {MAX_BYTES // 1_000_000} MB. Make the picture smaller and try again."
)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded picture: upright RGB pixels, possibly fewer than the file holds.

    `whole_wh` are the upright width and height of the picture in the file, `notes` sentences for a person
    about anything unusual in it.
    """

    image: Image
    whole_wh: tuple[int, int]
    notes: tuple[str, ...] = ()


def decode(source: bytes | Path) -> Image:
    """Decode the picture in `source` to upright RGB uint8 (height, width, 3), C-contiguous.

    The format is recognised by content, whatever the file's name; of several frames, the first that shows
    something is used. EXIF orientation and ICC profile are applied if valid, PQ and HLG are mapped to the
    range of sRGB, and transparent parts are placed over white. Raises `ImageError`, with a message for
    people, for anything but a picture of at most `MAX_PIXELS`, or half of that in the `HUNGRY` formats, and
    for one that lacks a hundredth of its rows. On top of `source` and the result, it needs at most 5 bytes
    per pixel, 16 in those formats, and 8 for a truncated file.
    """
    return decode_at_least(source, MAX_PIXELS).image


def decode_at_least(source: bytes | Path, long_side_px: int) -> Decoded:
    """Decode like `decode`, possibly at reduced size, with the full size and notes.

    A JPEG is decoded at a half, a quarter or an eighth of its size if its long side still has `long_side_px`:
    the decoder skips what it does not need, which halves the time. For a picture longer than `LONG_SHAPE`,
    this applies to a part of that shape instead of the whole.
    """
    data = source if isinstance(source, bytes) else read(source)
    if not data:
        raise ImageError(EMPTY)
    if len(data) > MAX_BYTES:
        raise ImageError(TOO_MANY_BYTES)
    if raw := raw_message(data):  # otherwise Pillow would read its thumbnail
        raise ImageError(raw)
    with _told(data):
        try:
            return _decoded(data, long_side_px)
        except (ImageError, UnidentifiedImageError, DecompressionBombError, DecompressionBombWarning):
            raise
        except Exception:  # decoders raise nearly anything on damaged bytes
            if (completed := complete(data)) is None:
                raise
            return replace(_decoded(completed.data, long_side_px), notes=(note(completed.lost),))


@contextmanager
def _told(data: bytes) -> Iterator[None]:
    """Context manager that turns any exception into an `ImageError` that says what is wrong."""
    try:
        yield
    except ImageError:
        raise
    except (DecompressionBombError, DecompressionBombWarning) as error:
        # Pillow's own limit is above ours and checked first: it warns or raises, depending on its settings.
        raise ImageError(TOO_MANY_PIXELS) from error
    except UnidentifiedImageError as error:
        raise ImageError(unread_message(data) or NOT_A_PICTURE) from error
    except Exception as error:
        raise ImageError(DAMAGED) from error


def _decoded(data: bytes, long_side_px: int) -> Decoded:
    """Do the work of `decode_at_least` for a valid file; raises whatever decoders raise."""
    with _opened_or_rare(data) as picture:
        pixels = picture.width * picture.height
        if pixels > MAX_PIXELS:
            raise ImageError(TOO_MANY_PIXELS)
        if picture.format in HUNGRY and pixels > MAX_PIXELS // 2:
            raise ImageError(TOO_MANY_HUNGRY_PIXELS)
        refuse_many_scans(data, pixels)
        width, height = picture.size
        scale = long_side_px / min(max(width, height), LONG_SHAPE * min(width, height))
        picture.draft(None, (max(1, int(width * scale)), max(1, int(height * scale))))
        wide = pixels <= MAX_RARE_PIXELS and ";16" in str(getattr(picture, "tile", "")[:1])
        moved = seek_first_frame(picture)
        picture.load()
        shown = tiff.read_few_bits(data, picture) if wide and tiff.has_few_bits(picture) else picture
        image = upright_rgb(shown, light_of(data))
        notes = (*([moved] if moved else []), *([note(0)] if lacks_end(data) else []))
        if picture.size in ((width, height), (height, width)):  # HEIF and TIFF are turned during loading
            return Decoded(image, (image.shape[1], image.shape[0]), notes)
        whole_wh = (height, width) if orientation(picture) in SIDEWAYS else (width, height)
        return Decoded(image, whole_wh, notes)


def _opened_or_rare(data: bytes) -> PIL.Image.Image:
    """Open the picture like `opened`, or load one that Pillow cannot open."""
    try:
        return opened(data)
    except UnidentifiedImageError:
        if tiff.pixels_of(data) > MAX_RARE_PIXELS:
            raise ImageError(TOO_MANY_RARE_PIXELS) from None
        if rare := tiff.read_rare(data):
            return rare
        raise


def opened(data: bytes) -> PIL.Image.Image:
    """Open the picture, reading only its header; use as a context manager.

    Raises `ImageError` if it is stored in far too many pieces, and otherwise whatever Pillow raises.
    """
    register_heif()
    is_jpeg_xl = data.startswith(JPEG_XL)
    if is_jpeg_xl:
        register_jpeg_xl()
    refuse_intricate(data)
    return PIL.Image.open(Pieces(data), formats=("JXL",) if is_jpeg_xl else FORMATS)


def pixels_of(data: bytes) -> int:
    """Number of pixels a picture claims to have; 0 for anything that will not be decoded."""
    try:
        with opened(data) as picture:
            return picture.width * picture.height
    except UnidentifiedImageError:
        return tiff.pixels_of(data)
    except Exception:  # noqa: BLE001 - as for `decode`, which reports what is wrong
        return 0


def read(path: Path) -> bytes:
    """Read a file of at most `MAX_BYTES`; raises `ImageError` if that fails."""
    with reading(path) as file:
        return file.read()


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file of at most `MAX_BYTES`, as a context manager; raises `ImageError` if that fails."""
    try:
        if path.is_dir():
            raise ImageError(f"“{path}” is a folder. Choose a picture in it.")
        if not path.exists():
            raise ImageError(f"There is no file “{path}”. Check its name.")
        if not path.is_file():
            raise ImageError(f"“{path}” is not a file. Choose a picture.")
        if path.stat().st_size > MAX_BYTES:
            raise ImageError(TOO_MANY_BYTES)
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ImageError(
            f"“{path}” cannot be opened ({error.strerror}). Check that you may read it."
        ) from error


@cache
def register_heif() -> None:
    """Register HEIC and HEIF with Pillow, which supports AVIF natively."""
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


@cache
def register_jpeg_xl() -> None:
    """Register JPEG XL with Pillow; raises `ImageError` if its decoder is not installed.

    Wheels exist only for the commonest systems, and few people have such files.
    """
    try:
        from pylibjxl.pillow_plugin import register_pillow
    except ImportError as error:
        raise ImageError(NO_JPEG_XL) from error
    register_pillow()


def encode_jpeg(image: Image, quality: int = 92) -> bytes:
    """Encode the RGB image as JPEG without metadata; raises `ImageError` above 65,500 pixels a side."""
    if max(image.shape[:2]) > 65_500:  # libjpeg's limit
        raise ImageError("A JPEG picture has at most 65,500 pixels on each side. Save it as PNG instead.")
    file = BytesIO()
    # Full chroma resolution, so that thin coloured lines stay sharp.
    PIL.Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return file.getvalue()


def encode_png(image: Image) -> bytes:
    """Encode the RGB image as PNG without metadata."""
    file = BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
