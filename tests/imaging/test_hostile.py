"""Hostile pictures: each is read or refused, in good time and little memory, and nothing else happens."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import hostile
import PIL.Image
import pytest
from hostile import assert_harmless, decoded

from agegender.errors import ImageError
from agegender.imaging import bombs, workers
from agegender.imaging.io import decode


def test_a_part_of_the_corpus_is_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    reports = decoded(tmp_path, first=5, step=16)
    assert len(reports) > 400
    assert_harmless(reports)
    outcomes = Counter(report.outcome for report in reports)
    assert min(outcomes["picture"], outcomes["refused"]) > 50, "the corpus does not try both"


# The guards, one by one: what sets each of them off, and what is like it and goes through

JPEG = hostile.sound()["baseline.jpg"]
MANY = bombs.MAX_NUMBERS + 1
NUMBERS = struct.pack("<II", 1, 1) * MANY


def jpeg_with(*parts: bytes) -> bytes:
    return JPEG[:2] + b"".join(parts) + JPEG[2:]


def png_with(chunks: bytes, after: bool = False) -> bytes:
    plain = hostile.png(1, 1, hostile.deflated(4), b"" if after else chunks)
    return plain[:-12] + chunks + plain[-12:] if after else plain


def big_tiff_of_numbers(order: str) -> bytes:
    """Return the one directory of a BigTIFF file: so many resolutions."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HHHQ", 43, 8, 0, 16)
    return head + struct.pack(order + "QHHQQ", 1, 282, 5, MANY, 52) + bytes(8) + NUMBERS


TEXT = hostile.chunk(b"zTXt", b"x\0\0" + hostile.deflated(1_000))
EXIF = hostile.segment(0xE1, b"Exif\0\0" + hostile.exif())
POINTER = (0x8769, 4, 1, 26)  # to a directory that follows the first one


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(hostile.many_scans(7_000, 20, refining=True), id="scans"),
        pytest.param(jpeg_with(b"\xff" * 500_000), id="padding"),
        pytest.param(jpeg_with(hostile.segment(0xFE, b"") * 100_000), id="comments"),
        pytest.param(jpeg_with(EXIF * 17), id="parts of EXIF"),
        pytest.param(png_with(TEXT * 101), id="texts"),
        pytest.param(png_with(TEXT * 101, after=True), id="texts after the pixels"),
        pytest.param(png_with(hostile.chunk(b"abCd", b"") * 100_000), id="chunks"),
        pytest.param(hostile.gif(1, 1, b"!\xfe\1x\0" * 100_000), id="comments of a GIF"),
        pytest.param(hostile.rle_bmp(900, 900, b"\1\7" * 810_000), id="runs"),
        pytest.param(hostile.grey_tiff(9, 9, (282, 5, MANY, NUMBERS)), id="numbers"),
        pytest.param(hostile.tiff(POINTER, after=hostile.tiff((282, 5, MANY, 8))[8:]), id="numbers of EXIF"),
        pytest.param(big_tiff_of_numbers("<"), id="numbers of a BigTIFF"),
        pytest.param(big_tiff_of_numbers(">"), id="numbers of a BigTIFF, the other way round"),
    ],
)
def test_a_picture_in_far_too_many_pieces_is_refused_as_such(data: bytes) -> None:
    with pytest.raises(ImageError, match="more pieces than usual"):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(hostile.many_scans(64, 30, refining=True), id="scans of a small picture"),
        pytest.param(JPEG + b"\xff\xda" * 1_000_000, id="a film after the picture"),
        pytest.param(
            jpeg_with(hostile.segment(0xE2, b"\xff\xda" * 32_000) * 20), id="previews that look like scans"
        ),
        pytest.param(jpeg_with(b"\xff" * 1_000), id="padding"),
        pytest.param(jpeg_with(EXIF * 3), id="parts of EXIF"),
        pytest.param(png_with(TEXT * 50), id="texts"),
        pytest.param(hostile.rle_bmp(56, 40, (b"\1\7" * 56 + b"\0\0") * 40 + b"\0\1"), id="runs"),
    ],
)
def test_a_picture_that_only_looks_like_that_is_read(data: bytes) -> None:
    assert decode(data).size > 0


def test_formats_whose_decoders_need_four_times_the_memory_are_read_up_to_half_the_pixels() -> None:
    flat = hostile.saved(PIL.Image.new("RGB", (5_001, 5_000)), "WEBP", lossless=True, method=0, quality=0)
    with pytest.raises(ImageError, match="25 megapixels, too many for WebP and AVIF"):
        decode(flat)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "avif-ispe-lie-16384-444.avif",
        "bmp-eol-wide.bmp",
        "icc-mpet-100000.png",
        "jpg-scans-decoy-com-2000-refine.jpg",
        "tif-tile-20k-rgb-deflate.tif",
    ],
)
def test_bombs_from_the_field_are_refused(cases: Path, name: str) -> None:
    """As too much, or as damaged where the decoder itself gives up at the limit of memory."""
    with pytest.raises(ImageError, match=r"more memory or time|damaged"):
        workers.decode_at_least(cases / "hostile" / name, 1280)
