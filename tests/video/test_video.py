"""Videos in, MP4 out: PyAV makes the files and tells what became of them."""

from __future__ import annotations

import csv
import gc
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from io import BytesIO, StringIO
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from clips import GUEST_S, clip, face_on
from films import film, loudest_hz, sine, times_and_images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agegender.analyzer import Analyzer, build_analyzer
from agegender.drawing.view_options import ViewOptions
from agegender.errors import VideoError
from agegender.export.faces import MARK
from agegender.export.people import COLUMNS, people_csv, people_json
from agegender.imaging.io import decode, encode_png
from agegender.types import Age, Box, Estimate, Face, Gender, Image
from agegender.video import container, reader, streams
from agegender.video.annotate import Options, Progress, annotate_video

AGE = Age((0, 0, 0, 0.2, 0.7, 0.1, 0, 0), 28.6, 21.7, 37.2)


class Marker:
    """Sees a face wherever the middle of the frame is bright, and counts how often it looks."""

    name = "marker"
    calls = 0

    def detect(self, image: Image) -> tuple[Face, ...]:
        self.calls += 1
        height, width = image.shape[:2]
        if image[height // 2, width // 2].max() < 128:
            return ()
        return (Face(Box(width / 4, height / 4, width * 3 / 4, height * 3 / 4), 0.9),)

    def estimate(self, _image: Image, faces: Sequence[Face]) -> tuple[Estimate, ...]:
        return ((AGE, Gender(0.97)),) * len(faces)


@pytest.fixture
def marker() -> Marker:
    return Marker()


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return build_analyzer("auto")


def plain(seconds: float, rate: int = 10, side: int = 64) -> Iterator[tuple[float, Image]]:
    """Give frames with a bright middle."""
    image = np.full((side, side + 16, 3), 200, np.uint8)
    return ((i / rate, image) for i in range(round(seconds * rate)))


def run(source: Path | BytesIO, target: Path, found: Marker | Analyzer, **options: object) -> Progress:
    """Annotate a video to its end and return the last word on it."""
    analyzer = Analyzer(found, found) if isinstance(found, Marker) else found
    *_, last = annotate_video(source, target, analyzer, Options(**options))  # type: ignore[arg-type]
    return last


FILES = {
    "mp4": ("libx264", "aac", "yuv420p"),
    "mov": ("mpeg4", "pcm_s16le", "yuv420p"),
    "webm": ("libvpx", "libopus", "yuv420p"),
    "mkv": ("libvpx-vp9", "aac", "yuv420p"),
    "avi": ("mjpeg", "libmp3lame", "yuvj420p"),
    "gif": ("gif", None, "rgb8"),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_container_becomes_an_mp4_with_sound(tmp_path: Path, analyzer: Analyzer, kind: str) -> None:
    codec, sound, pixels = FILES[kind]
    face = face_on(160, 120, 50)
    base = Fraction(1, 15) if kind in ("avi", "mov") else Fraction(1, 100)
    pictures = ((i / 15, np.roll(face, i % 5, 1)) for i in range(30))
    source = film(tmp_path / f"in.{kind}", pictures, codec, sound, pixels=pixels, time_base=base)
    last = run(source, tmp_path / "out.mp4", analyzer)
    with av.open(str(tmp_path / "out.mp4")) as file:
        video = file.streams.video[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.frames) == (160, 120, 30)
        assert video.duration and video.time_base
        assert float(video.duration * video.time_base) == pytest.approx(2.0, abs=0.1)
        assert [stream.codec_context.name for stream in file.streams.audio] == (["aac"] if sound else [])
    if sound:
        assert loudest_hz(tmp_path / "out.mp4") == pytest.approx(440, abs=2)
    (person,) = last.people or ()
    ((start_s, end_s),) = person.spans
    assert start_s == pytest.approx(0, abs=0.01) and end_s == pytest.approx(2, abs=0.1)


@pytest.mark.slow
def test_people_are_seen_when_they_are_there(tmp_path: Path, analyzer: Analyzer) -> None:
    source = film(tmp_path / "in.mp4", ((frame.time_s, frame.image) for frame in clip(10.0)))
    last = run(source, tmp_path / "out.mp4", analyzer)
    first, guest = last.people or ()
    assert first.seconds == pytest.approx(10.0, abs=0.5)
    start_s, end_s = guest.spans[0][0], guest.spans[-1][1]
    assert GUEST_S[0] <= start_s <= GUEST_S[0] + 1.2
    assert GUEST_S[1] - 1.2 <= end_s <= GUEST_S[1] + 0.4
    assert last.seconds == pytest.approx(10.0, abs=0.1)
    for person in (first, guest):  # the best crop shows the face in its middle
        (reading,) = analyzer(decode(person.crop)).readings
        assert reading.face.box.center == pytest.approx((80, 80), abs=16)


def test_the_index_comes_first_so_that_browsers_can_play_while_they_load(
    tmp_path: Path, marker: Marker
) -> None:
    run(film(tmp_path / "in.mp4", plain(1)), tmp_path / "out.mp4", marker)
    written = (tmp_path / "out.mp4").read_bytes()
    assert written.index(b"moov") < written.index(b"mdat")


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_turned_and_mirrored_videos_come_out_upright(
    tmp_path: Path, marker: Marker, rotation: int, mirrored: bool
) -> None:
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:20, :30] = (220, 40, 40)  # red at the top left, blue at the bottom right
    upright[-20:, -30:] = (40, 40, 220)
    stored = np.rot90(upright[:, ::-1] if mirrored else upright, -rotation // 90)
    pictures = [(i / 10, stored) for i in range(5)]
    source = film(tmp_path / "in.mp4", pictures, rotation=rotation, mirrored=mirrored)
    run(source, tmp_path / "out.mp4", marker)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert next(file.decode(video=0)).rotation == 0
    _, shown = times_and_images(tmp_path / "out.mp4")[2]
    assert shown.shape == upright.shape
    np.testing.assert_allclose(shown[5:15, 5:25].mean((0, 1)), (220, 40, 40), atol=12)
    np.testing.assert_allclose(shown[-15:-5, -25:-5].mean((0, 1)), (40, 40, 220), atol=12)


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_frames_keep_their_times(tmp_path: Path, marker: Marker, kind: str) -> None:
    times = [0.0, 0.04, 0.08, 0.5, 0.517, 0.55, 1.9, 2.0]
    image = next(plain(1))[1]
    source = film(tmp_path / f"in.{kind}", [(time_s, image) for time_s in times], "libx264")
    run(source, tmp_path / "out.mp4", marker)
    assert [time_s for time_s, _ in times_and_images(tmp_path / "out.mp4")] == pytest.approx(times, abs=2e-4)


def test_the_last_frame_is_shown_as_long_as_it_was(tmp_path: Path, marker: Marker) -> None:
    source = tmp_path / "in.gif"
    pictures = [np.full((32, 32, 3), level, np.uint8) for level in (0, 80, 200)]
    first, *rest = [PIL.Image.fromarray(picture) for picture in pictures]
    first.save(source, save_all=True, append_images=rest, duration=[100, 100, 2500])
    last = run(source, tmp_path / "out.mp4", marker)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.duration and file.duration / av.time_base == pytest.approx(2.7, abs=0.02)
    assert not last.people or last.people[0].spans[-1][1] == pytest.approx(2.7, abs=0.02)


def test_pixels_that_are_not_square_become_so(tmp_path: Path, marker: Marker) -> None:
    source = tmp_path / "in.mp4"
    with av.open(str(source), "w") as file:
        video = file.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 72, 64, "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(3, 2)
        for _, image in plain(1):
            frame = av.VideoFrame.from_ndarray(image[:, :72].copy(), format="rgb24")
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    run(source, tmp_path / "out.mp4", marker)
    assert times_and_images(tmp_path / "out.mp4")[0][1].shape == (64, 108, 3)


def test_large_pictures_come_back_within_full_hd_and_odd_ones_even(tmp_path: Path, marker: Marker) -> None:
    for (height, width), shape in {(1200, 2560): (900, 1920), (63, 81): (64, 80)}.items():
        source = tmp_path / f"{width}.avi"
        pictures = [(0.0, np.full((height, width, 3), 90, np.uint8))] * 1
        film(source, pictures, "mjpeg", pixels="yuvj444p", time_base=Fraction(1, 15))
        run(source, tmp_path / f"{width}.mp4", marker)
        assert times_and_images(tmp_path / f"{width}.mp4")[0][1].shape == (*shape, 3)


@pytest.mark.parametrize(("per_second", "looks"), [(2, 4), (10, 20), (100, 50)])
def test_no_more_frames_are_analysed_than_wanted(
    tmp_path: Path, marker: Marker, per_second: float, looks: int
) -> None:
    source = film(tmp_path / "in.mp4", plain(2, rate=25), rate=25)
    last = run(source, tmp_path / "out.mp4", marker, per_second=per_second)
    assert (last.frames, marker.calls) == (50, looks)


def test_hidden_faces_are_hidden_in_every_frame_and_every_crop(tmp_path: Path, marker: Marker) -> None:
    noise = np.random.default_rng(3).integers(130, 255, (128, 144, 3), np.uint8)
    source = film(tmp_path / "in.mp4", [(i / 25, noise) for i in range(25)], rate=25)
    last = run(source, tmp_path / "out.mp4", marker, per_second=2, view=ViewOptions(blur=True, labels=()))
    middles = [image[48:80, 56:88].astype(float) for _, image in times_and_images(tmp_path / "out.mp4")]
    assert len(middles) == 25
    assert max(np.abs(np.diff(middle, axis=1)).mean() for middle in middles) < 4  # of noise it is 40
    (person,) = last.people or ()
    crop = decode(person.crop)[70:90, 70:90].astype(float)
    assert np.abs(np.diff(crop, axis=1)).mean() < 4


def test_a_video_in_memory_is_read_from_there_and_left_open(tmp_path: Path, marker: Marker) -> None:
    data = film(tmp_path / "in.mp4", plain(1)).read_bytes()
    upload = BytesIO(data)
    assert run(upload, tmp_path / "out.mp4", marker).frames == 10
    assert upload.getvalue() == data


def test_progress_rises_to_one_and_people_come_last(tmp_path: Path, marker: Marker) -> None:
    source = film(tmp_path / "in.mp4", plain(2))
    steps = list(annotate_video(source, tmp_path / "out.mp4", Analyzer(marker, marker)))
    parts = [step.part for step in steps]
    assert parts == sorted(parts)
    assert parts[9] == pytest.approx(0.5, abs=0.01)
    assert parts[-1] == 1
    assert [step.people is None for step in steps] == [True] * 20 + [False]


def test_stopping_half_way_leaves_no_file(tmp_path: Path, marker: Marker) -> None:
    source = film(tmp_path / "in.mp4", plain(3), sound="aac")
    target = tmp_path / "out.mp4"
    with closing(annotate_video(source, target, Analyzer(marker, marker))) as steps:
        for step in steps:
            if step.frames == 15:
                break
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_an_error_of_the_analyzer_comes_through_and_leaves_no_file(tmp_path: Path, marker: Marker) -> None:
    def fail(_: Image) -> tuple[Face, ...]:
        raise ZeroDivisionError

    marker.detect = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError):
        run(film(tmp_path / "in.mp4", plain(1)), tmp_path / "out.mp4", marker)
    assert not (tmp_path / "out.mp4").exists()


def test_no_file_is_overwritten(tmp_path: Path, marker: Marker) -> None:
    source = film(tmp_path / "in.mp4", plain(1))
    before = source.read_bytes()
    with pytest.raises(VideoError, match="already"):
        run(source, source, marker)
    assert source.read_bytes() == before


def test_a_target_that_cannot_be_is_told(tmp_path: Path, marker: Marker) -> None:
    with pytest.raises(VideoError, match="written"):
        run(film(tmp_path / "in.mp4", plain(1)), tmp_path / "no" / "out.mp4", marker)


def sound_only(folder: Path) -> Path:
    with av.open(str(folder / "sound.m4a"), "w", format="mp4") as file:
        audio = file.add_stream("aac", rate=48_000, layout="mono")
        for i in range(50):
            file.mux(audio.encode(sine(960 * i)))
        file.mux(audio.encode(None))
    return folder / "sound.m4a"


def encrypted(folder: Path) -> Path:
    key = dict.fromkeys(("encryption_key", "encryption_kid"), "00112233445566778899aabbccddeeff")
    scheme = {"encryption_scheme": "cenc-aes-ctr"}
    return film(folder / "locked.mp4", plain(2), container=scheme | key)


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def cut(name: str, codec: str, part: float, **options: object) -> Callable[[Path], Path]:
    """Return what makes a video of which only a part is there."""

    def make(folder: Path) -> Path:
        path = film(folder / name, ((f.time_s, f.image) for f in clip(2.0)), codec, **options)  # type: ignore[arg-type]
        content = path.read_bytes()
        path.write_bytes(content[: round(part * len(content))])
        return path

    return make


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n%s\n#EXT-X-ENDLIST\n"
BAD = {
    "empty": (written("empty.mp4", b""), "empty"),
    "text": (written("text.mp4", b"no video at all\n" * 99), "not a video"),
    "picture": (written("still.mp4", encode_png(np.zeros((9, 9, 3), np.uint8))), "picture and no video"),
    "playlist": (written("list.mp4", PLAYLIST % b"file:///etc/hostname"), "not a video"),
    "list of files": (written("list.avi", b"ffconcat version 1.0\nfile in.mp4\n"), "not a video"),
    "sound only": (sound_only, "only sound"),
    "encrypted": (encrypted, "encrypted"),
    "a codec of archives": (cut("rare.mkv", "ffv1", 1.0), "cannot be read here"),
    "cut mp4": (cut("cut.mp4", "libx264", 0.6), "damaged"),
    "cut mp4, index first": (
        cut("cut.mp4", "libx264", 0.6, container={"movflags": "+faststart"}),
        "incomplete",
    ),
    "cut webm": (cut("cut.webm", "libvpx", 0.85), "incomplete"),
    "cut mkv": (cut("cut.mkv", "libx264", 0.6), "incomplete"),
    "cut avi": (cut("cut.avi", "mjpeg", 0.6, pixels="yuvj420p", time_base=Fraction(1, 15)), "incomplete"),
    "cut gif": (cut("cut.gif", "gif", 0.6, pixels="rgb8", time_base=Fraction(1, 100)), "incomplete"),
    "folder": (lambda folder: folder, "cannot be opened"),
    "missing": (lambda folder: folder / "none.mp4", "cannot be opened"),
}


def test_sound_of_a_codec_that_stays_shut_is_left_out(tmp_path: Path, marker: Marker) -> None:
    source = film(tmp_path / "in.mkv", plain(1), "libx264", "wavpack")
    run(source, tmp_path / "out.mp4", marker)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.streams.video[0].frames
        assert not file.streams.audio


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_whole_video_is_refused_in_words(tmp_path: Path, marker: Marker, what: str) -> None:
    make, words = BAD[what]
    with pytest.raises(VideoError, match=words):
        run(make(tmp_path), tmp_path / "out.mp4", marker)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("where", "limit", "least", "words"),
    [
        (container, "MAX_BYTES", 100, "larger than"),
        (reader, "MAX_SECONDS", 1, "longer than"),
        (reader, "MAX_FRAMES", 5, "more than"),
        (streams, "MAX_WIDTH_PX", 50, "pictures are larger"),
    ],
)
def test_limits_are_held(
    tmp_path: Path,
    marker: Marker,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    limit: str,
    least: int,
    words: str,
) -> None:
    source = film(tmp_path / "in.mp4", plain(2))
    monkeypatch.setattr(where, limit, least)
    with pytest.raises(VideoError, match=words):
        run(source, tmp_path / "out.mp4", marker)
    assert marker.calls <= 5  # before the work, not after it


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("small")
    kinds = ("mp4", "webm", "avi", "gif", "mkv")
    found = []
    for kind in kinds:
        codec, sound, pixels = FILES[kind]
        base = Fraction(1, 15) if kind == "avi" else Fraction(1, 100)
        path = film(folder / f"in.{kind}", plain(0.5, side=32), codec, sound, pixels=pixels, time_base=base)
        found.append(path.read_bytes())
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_damaged_ends_in_a_video_or_in_words(
    tmp_path: Path, small_files: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(small_files), label="file"))
    places = st.integers(0, len(content) - 1) | st.integers(0, min(2000, len(content) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=30), label="places"):
        content[place] = data.draw(st.integers(0, 255))
    target = tmp_path / "out.mp4"
    marker = Marker()
    try:
        assert run(BytesIO(bytes(content)), target, marker).frames > 0
        target.unlink()
    except VideoError as error:
        assert str(error)
    assert not target.exists()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_length(tmp_path: Path, marker: Marker) -> None:
    """Not even by what Python would collect some day: a frame of 640×480 takes 1.4 MB with its RGB copy."""
    image = np.full((480, 640, 3), 200, np.uint8)
    source = film(tmp_path / "in.mp4", ((i / 25, image) for i in range(500)), rate=25, sound="aac")
    used_mb = {}
    gc.collect()
    gc.disable()
    try:
        for step in annotate_video(source, tmp_path / "out.mp4", Analyzer(marker, marker)):
            pages = Path("/proc/self/statm").read_text().split()[1]
            used_mb[step.frames] = int(pages) * os.sysconf("SC_PAGESIZE") / 1e6
    finally:
        gc.enable()
    assert used_mb[500] - used_mb[100] < 30


def test_people_are_told_as_csv_and_json(tmp_path: Path, marker: Marker) -> None:
    people = run(film(tmp_path / "in.mp4", plain(2)), tmp_path / "out.mp4", marker).people or ()
    (row,) = csv.DictReader(StringIO(people_csv(people).removeprefix(MARK)))
    assert tuple(row) == COLUMNS
    told = (row["person"], row["seconds"], row["age_range"], row["p_age_25_32"], row["gender"])
    assert told == ("1", "2.0", "25–32", "0.7", "Female")
    found = json.loads(people_json("in.mp4", people))
    assert found["file"] == "in.mp4"
    assert found["people"][0]["seen_s"] == [[0.0, 2.0]]
    assert found["people"][0]["gender"] == {"label": "Female", "probability": 0.97}
