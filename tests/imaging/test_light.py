"""Pictures whose code values do not mean what they mostly do: high dynamic range, few bits, floats."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

import av
import numpy as np
import PIL.Image
import pytest
from av.video.reformatter import Colorspace
from hypothesis import given
from hypothesis import strategies as st
from lights import HOPPER, encoded, linear

from agegender.imaging.hdr import TRANSFERS, Transfer
from agegender.imaging.io import decode, register_heif
from agegender.imaging.light import light_of

CASES = Path(__file__).parents[3] / "shared" / "cases"
NUMBERS = {transfer: number for number, transfer in TRANSFERS.items()}

register_heif()


def saved(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def coded(transfer: Transfer) -> PIL.Image.Image:
    code = encoded(linear(HOPPER) * 203, transfer, "bt2020")
    return PIL.Image.fromarray(np.round(code * 255).astype(np.uint8))


def in_avif(transfer: Transfer) -> bytes:
    data = saved(coded(transfer), "AVIF", quality=95, subsampling="4:4:4")
    place = data.index(b"nclx") + 4  # Pillow writes sRGB there: primaries, then transfer
    return data[:place] + struct.pack(">HH", 9, NUMBERS[transfer]) + data[place + 4 :]


def in_heic(transfer: Transfer) -> bytes:
    return saved(
        coded(transfer),
        "HEIF",
        quality=95,
        chroma=444,
        color_primaries=9,
        transfer_characteristics=NUMBERS[transfer],
        matrix_coefficients=9,
    )


def in_png(transfer: Transfer) -> bytes:
    plain = saved(coded(transfer), "PNG")
    body = b"cICP" + bytes((9, NUMBERS[transfer], 0, 1))
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    return plain[:33] + chunk + plain[33:]


@pytest.mark.parametrize("transfer", NUMBERS)
@pytest.mark.parametrize("kind", [in_avif, in_heic, in_png])
def test_high_dynamic_range_is_as_bright_as_the_picture_it_was_made_of(kind, transfer: Transfer) -> None:  # type: ignore[no-untyped-def]
    image = decode(kind(transfer))
    assert image.mean((0, 1)) == pytest.approx(HOPPER.mean((0, 1)), rel=0.1)
    assert np.abs(image.astype(int) - HOPPER).mean() < 8


@contextmanager
def as_urgent_as_before() -> Iterator[None]:
    """Leave this thread's scheduling as it was.

    SVT-AV1, for root, makes whoever encodes a real-time process; a browser that is started by it later takes the
    cores from everybody else, for as long as a test waits.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def in_avif_of_ten_bits(transfer: Transfer) -> bytes:
    """Return what FFmpeg makes, which tells the light both in the boxes and in the stream."""
    code = np.round(encoded(linear(HOPPER) * 203, transfer, "bt2020") * 65535).astype(np.uint16)
    file = BytesIO()
    with as_urgent_as_before(), av.open(file, "w", format="avif") as container:
        stream = container.add_stream("libsvtav1", options={"crf": "10", "svtav1-params": "log=0"})
        stream.width, stream.height, stream.pix_fmt = HOPPER.shape[1], HOPPER.shape[0], "yuv420p10le"
        stream.codec_context.color_primaries, stream.codec_context.colorspace = 9, 9
        stream.codec_context.color_trc, stream.codec_context.color_range = NUMBERS[transfer], 1
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(code), format="rgb48le")
        frame = frame.reformat(format="yuv420p10le", dst_colorspace=Colorspace.ITU709)
        frame.colorspace, frame.color_primaries, frame.color_trc = 9, 9, NUMBERS[transfer]
        for packet in (*stream.encode(frame), *stream.encode()):
            container.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize("transfer", NUMBERS)
def test_an_avif_file_may_tell_its_light_in_its_stream_alone(transfer: Transfer) -> None:
    data = in_avif_of_ten_bits(transfer)
    assert data.count(b"colrnclx") == 1
    for each in (data, data.replace(b"colrnclx", b"skipnclx")):
        assert light_of(each) == (transfer, "bt2020")
        assert decode(each).mean() == pytest.approx(HOPPER.mean(), rel=0.1)


def test_light_that_is_told_of_another_picture_of_the_file_does_not_count() -> None:
    data = in_avif("pq")
    assert light_of(data) is not None
    place = data.index(b"ipma") + 12  # behind how many items there are: the one has the number 1
    assert data[place : place + 2] == b"\0\1"
    assert light_of(data[:place] + b"\0\2" + data[place + 2 :]) is None
    assert light_of(saved(PIL.Image.fromarray(HOPPER), "AVIF")) is None
    assert light_of(saved(PIL.Image.fromarray(HOPPER), "HEIF")) is None


@given(place=st.integers(0, 400), junk=st.binary(min_size=1, max_size=12))
def test_broken_boxes_are_no_light_or_some(place: int, junk: bytes) -> None:
    broken = AVIF[:place] + junk + AVIF[place + len(junk) :]
    for data in (broken, AVIF[:place]):
        light = light_of(data)
        assert light is None or light.transfer in NUMBERS


AVIF = in_avif("pq")


def test_what_is_transparent_is_white_in_high_dynamic_range_too() -> None:
    picture = PIL.Image.new("RGBA", (8, 8), (90, 90, 90, 0))
    body = b"cICP" + bytes((9, 16, 0, 1))
    plain = saved(picture, "PNG")
    data = plain[:33] + struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body)) + plain[33:]
    assert (decode(data) == 255).all()


GREY = HOPPER.mean(2).round().astype(np.uint16)
GREY.flat[:2] = 0, 255


def tiff(
    values: np.ndarray, order: Literal["<", ">"], bits: int, photometric: int = 1, kind: int = 1
) -> bytes:
    """Return an uncompressed TIFF file: `values` in the type that is stored, `kind` 1 unsigned, 3 float."""
    height, width = values.shape[:2]
    samples = values.shape[2] if values.ndim == 3 else 1
    head = 8 + 2 + 12 * 10 + 4
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    short = struct.Struct(order + "HHIHH")
    long = struct.Struct(order + "HHII")
    triple = struct.pack(order + "HHHxx", bits, bits, bits) + struct.pack(order + "HHHxx", kind, kind, kind)
    several = samples > 1
    entries = [
        long.pack(256, 4, 1, width),
        long.pack(257, 4, 1, height),
        long.pack(258, 3, 3, head) if several else short.pack(258, 3, 1, bits, 0),
        short.pack(259, 3, 1, 1, 0),
        short.pack(262, 3, 1, photometric, 0),
        long.pack(273, 4, 1, head + 16),
        short.pack(277, 3, 1, samples, 0),
        long.pack(278, 4, 1, height),
        long.pack(279, 4, 1, len(data)),
        long.pack(339, 3, 3, head + 8) if several else short.pack(339, 3, 1, kind, 0),
    ]
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    return start + b"".join(entries) + bytes(4) + triple + data


@pytest.mark.parametrize("bits", range(8, 17))
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_few_bits_in_sixteen_is_as_bright_as_of_eight(bits: int, order: Literal["<", ">"]) -> None:
    values = np.round(GREY / 255 * (2**bits - 1)).astype(np.uint16)
    files = [tiff(values, order, 16), saved(PIL.Image.fromarray(values), "PNG")]
    for data in files:
        image = decode(data)
        assert np.abs(image.astype(int) - GREY[..., np.newaxis]).max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_colour_of_few_bits_in_sixteen_is_as_bright_as_of_eight(bits: int, order: Literal["<", ">"]) -> None:
    bright = HOPPER.copy()
    bright[0, 0] = 255
    values = np.round(bright / 255 * (2**bits - 1)).astype(np.uint16)
    for data in (tiff(values, order, 16, photometric=2), png16(values)):
        assert np.abs(decode(data).astype(int) - bright).max() <= 1


def png16(values: np.ndarray) -> bytes:
    """Return RGB of 16 bits, which Pillow does not write, as a PNG file."""
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_a_dark_picture_of_eight_bits_stays_dark() -> None:
    dark = PIL.Image.fromarray(HOPPER // 4)
    assert np.array_equal(decode(saved(dark, "PNG")), HOPPER // 4)


def test_grey_of_sixteen_bits_that_counts_down_is_not_a_negative() -> None:
    values = (GREY * 16).astype(np.uint16)
    assert np.abs(decode(tiff(4095 - values, "<", 16, photometric=0))[..., 0].astype(int) - GREY).max() <= 2


@pytest.mark.parametrize("case", ["grey12.png", "grey12.tif"])
def test_grey12_is_read_as_bright_as_it_was(case: str) -> None:
    path = CASES / case
    if not path.exists():
        pytest.skip(f"there is no {path}")
    image = decode(path)
    with PIL.Image.open(path) as picture:
        expected = np.asarray(picture) >> 4
    assert image.shape == (192, 256, 3)
    assert np.abs(image.astype(int) - expected[..., np.newaxis]).max() <= 1
    assert image.mean() == pytest.approx(71.9, abs=1)


def test_floating_point_without_numbers_in_places_is_spread_by_those_there_are() -> None:
    values = (1000 + GREY).astype(np.float32)
    values[0, :4] = np.nan, np.inf, -np.inf, np.nan
    image = decode(tiff(values, "<", 32, kind=3))
    assert np.array_equal(image[1:, :, 0], GREY[1:])
    assert image[0, 1:3, 0].tolist() == [255, 0]
    assert not decode(tiff(np.full((4, 4), np.nan, np.float32), "<", 32, kind=3)).any()
