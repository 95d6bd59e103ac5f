"""Kinds of files that people have: which are read, which frame of what moves, and what is said of others."""

from __future__ import annotations

import builtins
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.errors import ImageError
from agegender.imaging import io as images
from agegender.imaging.io import decode, decode_at_least, pixels_of, register_heif
from agegender.imaging.tiff import tags

HOPPER = Path(__file__).parents[2] / "samples" / "grace_hopper.jpg"
PHOTO = PIL.Image.fromarray(decode(HOPPER)[:400, :300].copy())

register_heif()


def saved(kind: str, picture: PIL.Image.Image = PHOTO, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


# Frames


def fading(strengths: list[float]) -> list[PIL.Image.Image]:
    return [PHOTO.point(lambda value, each=each: int(value * each)) for each in strengths]


def moving(kind: str, frames: list[PIL.Image.Image], **options: object) -> bytes:
    return saved(kind, frames[0], save_all=True, append_images=frames[1:], duration=40, **options)


MOVING: dict[str, dict[str, object]] = {
    "GIF": {},
    "WEBP": {"lossless": True},
    "PNG": {},
    "AVIF": {"quality": 90},
}


@pytest.mark.parametrize("kind", MOVING)
def test_of_what_fades_in_from_black_the_first_clear_frame_is_read(kind: str) -> None:
    upside_down = PHOTO.transpose(PIL.Image.Transpose.ROTATE_180)
    frames = [*fading([0, 0, 0.05, 0.2, 0.4, 0.6, 0.8, 1, 1, 1]), upside_down]
    decoded = decode_at_least(moving(kind, frames, **MOVING[kind]), 10_000)
    assert np.abs(decoded.image.astype(int) - np.asarray(PHOTO)).mean() < 8
    (note,) = decoded.notes
    assert "frame" in note


@pytest.mark.parametrize("kind", MOVING)
def test_of_what_shows_something_from_the_start_the_first_frame_is_read(kind: str) -> None:
    frames = [PHOTO, PHOTO.transpose(PIL.Image.Transpose.ROTATE_180)]
    decoded = decode_at_least(moving(kind, frames, **MOVING[kind]), 10_000)
    assert np.abs(decoded.image.astype(int) - np.asarray(PHOTO)).mean() < 8
    assert decoded.notes == ()


def test_what_never_shows_much_is_read_where_it_shows_most() -> None:
    faint = fading([0, 0.1, 0.3, 0.3, 0.2])
    decoded = decode_at_least(moving("WEBP", faint, lossless=True), 10_000)
    assert np.array_equal(decoded.image, np.asarray(faint[2]))
    black = decode_at_least(moving("WEBP", fading([0, 0.01, 0]), lossless=True), 10_000)
    assert black.image.mean() < 3


@pytest.mark.parametrize("kind", MOVING)
def test_what_shows_next_to_nothing_and_does_not_move_is_read_as_it_is(kind: str) -> None:
    (faint,) = fading([0.1])
    decoded = decode_at_least(saved(kind, faint, **MOVING[kind]), 10_000)
    assert np.abs(decoded.image.astype(int) - np.asarray(faint)).mean() < 4
    assert decoded.notes == ()


def test_a_long_gif_is_read_though_not_to_its_end() -> None:
    frames = [PIL.Image.effect_noise((200, 200), 80) for _ in range(2)] * 500
    data = moving("GIF", frames)
    assert len(data) > 20_000_000, "more pieces than are read of any file"
    assert decode(data).shape == (200, 200, 3)


def test_pages_of_a_tiff_are_no_frames() -> None:
    data = moving("TIFF", [PIL.Image.new("RGB", PHOTO.size), PHOTO])
    assert not decode(data).any()


# Other kinds


def test_jpeg_xl_is_read_upright_and_in_the_colours_of_srgb() -> None:
    pylibjxl = pytest.importorskip("pylibjxl", reason="pylibjxl is not installed")
    pixels = np.asarray(PHOTO)
    assert np.abs(decode(pylibjxl.encode(pixels)).astype(int) - pixels).mean() < 4
    assert np.array_equal(decode(pylibjxl.encode(pixels, lossless=True)), pixels)
    grey = pylibjxl.encode(pixels[..., :1].copy(), lossless=True)
    assert np.array_equal(decode(grey), pixels[..., :1].repeat(3, axis=2))
    clear = pylibjxl.encode(np.dstack([pixels, np.zeros(pixels.shape[:2], np.uint8)]), lossless=True)
    assert (decode(clear) == 255).all()
    sideways = PIL.Image.Exif()
    sideways[274] = 6
    turned = saved("JPEG", PHOTO.transpose(PIL.Image.Transpose.ROTATE_90), exif=sideways, quality=95)
    assert np.abs(decode(pylibjxl.jpeg_to_jxl(turned)).astype(int) - pixels).mean() < 4
    assert pixels_of(grey) == 400 * 300


def test_jpeg_xl_without_what_reads_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("pylibjxl"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    images.register_jpeg_xl.cache_clear()
    with pytest.raises(ImageError, match="pip install pylibjxl"):
        decode(b"\xff\x0a" + bytes(20))
    assert pixels_of(b"\xff\x0a" + bytes(20)) == 0


def test_of_several_pictures_in_a_jpeg_the_first_is_read() -> None:
    data = saved("MPO", PHOTO, save_all=True, append_images=[PIL.Image.new("RGB", (90, 60))], quality=95)
    assert np.abs(decode(data).astype(int) - np.asarray(PHOTO)).mean() < 4


# TIFF, and raw files, which begin as TIFF does


def tiff(order: str, entries: dict[int, tuple[int, int, bytes]], after: bytes = b"") -> bytes:
    """Return a TIFF file of one directory: to each tag its type, count and value or place; then `after`."""
    packed = [
        struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")
        for tag, (kind, count, value) in sorted(entries.items())
    ]
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(packed))
    return start + b"".join(packed) + bytes(4) + after


def short(order: str, *values: int) -> tuple[int, int, bytes]:
    return 3, len(values), struct.pack(f"{order}{len(values)}H", *values)


def long(order: str, value: int) -> tuple[int, int, bytes]:
    return 4, 1, struct.pack(order + "I", value)


def float_tiff(order: str, pixels: np.ndarray) -> bytes:
    bits = 8 * pixels.dtype.itemsize
    height, width, samples = pixels.shape
    place = 8 + 2 + 12 * 11 + 4
    after = struct.pack(order + "3H", bits, bits, bits) + struct.pack(order + "3H", 3, 3, 3)
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()  # type: ignore[arg-type]
    half = height // 2  # two strips
    strips = struct.pack(order + "2I", place + 28, place + 28 + half * width * samples * bits // 8)
    sizes = struct.pack(
        order + "2I", half * width * samples * bits // 8, len(data) - half * width * samples * bits // 8
    )
    entries = {
        256: long(order, width),
        257: long(order, height),
        258: (3, 3, struct.pack(order + "I", place)),
        259: short(order, 1),
        262: short(order, 2),
        273: (4, 2, struct.pack(order + "I", place + 12)),
        274: short(order, 6),
        277: short(order, samples),
        278: long(order, half),
        279: (4, 2, struct.pack(order + "I", place + 20)),
        339: (3, 3, struct.pack(order + "I", place + 6)),
    }
    return tiff(order, entries, after + strips + sizes + data)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floating_point_in_colour_is_spread_and_upright(order: str, kind: type) -> None:
    upright = np.asarray(PHOTO).copy()
    upright[0, 0], upright[0, 1] = 0, 255
    values: np.ndarray = (np.rot90(upright) / 255 * 3 + 1).astype(
        kind
    )  # its orientation asks for a turn clockwise
    values[-1, 0, 0] = np.nan  # where it is black anyway
    image = decode(float_tiff(order, values))
    assert np.abs(image.astype(int) - upright).max() <= 1


def test_floating_point_in_colour_of_too_many_pixels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = float_tiff("<", np.zeros((20, 20, 3), np.float32))
    assert pixels_of(data) == 400
    monkeypatch.setattr(images, "MAX_RARE_PIXELS", 399)
    with pytest.raises(ImageError, match="too many for a TIFF file of its kind"):
        decode(data)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_without_gaps_between_its_bits(bits: int, order: str) -> None:
    grey = np.asarray(PHOTO.convert("L")).astype(int)
    ones = np.unpackbits((grey * (2**bits - 1) // 255).astype(">u2")[..., np.newaxis].view(np.uint8), axis=2)
    data = np.packbits(ones[..., 16 - bits :].reshape(len(grey), -1), axis=1).tobytes()
    entries = {
        256: long(order, 300),
        257: long(order, 400),
        258: short(order, bits),
        259: short(order, 1),
        262: short(order, 1),
        273: long(order, 8 + 2 + 12 * 9 + 4),
        277: short(order, 1),
        278: long(order, 400),
        279: long(order, len(data)),
    }
    image = decode(tiff(order, entries, data))
    assert np.abs(image.astype(int) - grey[..., np.newaxis]).mean() < 2


def raw(order: str, maker: bytes, **more: tuple[int, int, bytes]) -> bytes:
    """Return a raw file as cameras write it: a thumbnail, and the picture itself in directories below."""
    place = 8 + 2 + 12 * (10 + len(more)) + 4
    entries = {
        254: long(order, 1),
        256: long(order, 16),
        257: long(order, 8),
        258: short(order, 8),
        259: short(order, 1),
        262: short(order, 1),
        271: (2, len(maker), struct.pack(order + "I", place)),
        273: long(order, place + 32),
        279: long(order, 128),
        330: long(order, place),
        **{int(tag[1:]): value for tag, value in more.items()},
    }
    return tiff(order, entries, maker.ljust(32, b"\0") + bytes(128))


RAW = {
    "DNG": raw("<", b"Google", t50706=(1, 4, b"\1\4\0\0")),
    "Nikon NEF": raw(">", b"NIKON CORPORATION"),
    "Sony ARW": raw("<", b"SONY"),
    "Samsung SRW": raw("<", b"SAMSUNG"),
    "RAW": raw("<", b"Nobody's"),
    "Canon CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(64),
    "Canon CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(64),
    "Fujifilm RAF": b"FUJIFILMCCD-RAW 0201FF389501",
    "Olympus ORF": b"IIRO\x08\0\0\0" + bytes(64),
    "Panasonic RW2": b"IIU\0\x18\0\0\0" + bytes(64),
}


@pytest.mark.parametrize("kind", RAW)
def test_raw_files_of_cameras_are_told(kind: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(RAW[kind])
    assert f"({kind})" in str(caught.value)
    assert "Export it as JPEG" in str(caught.value)


def test_a_picture_that_a_camera_or_a_program_saved_as_tiff_is_no_raw_file() -> None:
    data = saved("TIFF", PHOTO, tiffinfo={271: "NIKON CORPORATION", 305: "Lightroom", 254: 0})
    assert np.array_equal(decode(data), np.asarray(PHOTO))


@given(st.binary(max_size=300))
def test_tags_of_anything_are_numbers(data: bytes) -> None:
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert all(0 <= value < 2**32 for value in tags(start + data).values())


UNREAD = {
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), b"\xff\x4f\xff\x51\0\x29" + bytes(40)),
    "Photoshop": (b"8BPS\0\1" + bytes(40), b"8BPS\0\2" + bytes(40)),
    "PDF": (b"%PDF-1.7\n", b"\xef\xbb\xbf junk %PDF-1.4\n"),
    "SVG": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', b"<!-- x -->\n<svg>"),
    "web page": (b"<!DOCTYPE html><html>", b"\n<html lang='en'>"),
    "computer graphics": (b"v/1\1\2\0\0\0", b"#?RADIANCE\n"),
    "DICOM": (bytes(128) + b"DICM\2\0",),
    "archive": (b"PK\3\4\x14\0", b"7z\xbc\xaf\x27\x1c"),
    "This is a video": (
        *(
            b"\0\0\0\x20ftypisom\0\0\2\0",
            b"\0\0\0\x14ftypqt  ",
            b"\0\0\0\x1cftyp3gp4",
            b"\0\0\0\x08wide\0\0\0\0mdat",
        ),
        *(b"\x1a\x45\xdf\xa3\x01", b"RIFF\0\0\0\0AVI LIST", b"FLV\1\5", b"\0\0\1\xba\x44", b"\0\0\1\xb3\x16"),
        *(
            b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9",
            (b"\x47" + bytes(187)) * 3,
            (bytes(4) + b"\x47" + bytes(187)) * 3,
        ),
    ),
}


@pytest.mark.parametrize(("kind", "data"), [(kind, data) for kind, files in UNREAD.items() for data in files])
def test_what_is_not_read_is_told_with_what_to_do(kind: str, data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data)
    what, *advice = str(caught.value).split(". ")
    assert kind in what
    assert advice


def test_a_broken_heic_or_avif_file_is_no_video() -> None:
    for kind in ("HEIF", "AVIF"):
        data = saved(kind)
        with pytest.raises(ImageError, match="damaged"):
            decode(data[:200])
