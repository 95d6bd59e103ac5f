"""Every kind of file that cameras, telephones and Windows write, and animated WebP."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from films import film, loudest_hz, times_and_images
from stubs import Stub

from agegender.analyzer import Analyzer
from agegender.errors import VideoError
from agegender.imaging.formats import VIDEOS, endings
from agegender.types import Box, Image
from agegender.video.annotate import Progress, annotate_video

KINDS = {
    "in.ts": ("libx264", "aac", "mpegts", {}),
    "in.MTS": ("libx264", "ac3", "mpegts", {"mpegts_m2ts_mode": "1"}),
    "in.m2ts": ("libx264", "pcm_bluray", "mpegts", {"mpegts_m2ts_mode": "1"}),
    "in.mpg": ("mpeg2video", "mp2", "mpeg", {}),
    "in.vob": ("mpeg2video", "ac3", "vob", {}),
    "in.wmv": ("wmv2", "wmav2", "asf", {}),
    "in.flv": ("flv", "libmp3lame", "flv", {}),
    "h264.flv": ("libx264", "aac", "flv", {}),
    "in.3gp": ("h263", "aac", "3gp", {}),
    "camera.avi": ("mpeg4", "adpcm_ima_wav", "avi", {}),
}
SILENT = {
    "nelly.flv": ("libx264", "nellymoser", "flv"),
    "archive.mkv": ("libx264", "wavpack", "matroska"),
}


def stub() -> Stub:
    return Stub(Box(0.25, 0.25, 0.75, 0.75))


def run(source: Path | BytesIO, target: Path) -> Progress:
    found = stub()
    *_, last = annotate_video(source, target, Analyzer(found, found))
    return last


def made(path: Path, codec: str, sound: str | None, kind: str, options: dict[str, str]) -> Path:
    """Write two seconds at 25 frames a second with a sine of 440 Hz."""
    image = np.random.default_rng(5).integers(60, 220, (144, 176, 3), np.uint8)
    rate = 44_100 if kind == "flv" or sound == "adpcm_ima_wav" else 48_000
    with av.open(str(path), "w", format=kind, options=options) as file:
        video = file.add_stream(codec, rate=25)
        assert isinstance(video, VideoStream)
        audio: AudioStream | None = None
        video.width, video.height, video.pix_fmt = 176, 144, "yuv420p"
        if sound:
            added = file.add_stream(sound, rate=rate, layout="mono", bit_rate=96_000)
            assert isinstance(added, AudioStream)
            audio = added
        for i in range(50):
            frame = av.VideoFrame.from_ndarray(np.roll(image, i, axis=1), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            file.mux(video.encode(frame))
            if audio:
                file.mux(audio.encode(tone(rate, i * rate // 25, rate // 25)))
        file.mux(video.encode(None))
        if audio:
            file.mux(audio.encode(None))
    return path


def tone(rate: int, start: int, samples: int) -> av.AudioFrame:
    wave = 0.3 * np.sin(2 * np.pi * 440 / rate * np.arange(start, start + samples))
    frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
    return frame


@pytest.mark.parametrize("name", KINDS)
def test_it_is_read_with_its_sound(tmp_path: Path, name: str) -> None:
    last = run(made(tmp_path / name, *KINDS[name]), tmp_path / "out.mp4")
    assert (last.frames, last.notes) == (50, ())
    assert last.seconds == pytest.approx(2.0, abs=0.1)
    assert loudest_hz(tmp_path / "out.mp4") == pytest.approx(440, abs=3)
    assert (tmp_path / name).suffix.lower() in endings(VIDEOS)


@pytest.mark.parametrize("name", SILENT)
def test_sound_that_stays_shut_is_left_out_with_a_note(tmp_path: Path, name: str) -> None:
    last = run(made(tmp_path / name, *SILENT[name], {}), tmp_path / "out.mp4")
    assert last.frames == 50
    assert "sound" in last.notes[0]
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert not file.streams.audio


def test_sound_that_is_damaged_from_end_to_end_is_left_out_with_a_note(tmp_path: Path) -> None:
    source = made(tmp_path / "in.mkv", "libx264", "libmp3lame", "matroska", {})
    content = source.read_bytes()
    with av.open(BytesIO(content), "r") as file:
        pieces = [bytes(packet) for packet in file.demux(audio=0) if packet.size]
    for piece in pieces:
        content = content.replace(piece, b"\0" * len(piece))
    source.write_bytes(content)
    assert "sound" in run(source, tmp_path / "out.mp4").notes[0]


@pytest.mark.parametrize("name", ["in.wmv", "h264.flv", "camera.avi"])
def test_what_was_really_cut_is_refused(tmp_path: Path, name: str) -> None:
    source = made(tmp_path / name, *KINDS[name])
    content = source.read_bytes()
    source.write_bytes(content[: round(0.6 * len(content))])
    with pytest.raises(VideoError, match="incomplete"):
        run(source, tmp_path / "out.mp4")


def test_recordings_end_to_end_go_on_where_the_first_one_ends(tmp_path: Path) -> None:
    one = made(tmp_path / "in.ts", *KINDS["in.ts"]).read_bytes()
    last = run(BytesIO(one + one), tmp_path / "out.mp4")
    assert last.frames == 100
    assert last.seconds == pytest.approx(4.0, abs=0.1)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert (file.duration or 0) / av.time_base == pytest.approx(4.0, abs=0.15)


def test_an_action_camera_s_whole_sensor_is_scaled_down(tmp_path: Path) -> None:
    pictures = [(i / 10, np.full((3000, 4000, 3), 90, np.uint8)) for i in range(2)]
    base = Fraction(1, 15)
    source = film(tmp_path / "in.avi", pictures, "mjpeg", pixels="yuvj420p", time_base=base)
    run(source, tmp_path / "out.mp4")
    assert times_and_images(tmp_path / "out.mp4")[0][1].shape == (1080, 1440, 3)


def webp(frames: list[Image], durations: list[int]) -> BytesIO:
    file = BytesIO()
    first, *rest = [PIL.Image.fromarray(frame) for frame in frames]
    first.save(file, "WEBP", save_all=True, append_images=rest, duration=durations, lossless=True)
    return file


def test_animated_webp_is_a_video(tmp_path: Path) -> None:
    levels = [np.full((64, 80, 3), level, np.uint8) for level in (20, 90, 200)]
    last = run(webp(levels, [500, 250, 1000]), tmp_path / "out.mp4")
    found = times_and_images(tmp_path / "out.mp4")
    assert [time_s for time_s, _ in found] == pytest.approx([0, 0.5, 0.75], abs=2e-3)
    assert [image[-4:].mean() for _, image in found] == pytest.approx([20, 90, 200], abs=3)
    assert last.seconds == pytest.approx(1.75)


def test_transparent_webp_lies_over_white(tmp_path: Path) -> None:
    clear = [np.full((64, 80, 4), (10, 10, 10, alpha), np.uint8) for alpha in (0, 255)]
    run(webp(clear, [200, 200]), tmp_path / "out.mp4")
    assert [image[-4:].mean() for _, image in times_and_images(tmp_path / "out.mp4")] == [
        pytest.approx(255, abs=3),
        pytest.approx(10, abs=3),
    ]


def test_a_webp_that_does_not_move_or_breaks_off_is_told(tmp_path: Path) -> None:
    grain = np.random.default_rng(2).integers(0, 255, (3, 64, 80, 3), np.uint8)
    with pytest.raises(VideoError, match="picture and no video"):
        run(webp(list(grain[:1]), [100]), tmp_path / "out.mp4")
    whole = webp(list(grain), [100, 100, 100]).getvalue()
    with pytest.raises(VideoError):
        run(BytesIO(whole[: len(whole) // 2]), tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
