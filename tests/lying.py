"""A hundred malformed videos: wrong headers, jumping times, changing streams; reproducible by seed."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.stream import Stream
from av.video.stream import VideoStream

KINDS = {
    "mp4": ("libx264", "aac", "mp4"),
    "frag.mp4": ("libx264", "aac", "mp4"),
    "mov": ("mpeg4", "pcm_s16le", "mov"),
    "mkv": ("libx264", "flac", "matroska"),
    "webm": ("libvpx", "libopus", "webm"),
    "avi": ("mjpeg", "libmp3lame", "avi"),
    "ts": ("libx264", "ac3", "mpegts"),
    "mpg": ("mpeg2video", "mp2", "mpeg"),
    "wmv": ("wmv2", "wmav2", "asf"),
    "flv": ("flv", "libmp3lame", "flv"),
}
FIELDS = (
    *(b"mvhd", b"tkhd", b"mdhd", b"elst", b"stts", b"ctts", b"stsz", b"stsc", b"stco", b"stsd", b"avcC"),
    *(b"trun", b"tfdt", b"avih", b"strh", b"strf", b"idx1", b"\x44\x89", b"\x2a\xd7\xb1", b"\xb0", b"\xba"),
    *(b"\xe7", b"\xa1\xdc\xab\x8c", b"onMetaData", b"duration", b"\x47\x40", b"\0\0\1\xba", b"\0\0\1\xb3"),
)
EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00010000, 0x10001000)
JUMPS_S = (1e5, -1e5, 3600.0, 95_443.7, -30.0, 0.5)  # a transport stream's clock wraps around at 95,443.7


def sound_file(
    kind: str, size: tuple[int, int] = (160, 120), jump: Callable[[int], float] | None = None
) -> bytes:
    """1.5 s of video with sound; `jump` maps a packet's number to the shift of its times in seconds."""
    codec, sound, container = KINDS[kind]
    file = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov"} if kind.startswith("frag") else {}
    # Files that cannot be finalised after such alterations are used as they are.
    with suppress(av.FFmpegError), av.open(file, "w", format=container, options=options) as out:
        video = out.add_stream(codec, rate=20)
        audio = out.add_stream(
            sound, rate=44_100 if kind == "flv" else 48_000, bit_rate=96_000, layout="mono"
        )
        assert isinstance(video, VideoStream)
        assert isinstance(audio, AudioStream)
        video.width, video.height = size
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        sent, number = 0, 0

        def mux(packets: list[av.Packet[Stream]]) -> None:
            nonlocal number
            for packet in packets:
                if jump and packet.time_base and packet.pts is not None and packet.dts is not None:
                    ticks = round(jump(number) / packet.time_base)
                    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                number += 1
                try:
                    out.mux(packet)
                except (av.FFmpegError, ValueError, OverflowError):
                    continue  # this container cannot express it

        for i in range(30):
            image = np.full((size[1], size[0], 3), 60 + 5 * i, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 20)
            mux(list(video.encode(frame)))
            while sent < (i + 1) * audio.rate // 20:
                mux(list(audio.encode(tone(audio, sent))))
                sent += 960
        mux(list(video.encode(None)))
        mux(list(audio.encode(None)))
    return file.getvalue()


def tone(audio: AudioStream, start: int) -> av.AudioFrame:
    wave = (0.3 * np.sin(np.arange(start, start + 960) / 17)).astype(np.float32)[None]
    planar = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    planar.sample_rate, planar.pts, planar.time_base = audio.rate, start, Fraction(1, audio.rate)
    return planar


def with_lying_header(chance: random.Random, data: bytes) -> bytes:
    """Put extreme numbers after some of the file's field names."""
    content = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        places = [place for field in FIELDS for place in _places(data, field)]
        at = chance.choice(places) + 4 * chance.randint(1, 8) if places else chance.randrange(len(data))
        content[at : at + 4] = chance.choice(EXTREMES).to_bytes(4, "big")
    return bytes(content)


def with_jumping_times(chance: random.Random, kind: str) -> bytes:
    """A file with times that jump here and there."""
    jumps = {chance.randrange(120): chance.choice(JUMPS_S) for _ in range(chance.randint(1, 5))}
    return sound_file(kind, jump=lambda number: sum(by for at, by in jumps.items() if at <= number))


def with_changing_streams(chance: random.Random, kind: str) -> bytes:
    """Concatenate files of other sizes and kinds, or insert one into the middle of another."""
    sizes = ((64, 64), (640, 480), (1920, 1080), (16, 320))
    first, second = sound_file(kind), sound_file(chance.choice((kind, kind, "ts")), chance.choice(sizes))
    at = chance.choice((len(first), chance.randrange(len(first))))
    return first[:at] + second[chance.choice((0, len(second) // 3)) :] + first[at:]


def lying_videos(number: int, seed: int = 16) -> Iterator[tuple[str, bytes]]:
    """Yield that many files with a description: kind and alteration."""
    chance = random.Random(seed)
    kinds = list(KINDS)
    for i in range(number):
        kind = kinds[i % len(kinds)]
        lie = i // len(kinds) % 3
        if lie == 0:
            yield f"{i} {kind}, header", with_lying_header(chance, sound_file(kind))
        elif lie == 1:
            yield f"{i} {kind}, times", with_jumping_times(chance, kind)
        else:
            yield f"{i} {kind}, streams", with_changing_streams(chance, kind)


def _places(data: bytes, field: bytes) -> list[int]:
    found: list[int] = []
    at = data.find(field)
    while at >= 0 and len(found) < 20:
        found.append(at)
        at = data.find(field, at + 1)
    return found
