from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from agegender.errors import ImageError
from agegender.imaging import io as images
from agegender.imaging.io import decode, encode_jpeg, encode_png, register_heif
from agegender.types import Image

register_heif()

LOSSLESS = ("PNG", "BMP", "TIFF", "GIF", "WEBP")
LOSSY = ("JPEG", "AVIF", "HEIF")
ORIENTED = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")
EXTRA: dict[str, dict[str, object]] = {
    "WEBP": {"lossless": True},
    "JPEG": {"subsampling": 0},
    "HEIF": {"chroma": 444},
}

# A picture that looks the same in no other orientation: four colours, one a quarter.
RED, GREEN, BLUE, GREY = (200, 30, 40), (20, 160, 60), (30, 50, 210), (90, 90, 90)
QUARTERS = np.zeros((48, 64, 3), np.uint8)
QUARTERS[:24, :32], QUARTERS[:24, 32:], QUARTERS[24:, :32], QUARTERS[24:, 32:] = RED, GREEN, BLUE, GREY
PICTURE = PIL.Image.fromarray(QUARTERS)

# Where the stored rows and columns come from, as EXIF 2.32 tells of tag 274 ('the 0th row is at the
# visual top …'), so that a camera would have stored QUARTERS like this.
STORED = {
    1: QUARTERS,
    2: QUARTERS[:, ::-1],
    3: QUARTERS[::-1, ::-1],
    4: QUARTERS[::-1],
    5: QUARTERS.swapaxes(0, 1),
    6: np.rot90(QUARTERS),
    7: QUARTERS[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90(QUARTERS, -1),
}


def encoded(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **{**EXTRA.get(kind, {}), **options})
    return file.getvalue()


def exif(orientation: int) -> bytes:
    tags = PIL.Image.Exif()
    tags[274] = orientation
    return tags.tobytes()


def assert_same(image: Image, expected: np.ndarray, tolerance: int = 0) -> None:
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable
    assert image.shape == expected.shape
    # Away from the edges between the quarters, where lossy formats ring.
    assert np.median(np.abs(image.astype(int) - expected), axis=(0, 1)).max() <= tolerance
    assert np.abs(image.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_come_out_pixel_for_pixel(kind: str) -> None:
    assert np.array_equal(decode(encoded(PICTURE, kind)), QUARTERS)


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_formats_come_out_nearly_so(kind: str) -> None:
    assert_same(decode(encoded(PICTURE, kind, quality=90)), QUARTERS, tolerance=6)


@pytest.mark.parametrize("kind", ORIENTED)
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    stored = PIL.Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    data = encoded(stored, kind, exif=exif(orientation))
    assert_same(decode(data), QUARTERS, tolerance=6)


# The container brand of some HEIC and AVIF files does not tell which of the two they are.
@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_high_efficiency_files_of_the_common_brand_are_read(kind: str) -> None:
    data = encoded(PICTURE, kind)
    assert_same(decode(data[:8] + b"mif1" + data[12:]), QUARTERS, tolerance=6)


RAMP = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
TRANSPARENT_RED = PIL.Image.new("RGBA", (4, 4), (200, 0, 0, 0))
HALF_RED = PIL.Image.new("RGBA", (4, 4), (200, 0, 0, 128))
PALETTE = PIL.Image.new("P", (4, 4), 1)
PALETTE.putpalette([0, 0, 0, 10, 200, 30])
GREY_ALPHA = PIL.Image.new("LA", (4, 4), (100, 128))
PALETTE_ALPHA = PALETTE.copy().convert("PA")
PALETTE_ALPHA.putalpha(0)


@pytest.mark.parametrize(
    ("picture", "kind", "options", "expected"),
    [
        pytest.param(PIL.Image.new("1", (4, 4), 1), "PNG", {}, (255, 255, 255), id="one bit"),
        pytest.param(PIL.Image.new("L", (4, 4), 90), "PNG", {}, (90, 90, 90), id="grey"),
        pytest.param(PIL.Image.new("L", (4, 4), 90), "JPEG", {}, (90, 90, 90), id="grey JPEG"),
        pytest.param(GREY_ALPHA, "PNG", {}, (177, 177, 177), id="grey with alpha"),
        pytest.param(PALETTE, "PNG", {}, (10, 200, 30), id="palette"),
        pytest.param(PALETTE, "GIF", {}, (10, 200, 30), id="palette GIF"),
        pytest.param(PALETTE, "PNG", {"transparency": 1}, (255, 255, 255), id="palette, transparent"),
        pytest.param(PALETTE, "PNG", {"transparency": b"\xff\x80"}, (132, 227, 142), id="palette, half"),
        pytest.param(PALETTE, "GIF", {"transparency": 1}, (255, 255, 255), id="GIF, transparent"),
        pytest.param(PALETTE_ALPHA, "TIFF", {}, (255, 255, 255), id="palette with alpha"),
        pytest.param(TRANSPARENT_RED, "PNG", {}, (255, 255, 255), id="transparent"),
        pytest.param(HALF_RED, "PNG", {}, (227, 127, 127), id="half transparent"),
        pytest.param(HALF_RED, "WEBP", {"lossless": True}, (227, 127, 127), id="half transparent WebP"),
        pytest.param(HALF_RED, "TIFF", {}, (227, 127, 127), id="half transparent TIFF"),
        pytest.param(
            PIL.Image.new("RGB", (4, 4), (9, 9, 9)),
            "PNG",
            {"transparency": (9, 9, 9)},
            (255, 255, 255),
            id="one colour transparent",
        ),
        pytest.param(PIL.Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF", {}, (255, 0, 0), id="CMYK"),
        pytest.param(
            PIL.Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG", {}, (254, 0, 0), id="CMYK JPEG"
        ),
        pytest.param(PIL.Image.new("YCbCr", (4, 4), (90, 128, 128)), "TIFF", {}, (90, 90, 90), id="YCbCr"),
    ],
)
def test_every_mode_comes_out_as_rgb_over_white(
    picture: PIL.Image.Image, kind: str, options: dict[str, object], expected: tuple[int, int, int]
) -> None:
    image = decode(encoded(picture, kind, **options))
    assert image.shape == (4, 4, 3)
    assert np.abs(image.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    picture = PIL.Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert np.array_equal(decode(encoded(picture, kind)), np.dstack([RAMP] * 3))


def test_sixteen_bit_colour_keeps_its_high_bytes() -> None:
    assert np.array_equal(
        decode(png(4, 1, depth=16, colour=2, rows=b"\0" + bytes(range(0, 240, 10)))),
        [[[0, 20, 40], [60, 80, 100], [120, 140, 160], [180, 200, 220]]],
    )


@pytest.mark.parametrize("scale", [1, 1 / 255, 1000])
def test_floating_point_grey_spans_black_to_white(scale: float) -> None:
    picture = PIL.Image.fromarray(RAMP.astype(np.float32) * scale)
    assert np.array_equal(decode(encoded(picture, "TIFF")), np.dstack([RAMP] * 3))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_read(kind: str) -> None:
    others = [PICTURE.transpose(PIL.Image.Transpose.ROTATE_180)]
    data = encoded(PICTURE, kind, save_all=True, append_images=others)
    assert np.array_equal(decode(data), QUARTERS)


def swapped_profile() -> bytes:
    """Return the profile of an RGB space that is sRGB with the first two channels changed over."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_colours_of_another_profile_become_srgb(kind: str) -> None:
    data = encoded(PICTURE, kind, icc_profile=swapped_profile())
    assert_same(decode(data), QUARTERS[:, :, (1, 0, 2)], tolerance=6)


def test_a_profile_of_srgb_itself_costs_no_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[tuple[int, int]] = []
    apply = ImageCms.applyTransform

    def counted(picture: PIL.Image.Image, transform: ImageCms.ImageCmsTransform) -> object:
        converted.append(picture.size)
        return apply(picture, transform)

    monkeypatch.setattr(ImageCms, "applyTransform", counted)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(PICTURE, "PNG", icc_profile=profile.replace(b"sRGB built-in", b"what you like"))
    assert np.array_equal(decode(data), QUARTERS)
    assert PICTURE.size not in converted


@pytest.mark.parametrize("profile", [b"\0", b"not a profile", swapped_profile()[:200]])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert np.array_equal(decode(encoded(PICTURE, "PNG", icc_profile=profile)), QUARTERS)


def test_a_profile_of_another_kind_is_ignored() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert np.array_equal(decode(encoded(PICTURE, "PNG", icc_profile=lab)), QUARTERS)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@settings(deadline=None)  # hypothesis would count the time that other programs take
@given(broken=st.binary(min_size=1, max_size=40) | st.binary(max_size=40).map(exif(6)[:20].__add__))
def test_broken_exif_does_not_stop_reading(kind: str, broken: bytes) -> None:
    image = decode(encoded(PICTURE, kind, exif=b"Exif\0\0" + broken))
    assert sorted(image.shape) == [3, 48, 64]


@given(st.integers(0, 65535).filter(lambda value: value not in STORED))
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    assert np.array_equal(decode(encoded(PICTURE, "PNG", exif=exif(orientation))), QUARTERS)


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, rows: bytes = b"") -> bytes:
    """Return a PNG file written by hand, of any size that its header may claim."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


# Above our limit; above the one at which Pillow warns; above the one at which it raises.
@pytest.mark.parametrize(("width", "height"), [(10_000, 5_001), (10_000, 10_000), (50_000, 50_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_many_pixels_are_refused_before_they_are_decoded(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PIL.ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="50 megapixels"):
        decode(png(width, height))


def test_too_many_pixels_are_refused_where_warnings_are_errors() -> None:
    with pytest.raises(ImageError, match="50 megapixels"):
        decode(png(10_000, 10_000))


def test_the_limit_holds_whatever_that_of_pillow_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ImageError, match="50 megapixels"):
        decode(png(50_000, 50_000))


def test_a_picture_at_the_limit_is_read() -> None:
    data = encoded(PIL.Image.new("1", (10_000, 5_000)), "PNG")
    assert decode(data).shape == (5_000, 10_000, 3)


@pytest.mark.parametrize("kind", LOSSLESS + LOSSY)
def test_a_file_cut_off_anywhere_is_read_whole_or_refused(kind: str) -> None:
    data = encoded(PICTURE, kind)
    for length in range(1, len(data), max(1, len(data) // 50)):
        try:
            assert decode(data[:length]).shape == QUARTERS.shape
        except ImageError as error:
            assert_readable(error)


@pytest.mark.parametrize("kind", LOSSLESS + LOSSY)
def test_half_a_photograph_is_said_to_be_damaged(kind: str) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(PIL.Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match="damaged"):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"Dear diary,\n", "not a picture"),
        (b"%PDF-1.7\n", "PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"8BPS\0\1" + bytes(40), "Photoshop"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG drawing"),
        (png(0, 5), "damaged"),
    ],
)
def test_what_is_not_a_picture_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(data)
    for source in (data, tmp_path / "holiday.jpg"):
        with pytest.raises(ImageError, match=message) as caught:
            decode(source)
        assert_readable(caught.value)


def test_a_file_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(encoded(PICTURE, "PNG"))
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    for source in (tmp_path / "large.png", encoded(PICTURE, "PNG")):
        with pytest.raises(ImageError, match="larger than"):
            decode(source)


def test_a_name_that_lies_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "really-a-gif.jpg").write_bytes(encoded(PICTURE, "GIF"))
    assert np.array_equal(decode(tmp_path / "really-a-gif.jpg"), QUARTERS)


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no file .*gone\.jpg"):
        decode(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match=f"{tmp_path.name}.* is a folder"):
        decode(tmp_path)
    with pytest.raises(ImageError, match="cannot be opened"):
        decode(tmp_path / ("x" * 300))


def assert_readable(error: ImageError) -> None:
    text = str(error)
    assert text.endswith(".")
    assert not any(word in text for word in ("Error", "PIL", "0x", "BytesIO", "None"))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_an_image_error(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert_readable(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", LOSSLESS + LOSSY)
@settings(deadline=None)  # a file may claim to be large
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1))
def test_flipped_bits_give_a_picture_or_an_image_error(kind: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(SEEDS[kind])
    for where, mask in flips:
        data[int(where**2 * len(data))] ^= mask  # more of them in the headers
    try:
        image = decode(bytes(data))
    except ImageError as error:
        assert_readable(error)
    else:
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert image.size > 0


SEEDS = {kind: encoded(PICTURE, kind) for kind in LOSSLESS + LOSSY}


def test_what_is_encoded_is_decoded_again() -> None:
    assert np.array_equal(decode(encode_png(QUARTERS)), QUARTERS)
    assert_same(decode(encode_jpeg(QUARTERS)), QUARTERS, tolerance=3)
    assert len(encode_jpeg(QUARTERS, quality=20)) < len(encode_jpeg(QUARTERS))


def test_encoded_files_carry_no_metadata() -> None:
    for data in (encode_png(QUARTERS), encode_jpeg(QUARTERS)):
        with PIL.Image.open(BytesIO(data)) as picture:
            assert not {"exif", "icc_profile", "xmp", "comment"} & set(picture.info)


def test_a_picture_too_wide_for_jpeg_is_refused() -> None:
    wide = np.zeros((1, 65_501, 3), np.uint8)
    with pytest.raises(ImageError, match="PNG"):
        encode_jpeg(wide)
    assert np.array_equal(decode(encode_png(wide)), wide)
