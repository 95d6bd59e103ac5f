"""Files that break off: what lacks next to nothing is read, and said to; all else is refused."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agegender.errors import ImageError
from agegender.imaging.io import Decoded, decode, decode_at_least

CASES = Path(__file__).parents[3] / "shared" / "cases"
HOPPER = Path(__file__).parents[2] / "samples" / "grace_hopper.jpg"

with PIL.Image.open(HOPPER) as opened:
    PHOTO = opened.convert("RGB").crop((100, 100, 400, 420))


def saved(kind: str, picture: PIL.Image.Image = PHOTO, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def read(data: bytes) -> Decoded:
    return decode_at_least(data, 10_000)


def interlaced_png() -> bytes:
    """Return the photograph in Adam7's seven passes (PNG 3, 8), which Pillow does not write."""
    pixels = np.asarray(PHOTO)
    passes = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    rows = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in passes for row in pixels[y::dy, x::dx])
    head = struct.pack(">IIBBBBB", *PHOTO.size, 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


JPEGS = {
    "baseline": saved("JPEG"),
    "progressive": saved("JPEG", progressive=True),
    "full colour": saved("JPEG", subsampling=0, quality=95),
    "restarts by row": saved("JPEG", restart_marker_rows=1),
    "restarts": saved("JPEG", restart_marker_blocks=7),
    "grey": saved("JPEG", PHOTO.convert("L")),
    "CMYK": saved("JPEG", PHOTO.convert("CMYK")),
}
PNGS = {
    "colour": saved("PNG"),
    "palette": saved("PNG", PHOTO.convert("P")),
    "grey": saved("PNG", PHOTO.convert("L")),
    "interlaced": interlaced_png(),
}
FILES = {**{f"JPEG, {k}": v for k, v in JPEGS.items()}, **{f"PNG, {k}": v for k, v in PNGS.items()}}


def test_the_interlaced_picture_of_these_tests_is_one() -> None:
    assert np.array_equal(decode(PNGS["interlaced"]), np.asarray(PHOTO))


@pytest.mark.parametrize("file", FILES)
def test_without_its_last_bytes_a_file_is_read_whole_with_a_note(file: str) -> None:
    data = FILES[file]
    for cut in (3, 6, 12):
        decoded = read(data[:-cut])
        off = np.abs(decoded.image.astype(int) - decode(data)).max(axis=(1, 2)) > 8
        assert off.sum() <= 16, "at most a row of blocks, and of that but its last ones"
        assert off[:-16].sum() == 0
        (note,) = decoded.notes
        assert "breaks off" in note


@pytest.mark.parametrize("file", JPEGS)
def test_a_jpeg_without_its_end_mark_lacks_nothing_of_the_picture(file: str) -> None:
    data = JPEGS[file]
    for cut in (1, 2):
        assert np.array_equal(decode(data[:-cut]), decode(data))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("part", [0.5, 0.9, 0.95])
def test_what_lacks_more_is_refused(file: str, part: float) -> None:
    data = FILES[file]
    with pytest.raises(ImageError, match="damaged or incomplete"):
        decode(data[: int(part * len(data))])


def test_a_progressive_file_without_its_later_scans_is_refused() -> None:
    data = JPEGS["progressive"]
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    assert len(scans) > 5
    for place in scans:  # all rows are there, but none as sharp as it should be
        with pytest.raises(ImageError, match="damaged or incomplete"):
            decode(data[:place])


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
def test_files_without_compression_may_lack_a_hundredth(kind: str) -> None:
    data = saved(kind)
    expected = decode(data)
    decoded = read(data[:-1000])
    assert len(decoded.notes) == 1
    assert (np.abs(decoded.image.astype(int) - expected).max(axis=(1, 2)) > 0).sum() <= 2
    with pytest.raises(ImageError, match="damaged or incomplete"):
        decode(data[: -len(data) // 50])


@pytest.mark.parametrize("file", FILES)
def test_whole_files_have_no_notes_with_rubbish_behind_them_or_without(file: str) -> None:
    assert read(FILES[file]).notes == ()
    assert read(FILES[file] + b"\xff\0 more \xff\xd8").notes == ()


@settings(deadline=None, max_examples=60)
@given(st.integers(3, 3000), st.sampled_from(sorted(FILES)))
def test_wherever_a_file_breaks_off_what_is_read_is_right(cut: int, file: str) -> None:
    data = FILES[file]
    try:
        decoded = read(data[:-cut])
    except ImageError:
        return
    off = np.abs(decoded.image.astype(int) - WHOLE[file]).max(axis=2) > 40
    assert off.mean() < 0.012
    assert decoded.notes


WHOLE = {file: decode(data).astype(int) for file, data in FILES.items()}


@pytest.mark.parametrize(
    ("case", "mean", "said"),
    [
        pytest.param("jpg_cut10.jpg", 72.0, "less than a hundredth", id="jpg_cut10.jpg"),
        pytest.param("png_no_iend.png", 71.9, "only after the last row", id="png_no_iend.png"),
    ],
)
def test_cases_from_the_field(case: str, mean: float, said: str) -> None:
    path = CASES / case
    if not path.exists():
        pytest.skip(f"there is no {path}")
    decoded = decode_at_least(path, 10_000)
    assert decoded.whole_wh == (256, 192)
    assert decoded.image.mean() == pytest.approx(mean, abs=1)
    assert said in decoded.notes[0]


def test_dsc00001_hif_is_read() -> None:
    path = CASES / "DSC00001.HIF"
    if not path.exists():
        pytest.skip(f"there is no {path}")
    decoded = decode_at_least(path, 10_000)
    assert (decoded.whole_wh, decoded.notes) == ((256, 192), ())
    assert decoded.image.mean() == pytest.approx(72.0, abs=1)
