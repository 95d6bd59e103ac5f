"""A reproducible corpus of hostile picture files, and a guarded process that decodes them.

`python tests/hostile.py FIRST STEP` reports on stdout what became of each file. The corpus is the same on
every machine with the same libraries.
"""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
from PIL import ImageCms

from agegender.errors import ImageError
from agegender.imaging.io import MAX_PIXELS, decode, register_heif

register_heif()

ROOT = Path(__file__).parents[1]

CPU_S = 2.0
"""CPU time limit per file: beyond it the decoding process is killed, in whatever library it is."""

HELD_MB = 30 + 8 * MAX_PIXELS // 1_000_000
"""Memory allowed beyond the file's size.

8 bytes for each pixel of the largest picture, including the result, and what is cached for later.
"""

HANGS_S = 1_200
"""Time after which the process is stopped as hanging, since the CPU limit ends computations earlier."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = ("os.", "shutil.", "tempfile.", "subprocess.", "socket.", "ctypes.")
HARMLESS = ("os.listdir", "os.scandir", "os.getxattr", "os.add_dll_directory")


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of the corpus; `kind` is how it was altered."""

    name: str
    kind: str
    data: bytes


# Small valid files of every format, from which the others are made


def noise(height: int, width: int) -> PIL.Image.Image:
    """A picture with smooth and rough parts, like photographs."""
    rng = np.random.default_rng(7)
    rough = PIL.Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    smooth = rough.resize((4, 4)).resize((width, height))
    smooth.paste(rough.crop((0, 0, width // 2, height // 2)))
    return smooth


def saved(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    others = options.pop("append_images", ())
    if others:  # copies, because saving alters picture objects
        options = {**options, "save_all": True, "append_images": [other.copy() for other in others]}
    picture.copy().save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int = 6) -> bytes:
    tags = PIL.Image.Exif()
    tags[274], tags[271], tags[282] = orientation, "A maker", 72.0
    tags.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    return tags.tobytes()


def profile() -> bytes:
    """An RGB profile other than sRGB, so that colours have to be converted."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")


def rle_bmp(width: int, height: int, runs: bytes) -> bytes:
    """A BMP of 256 colours with run-length encoding."""
    palette = bytes(range(256)) * 4
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start) + header + palette + runs


@cache
def sound() -> dict[str, bytes]:
    """Valid files by descriptive name."""
    rgb = noise(40, 56)
    frames = [rgb, rgb.transpose(PIL.Image.Transpose.ROTATE_180), rgb.convert("L").convert("RGB")]
    grey, cmyk, palette, alpha = rgb.convert("L"), rgb.convert("CMYK"), rgb.quantize(32), rgb.convert("RGBA")
    alpha.putalpha(grey)
    wide = PIL.Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    broken = PIL.Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    meta = {"exif": exif(), "icc_profile": profile()}
    several = {"append_images": frames[1:]}
    rows = b"".join(bytes([56, value, 0, 0]) for value in range(40)) + b"\0\1"
    return {
        "baseline.jpg": saved(rgb, "JPEG", quality=80),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True, subsampling=0, **meta),
        "grey.jpg": saved(grey, "JPEG", progressive=True),
        "cmyk.jpg": saved(cmyk, "JPEG"),
        "restarts.jpg": saved(rgb, "JPEG", restart_marker_rows=1, **meta),
        "several.jpg": saved(rgb, "MPO", **several),
        "rgb.png": saved(rgb, "PNG", **meta),
        "alpha.png": saved(alpha, "PNG"),
        "palette.png": saved(palette, "PNG", transparency=b"\0\x80\xff"),
        "one-bit.png": saved(rgb.convert("1"), "PNG"),
        "sixteen-bit.png": saved(wide, "PNG"),
        "animated.png": saved(rgb, "PNG", **several),
        "lossy.webp": saved(rgb, "WEBP", method=0, **meta),
        "lossless.webp": saved(alpha, "WEBP", lossless=True),
        "animated.webp": saved(rgb, "WEBP", method=0, **several),
        "rgb.bmp": saved(rgb, "BMP"),
        "palette.bmp": saved(palette, "BMP"),
        "one-bit.bmp": saved(rgb.convert("1"), "BMP"),
        "runs.bmp": rle_bmp(56, 40, rows),
        "raw.tif": saved(rgb, "TIFF", **meta),
        "lzw.tif": saved(rgb, "TIFF", compression="tiff_lzw"),
        "deflate.tif": saved(alpha, "TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tif": saved(rgb, "TIFF", compression="jpeg"),
        "packbits.tif": saved(palette, "TIFF", compression="packbits"),
        "fax.tif": saved(rgb.convert("1"), "TIFF", compression="group4"),
        "float.tif": saved(broken, "TIFF"),
        "cmyk.tif": saved(cmyk, "TIFF", compression="lzma"),
        "big.tif": saved(rgb, "TIFF", big_tiff=True),
        "pages.tif": saved(rgb, "TIFF", **several),
        "palette.gif": saved(palette, "GIF"),
        "animated.gif": saved(rgb, "GIF", **several),
        "rgb.heic": saved(rgb, "HEIF", **meta),
        "alpha.heic": saved(alpha, "HEIF"),
        "several.heic": saved(rgb, "HEIF", **several),
        "rgb.avif": saved(rgb, "AVIF", speed=10, **meta),
        "alpha.avif": saved(alpha, "AVIF", speed=10),
        "animated.avif": saved(rgb, "AVIF", speed=10, **several),
    }


# How they are altered


def truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for where in rng.random(int(rng.integers(1, 9))) ** 2:  # more of them in the headers
        changed[int(where * len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def overwritten(data: bytes, rng: np.random.Generator) -> bytes:
    """Write an edge-case number somewhere, most likely into the headers."""
    number = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF][
        int(rng.integers(11))
    ]
    size = int(rng.choice([1, 2, 4]))
    order: Literal["big", "little"] = "big" if rng.random() < 0.5 else "little"
    where = int(rng.random() ** 3 * max(1, len(data) - size))
    return data[:where] + (number & (1 << 8 * size) - 1).to_bytes(size, order) + data[where + size :]


def cut_out(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = np.sort(rng.integers(0, len(data), 2))
    return data[:start] + data[end:]


def repeated(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = np.sort(rng.integers(0, len(data), 2))
    return data[:end] + data[start:end] * int(rng.integers(1, 20)) + data[end:]


def spliced(data: bytes, rng: np.random.Generator) -> bytes:
    others = list(sound().values())
    other = others[int(rng.integers(len(others)))]
    return data[: int(rng.integers(1, len(data)))] + other[int(rng.integers(0, len(other))) :]


CHANGES: dict[str, tuple[Callable[[bytes, np.random.Generator], bytes], int]] = {
    "truncated": (truncated, 40),
    "flipped": (flipped, 45),
    "overwritten": (overwritten, 35),
    "cut out": (cut_out, 8),
    "repeated": (repeated, 8),
    "spliced": (spliced, 12),
}
"""The alterations, and how often each is applied to every valid file."""


def changed() -> Iterator[Sample]:
    for name, data in sound().items():
        for kind, (change, times) in CHANGES.items():
            for number in range(times):
                rng = np.random.default_rng(zlib.crc32(f"{kind} {number} {name}".encode()))
                yield Sample(f"{kind} {number} {name}", kind, change(data, rng))


def mislabelled() -> Iterator[Sample]:
    """Put broken EXIF and profiles into valid pictures, and each format's beginning onto another."""
    rgb = noise(24, 32)
    for number in range(40):
        rng = np.random.default_rng(number)
        bad_exif, bad_profile = flipped(exif(), rng), flipped(profile(), rng)
        if number % 2:
            bad_exif, bad_profile = overwritten(bad_exif, rng), truncated(bad_profile, rng)
        for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"):
            options: dict[str, object] = {"speed": 10} if kind == "AVIF" else {}
            try:
                data = saved(rgb, kind, exif=bad_exif, icc_profile=bad_profile, **options)
            except Exception:  # noqa: BLE001 - some cannot even be written
                data = saved(rgb, kind, icc_profile=bad_profile, **options)
            yield Sample(f"metadata {number}.{kind.lower()}", "metadata", data)
    for name, data in sound().items():
        for other, start in sound().items():
            if name[-3:] != other[-3:] and (len(data) + len(start)) % 4 == 0:
                yield Sample(f"{other[:-4]} begins {name}", "wrong beginning", start[:16] + data[16:])


# Bombs: files that ask for far more resources than their size suggests


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, idat: bytes, before: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


@cache
def deflated(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def many_scans(side: int, scans: int, refining: bool) -> bytes:
    """A progressive JPEG that rescans the whole picture many times, in a few bytes each."""
    start = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1]) * 64)
    start += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    # One Huffman code each: a difference of 0, and the end of a band for 2^14 blocks and more.
    start += segment(0xC4, b"\x00\1" + bytes(15) + b"\x00") + segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    blocks = (-(-side // 8)) ** 2
    start += segment(0xDA, b"\1\1\0\0\0\0") + bytes(-(-blocks // 8))
    bits = ("0" + "1" * 14) * -(-blocks // 32_767)
    bits += "1" * (-len(bits) % 8)
    ends = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    first = segment(0xDA, b"\1\1\0\1\x3f\x0d") + ends
    later = segment(0xDA, b"\1\1\0\1\x3f" + (b"\xdc" if refining else b"\x0d")) + ends
    return start + first + later * scans + b"\xff\xd9"


def tiff(*tags: tuple[int, int, int, bytes | int], after: bytes = b"") -> bytes:
    """A little-endian TIFF with these tags (number, type, count, value), byte strings stored after them."""
    tail = 8 + 2 + 12 * len(tags) + 4
    entries, blobs = b"", b""
    for number, kind, count, value in sorted(tags, key=lambda tag: tag[0]):
        if isinstance(value, bytes):
            entries += struct.pack("<HHII", number, kind, count, tail + len(blobs))
            blobs += value
        else:
            entries += struct.pack("<HHII", number, kind, count, value)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + blobs + after


def grey_tiff(width: int, height: int, *more: tuple[int, int, int, bytes | int], bits: int = 8) -> bytes:
    plain = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height, 273: 8, 279: width}
    given = {tag[0] for tag in more}
    return tiff(*((number, 4, 1, value) for number, value in plain.items() if number not in given), *more)


def gif(width: int, height: int, between: bytes = b"") -> bytes:
    """A GIF with something before its only picture."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    return screen + between + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2\2\x4c\1\0;"


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def claimed_sizes() -> Iterator[tuple[str, bytes]]:
    """Yield headers that claim any size, with hardly anything behind them."""
    numbers = [0, 1, 2, 7_071, 16_383, 16_384, 32_767, 32_768, 65_500, 65_535]
    larger = [2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
    files = sound()
    for width in numbers + larger:
        for height in numbers + larger:
            size = f"{width}x{height}"
            yield f"{size}.png", png(width, height, deflated(10_000))
            yield f"{size}.tif", grey_tiff(width, height)
            yield f"{size}.bmp", files["rgb.bmp"][:18] + struct.pack("<II", width, height) + bytes(60)
            if max(width, height) > 65_535:
                continue
            yield f"{size}.gif", gif(width, height)
            start = files["baseline.jpg"].index(b"\xff\xc0") + 5
            yield (
                f"{size}.jpg",
                files["baseline.jpg"][:start]
                + struct.pack(">HH", height, width)
                + files["baseline.jpg"][start + 4 :],
            )
            canvas = struct.pack("<I", max(0, width - 1))[:3] + struct.pack("<I", max(0, height - 1))[:3]
            webp = files["animated.webp"]
            yield f"{size}.webp", webp[:24] + canvas + webp[30:]
            for name in ("rgb.heic", "rgb.avif"):
                start = files[name].index(b"ispe") + 8
                claimed = struct.pack(">II", width, height)
                yield f"{size}-{name}", files[name][:start] + claimed + files[name][start + 8 :]


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield files that use much time or memory, each in its own way, unless something stops them."""
    rgb_rows = deflated(7_000 * (3 * 7_000 + 1))
    yield "flat.png", png(7_000, 7_000, rgb_rows)
    yield "flat-alpha.png", png(7_000, 7_000, deflated(7_000 * (4 * 7_000 + 1)), colour=6)
    yield "flat-sixteen-bit.png", png(7_000, 7_000, deflated(7_000 * (2 * 7_000 + 1)), depth=16, colour=0)
    yield (
        "flat-with-profile.png",
        png(7_000, 7_000, rgb_rows, chunk(b"iCCP", b"x\0\0" + zlib.compress(profile()))),
    )
    yield "too-many-rows.png", png(64, 64, deflated(200_000_000))
    flat = PIL.Image.new("RGB", (7_000, 7_000))
    yield "flat.jpg", saved(flat, "JPEG")
    yield "flat-cmyk.jpg", saved(flat.convert("CMYK"), "JPEG")
    yield "flat-progressive.jpg", saved(flat, "JPEG", progressive=True)
    yield "flat.webp", saved(flat, "WEBP", method=0)
    yield "flat-lossless.webp", saved(flat, "WEBP", lossless=True, method=0, quality=0)
    yield "flat.gif", saved(PIL.Image.new("L", (7_000, 7_000)), "GIF")
    yield "flat.avif", saved(flat, "AVIF", speed=10)
    for name in ("tiff_lzw", "tiff_adobe_deflate", "lzma", "packbits", "zstd"):
        yield f"flat-{name}.tif", saved(flat, "TIFF", compression=name)
    yield "flat-float.tif", saved(PIL.Image.new("F", (7_000, 7_000)), "TIFF", compression="tiff_lzw")
    yield "flat-fax.tif", saved(PIL.Image.new("1", (7_000, 7_000)), "TIFF", compression="group4")
    for scans in (100, 2_000, 20_000):
        yield f"{scans}-scans.jpg", many_scans(7_000, scans, refining=False)
        yield f"{scans}-refining-scans.jpg", many_scans(7_000, scans, refining=True)
    yield "scans-of-a-small-picture.jpg", many_scans(64, 200_000, refining=False)
    yield from many_pieces()
    yield from many_frames()


def many_pieces() -> Iterator[tuple[str, bytes]]:
    """Yield files of very many small pieces, through which programs go one by one."""
    jpeg, few, many = sound()["baseline.jpg"], 3_000_000, 8_000_000
    yield "padding.jpg", jpeg[:2] + b"\xff" * many + jpeg[2:]
    yield "junk.jpg", jpeg[:2] + b"\xff\xe0\0\2" + bytes(many) + jpeg[2:]
    yield "comments.jpg", jpeg[:2] + segment(0xFE, b"") * few + jpeg[2:]
    yield "exif.jpg", jpeg[:2] + segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 700 + jpeg[2:]
    numbers = struct.pack("<II", 1, 1) * few
    parts = tiff((282, 5, few, numbers), (296, 3, 1, 2))
    cuts = range(0, len(parts), 65_000)
    in_parts = b"".join(segment(0xE1, b"Exif\0\0" + parts[at : at + 65_000]) for at in cuts)
    yield "numbers.jpg", jpeg[:2] + in_parts + jpeg[2:]
    yield "numbers.png", png(1, 1, deflated(4), chunk(b"eXIf", tiff((274, 5, few, numbers))))
    yield "chunks.png", png(1, 1, deflated(4), chunk(b"abCd", b"") * few)
    yield "texts.png", png(1, 1, deflated(4), chunk(b"zTXt", b"\0\0" + deflated(2**20 - 1)) * 5_000)
    yield (
        "named-texts.png",
        png(
            4,
            4,
            deflated(52),
            b"".join(chunk(b"zTXt", b"%d\0\0" % i + deflated(2**20 - 1)) for i in range(500)),
        ),
    )
    yield (
        "foreign-texts.png",
        png(
            4,
            4,
            deflated(52),
            chunk(b"iTXt", b"\xff\0\1\0\0\0" + zlib.compress(b"\xff" * (2**20 - 1))) * 5_000,
        ),
    )
    yield "profiles.png", png(1, 1, deflated(4), chunk(b"iCCP", b"x\0\0" + deflated(2**20 - 1)) * 5_000)
    whole = zlib.compress(bytes(1_000 * 3_001), 0)
    yield (
        "pieces.png",
        (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", 1_000, 1_000, 8, 2, 0, 0, 0))
            + b"".join(chunk(b"IDAT", whole[at : at + 1]) for at in range(1_500_000))
            + chunk(b"IEND", b"")
        ),
    )
    yield "after.png", png(1, 1, deflated(4))[:-12] + chunk(b"abCd", b"") * few + chunk(b"IEND", b"")
    yield (
        "texts-after.png",
        (
            png(1, 1, deflated(4))[:-12]
            + chunk(b"zTXt", b"\0\0" + deflated(2**20 - 1)) * 5_000
            + chunk(b"IEND", b"")
        ),
    )
    yield "comments.gif", gif(1, 1, b"!\xfe\1x\0" * few)
    yield "pieces-of-a-comment.gif", gif(1, 1, b"!\xfe" + b"\1x" * few + b"\0")
    yield "junk.gif", gif(1, 1, b"\1" * many)
    yield "runs.bmp", rle_bmp(4_000, 4_000, b"\1\7" * few)
    yield "no-runs.bmp", rle_bmp(4_000, 4_000, b"\0\2\0\0" * few)
    ones = struct.pack("<I", 8) * few
    yield (
        "tiles.tif",
        grey_tiff(1_800, 1_800, (322, 4, 1, 1), (323, 4, 1, 1), (324, 4, few, ones), (273, 4, 0, 0)),
    )
    yield "strips.tif", grey_tiff(9, few, (278, 4, 1, 1), (273, 4, few, ones), (279, 4, few, ones))
    yield "numbers.tif", grey_tiff(9, 9, (282, 5, few, numbers), (296, 3, 1, 2))
    yield "bits.tif", grey_tiff(9, 9, (258, 3, few, b"\x08\0" * few))
    yield "tags.tif", tiff(*((i, 1, 60_000, 8) for i in range(300, 65_000)), after=bytes(60_000))
    yield "orientations.tif", grey_tiff(9, 9, (274, 5, few, numbers))
    pages = b"".join(struct.pack("<HHHIII", 1, 256, 4, 1, 9, 8 + 18 * i + 18) for i in range(few // 10))
    yield "pages.tif", b"II*\0\x08\0\0\0" + pages


def many_frames() -> Iterator[tuple[str, bytes]]:
    """Yield animations and documents of very many frames, of which one is needed."""
    files = sound()
    frame = b"!\xf9\4\0\0\0\0\0," + struct.pack("<HHHHB", 0, 0, 4, 4, 0) + b"\2\2\x4c\1\0"
    yield "frames.gif", gif(1, 1)[:-1] + frame * 300_000 + b";"
    tiny = [PIL.Image.new("L", (8, 8), value % 256) for value in range(2_000)]
    yield "frames.webp", saved(tiny[0], "WEBP", append_images=tiny[1:], lossless=True, method=0)
    yield "frames.png", saved(tiny[0], "PNG", append_images=tiny[1:])
    yield "frames.tif", saved(tiny[0], "TIFF", append_images=tiny[1:])
    yield "frames.avif", saved(tiny[0], "AVIF", append_images=tiny[1:300], speed=10)
    webp = files["animated.webp"]
    start = webp.index(b"ANMF")
    (length,) = struct.unpack("<I", webp[start + 4 : start + 8])
    body = webp[12:start] + webp[start : start + 8 + length + length % 2] * 20_000
    yield "many-frames.webp", b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    claims = png(8, 8, deflated(200), chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)))
    yield "claimed-frames.png", claims


def corpus(with_bombs: bool = True) -> Iterator[Sample]:
    """Yield all files, always the same; without the bombs they are small."""
    yield from changed()
    yield from mislabelled()
    for name, data in claimed_sizes():
        yield Sample(f"claimed {name}", "claimed size", data)
    if with_bombs:
        for name, data in bombs():
            yield Sample(f"bomb {name}", "bomb", data)


# Decoding under guard


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file: `outcome` is None if the process did not survive it."""

    name: str
    kind: str
    bytes: int
    outcome: str | None
    cpu_s: float = 0.0
    held_mb: float = 0.0
    did: tuple[str, ...] = ()


def decoded(folder: Path, first: int, step: int, *options: str) -> list[Report]:
    """Decode files of the corpus in a separate process, in an empty folder that must stay empty."""
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", __file__, str(first), str(step), *options]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=HANGS_S, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    survived = len(lines) % 2 == 0
    assert survived == (done.returncode == 0), done.stderr[-2000:]
    ends = lines[1::2] if survived else [*lines[1::2], {"outcome": None}]
    reports = [Report(**start, **end) for start, end in zip(lines[::2], ends, strict=True)]
    assert list(folder.iterdir()) == [], "something was written where nothing should be"
    return reports


def assert_harmless(reports: list[Report]) -> None:
    """Assert that each file was read or refused within time and memory limits, without side effects."""
    killed = [report.name for report in reports if report.outcome is None]
    assert killed == [], f"{killed[0]} took more than {CPU_S} s of computing, or crashed"
    assert [report for report in reports if report.outcome not in ("picture", "refused")] == []
    assert [report for report in reports if report.did] == []
    assert [report for report in reports if report.held_mb > HELD_MB + report.bytes / 1e6] == []


def watch_writing(report: Callable[[str], None]) -> None:
    """Report every write to files, and everything done to processes and the network, by this process."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
        if writes or (event.startswith(FORBIDDEN) and event not in HARMLESS):
            report(f"{event} {arguments[:2]}")

    sys.addaudithook(hook)


def outcome(data: bytes) -> str:
    """'picture' or 'refused', or what is wrong with the decoder's output."""
    try:
        image = decode(data)
    except ImageError as error:
        text = str(error)
        return "refused" if text.endswith(".") and "Error" not in text and "0x" not in text else text
    except BaseException as error:  # noqa: BLE001 - whatever comes out here is the finding
        return f"{type(error).__name__}: {error}"
    good = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    pixels = image.shape[0] * image.shape[1]
    return "picture" if good and 0 < pixels <= MAX_PIXELS else f"an odd picture, {image.shape}"


class Memory:
    """Memory of this process, now and at most since `start`, where the system reports it (Linux)."""

    def __init__(self) -> None:
        try:  # opened up front, as opening files for writing is what is being watched for
            self._reset: int | None = os.open("/proc/self/clear_refs", os.O_WRONLY)
        except OSError:
            self._reset = None

    def start(self) -> None:
        if self._reset is not None:
            os.write(self._reset, b"5")
            self._before_mb = self._read_mb("VmRSS")

    def held_mb(self) -> float:
        return 0.0 if self._reset is None else round(self._read_mb("VmHWM") - self._before_mb, 1)

    def _read_mb(self, which: str) -> float:
        found = re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())
        assert found
        return int(found[1]) / 1000


def main(first: int, step: int, with_bombs: bool) -> None:
    """Decode every `step`-th file, and print a line before and one after each."""
    outcome(sound()["rgb.png"])  # loads everything that is loaded only once
    for data in sound().values():
        outcome(data)
    told: list[str] = []
    memory = Memory()
    watch_writing(told.append)
    for number, sample in enumerate(corpus(with_bombs)):
        if number % step != first:
            continue
        print(json.dumps({"name": sample.name, "kind": sample.kind, "bytes": len(sample.data)}), flush=True)
        memory.start()
        before_s = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, CPU_S)  # its signal kills the process
        result = outcome(sample.data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        end = {
            "outcome": result,
            "cpu_s": round(time.process_time() - before_s, 2),
            "held_mb": memory.held_mb(),
            "did": told,
        }
        print(json.dumps(end), flush=True)
        told.clear()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), "--bombs" in sys.argv)
