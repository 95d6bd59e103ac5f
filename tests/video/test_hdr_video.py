"""PQ and HLG, as telephones film: what is written is the picture of sRGB, and says so truly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from films import times_and_images
from lights import HOPPER, encoded, linear
from stubs import Stub

from agegender.analyzer import Analyzer
from agegender.imaging.hdr import Transfer
from agegender.imaging.io import decode
from agegender.video.annotate import annotate_video

TRC = {"pq": ColorTrc.SMPTE2084, "hlg": ColorTrc.ARIB_STD_B67}
PICTURE = np.ascontiguousarray(HOPPER[: HOPPER.shape[0] // 2 * 2, : HOPPER.shape[1] // 2 * 2])


def made(path: Path, transfer: Transfer, codec: str) -> Path:
    """Write five frames of the picture with 10 bits in the primaries and the matrix of BT.2020."""
    code = np.round(encoded(linear(PICTURE) * 203, transfer, "bt2020") * 65535).astype(np.uint16)
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=10, options={"crf": "12"})
        assert isinstance(video, VideoStream)
        video.height, video.width, video.pix_fmt = *PICTURE.shape[:2], "yuv420p10le"
        context = video.codec_context
        context.colorspace, context.color_range = Colorspace.BT2020, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT2020, TRC[transfer]
        for i in range(5):
            frame = av.VideoFrame.from_ndarray(code, format="rgb48le").reformat(
                format="yuv420p10le",
                dst_colorspace=Colorspace.BT2020,
                dst_color_range=ColorRange.MPEG,
            )
            frame.color_trc, frame.color_primaries = TRC[transfer], ColorPrimaries.BT2020
            frame.pts, frame.time_base = i, Fraction(1, 10)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


@pytest.mark.parametrize("transfer", TRC)
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_it_comes_out_as_bright_as_the_picture_that_it_was_made_of(
    tmp_path: Path, transfer: Transfer, codec: str
) -> None:
    stub = Stub()
    source = made(tmp_path / "in.mp4", transfer, codec)
    list(annotate_video(source, tmp_path / "out.mp4", Analyzer(stub, stub)))
    _, shown = times_and_images(tmp_path / "out.mp4")[2]
    assert shown.mean() == pytest.approx(PICTURE.mean(), rel=0.1)
    assert shown.mean((0, 1)) == pytest.approx(PICTURE.mean((0, 1)), rel=0.12)
    with av.open(str(tmp_path / "out.mp4"), "r") as file:
        context = file.streams.video[0].codec_context
        assert (context.color_trc, context.color_primaries) == (ColorTrc.BT709, ColorPrimaries.BT709)
        assert (context.colorspace, context.pix_fmt) == (Colorspace.ITU709, "yuv420p")


def test_a_video_of_a_telephone_is_as_bright_as_the_photograph_it_shows(
    tmp_path: Path, cases: Path, photos: Path
) -> None:
    stub = Stub()
    list(annotate_video(cases / "hlg.mov", tmp_path / "out.mp4", Analyzer(stub, stub)))
    _, shown = times_and_images(tmp_path / "out.mp4")[13]
    photo = decode(photos / "person-vlado.jpg")
    expected = cv2.resize(photo, shown.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert shown.mean() == pytest.approx(expected.mean(), rel=0.1)
    assert np.abs(shown.astype(int) - expected).mean() < 10
