"""What a player plays is what is read: edits, second tracks, starts that are not 0; and really cut files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Stream
from films import RATE, film, sine
from stubs import Stub

from agegender.analyzer import Analyzer
from agegender.errors import VideoError
from agegender.types import Box
from agegender.video.annotate import Progress, annotate_video

SHARED = Path(os.environ.get("AGEGENDER_SHARED") or Path(__file__).parents[3] / "shared")
CASES = SHARED / "cases"


def run(source: Path, folder: Path) -> Progress:
    stub = Stub(Box(0.25, 0.25, 0.75, 0.75))
    *_, last = annotate_video(source, folder / "out.mp4", Analyzer(stub, stub))
    return last


@pytest.mark.skipif(not CASES.exists(), reason="there is no ../shared/cases here")
@pytest.mark.parametrize(
    ("name", "frames", "seconds"),
    [  # as ffprobe -count_frames says
        ("trim_end.mp4", 30, 2.0),
        ("trim_start.mp4", 30, 2.0),
        ("subs_longer.mkv", 60, 4.02),
        ("second_audio.mp4", 32, 2.33),
        ("dts_longer.mkv", 32, 2.38),
        ("offset.mkv", 60, 4.02),
        ("hlg.mov", 27, 1.2),
        ("hostile/audio-gap.mkv", 50, 2.0),
    ],
)
def test_cases_from_the_field_are_played_to_their_end(
    tmp_path: Path, name: str, frames: int, seconds: float
) -> None:
    last = run(CASES / name, tmp_path)
    assert (last.frames, last.notes) == (frames, ())
    assert last.seconds == pytest.approx(seconds, abs=0.02)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert (file.duration or 0) / av.time_base <= seconds + 2.0  # a sound may be longer, never hours


def pictures(seconds: float, rate: int = 15) -> list[tuple[float, np.ndarray]]:
    grain = np.random.default_rng(3).integers(100, 255, (64, 80, 3), np.uint8)
    return [(i / rate, np.roll(grain, i, axis=1)) for i in range(round(seconds * rate))]


def packets_of(path: Path) -> tuple[av.container.InputContainer, list[av.Packet[Stream]]]:
    file = av.open(str(path))
    return file, [packet for packet in file.demux() if packet.size]


def copied(source: Path, target: Path, shift_s: float = 0.0, second_sound: bool = False) -> Path:
    """Copy a video with its times shifted, and with a second track that is three times as long."""
    file, packets = packets_of(source)
    with file, av.open(str(target), "w") as out:
        streams = {each.index: out.add_stream_from_template(each) for each in file.streams}
        second = out.add_stream("aac", rate=RATE, layout="mono") if second_sound else None
        for packet in packets:
            ticks = round(shift_s / packet.time_base)
            packet.stream, packet.dts, packet.pts = (
                streams[packet.stream.index],
                (packet.dts or 0) + ticks,
                (packet.pts or 0) + ticks,
            )
            out.mux(packet)
        if second:
            for i in range(300):
                out.mux(second.encode(sine(960 * i)))
            out.mux(second.encode(None))
    return target


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_longer_second_sound_and_late_starts_are_no_reason_to_refuse(tmp_path: Path, kind: str) -> None:
    whole = film(tmp_path / f"in.{kind}", pictures(2), sound="aac")
    second = copied(whole, tmp_path / f"second.{kind}", second_sound=True)
    assert run(second, tmp_path).frames == 30
    (tmp_path / "out.mp4").unlink()
    late = copied(whole, tmp_path / f"late.{kind}", shift_s=700)
    last = run(late, tmp_path)
    assert last.frames == 30
    assert last.seconds == pytest.approx(2.0, abs=0.15)


def patched(tag: bytes, offset: int, value: int, nth: int = 0) -> Callable[[bytes], bytes]:
    def patch(content: bytes) -> bytes:
        at = -1
        for _ in range(nth + 1):
            at = content.index(tag, at + 1)
        at += 4 + offset
        return content[:at] + value.to_bytes(4, "big") + content[at + 4 :]

    return patch


@pytest.mark.parametrize("value", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize(("tag", "nth"), [(b"mdhd", 0), (b"mdhd", 1), (b"mvhd", 0)])
def test_clocks_that_lie_end_in_a_video_or_in_a_sentence(
    tmp_path: Path, tag: bytes, nth: int, value: int
) -> None:
    source = film(tmp_path / "in.mp4", pictures(1), sound="aac")
    source.write_bytes(patched(tag, 12, value, nth)(source.read_bytes()))
    try:
        assert run(source, tmp_path).seconds <= 600
    except VideoError as error:
        assert "Invalid" not in str(error)
        assert not (tmp_path / "out.mp4").exists()


def test_the_picture_alone_decides_how_long_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agegender.video.reader.MAX_SECONDS", 3)
    whole = film(tmp_path / "in.mp4", pictures(2), sound="aac")
    assert run(copied(whole, tmp_path / "second.mp4", second_sound=True), tmp_path).frames == 30
    with pytest.raises(VideoError, match="longer than"):
        run(film(tmp_path / "long.mp4", pictures(4)), tmp_path / "none")


def test_a_gap_in_the_sound_is_filled_and_sound_from_beyond_left_out(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    image = np.full((64, 80, 3), 200, np.uint8)
    with av.open(str(source), "w") as file:
        video = file.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 80, 64, "yuv420p"
        sound = file.add_stream("flac", rate=RATE, layout="mono")
        for _ in range(40):
            file.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(video.encode(None))
        for start in (0, 2 * RATE, 100_000 * RATE):
            for i in range(25):
                file.mux(sound.encode(_as_s16(sine(start + 960 * i))))
        file.mux(sound.encode(None))
    run(source, tmp_path)
    with av.open(str(tmp_path / "out.mp4")) as file:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    loud = np.abs(samples).reshape(-1)[: samples.size // 4800 * 4800].reshape(-1, 4800).max(axis=1) > 0.05
    assert samples.size == pytest.approx(2.5 * RATE, abs=0.1 * RATE)
    assert loud[1:4].all()
    assert not loud[7:19].any()
    assert loud[21:24].all()


def _as_s16(frame: av.AudioFrame) -> av.AudioFrame:
    samples = (frame.to_ndarray() * 32767).astype(np.int16)
    made = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    made.sample_rate, made.pts, made.time_base = frame.sample_rate, frame.pts, frame.time_base
    return made
