"""Live video over WebRTC: frames come as PyAV decodes them, and annotated frames go back."""

from __future__ import annotations

import av
import cv2

from agegender.imaging.frames import to_image as upright
from agegender.live.processor import VideoProcessor
from agegender.live.worker import PATIENCE_S
from agegender.types import Image


class WebRTC:
    """What streamlit-webrtc's callbacks call, for one camera's frames.

    A frame waits `patience_s` for its own analysis, as long as those are that quick.
    """

    def __init__(self, processor: VideoProcessor, patience_s: float = PATIENCE_S) -> None:
        self.processor = processor
        self._patience_s = patience_s

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the frame, annotated, upright, in RGB, of the same time. Never raises.

        After an error the frame comes back as it is, or hidden where faces were to be.
        """
        return self._recv(frame, frames=1)

    async def recv_queued(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """Return the newest of the frames that came since the last call, as `recv` does; count the others."""
        return [self._recv(frames[-1], len(frames))]

    def on_ended(self) -> None:
        """Forget the video: called when it stops, at once or half a minute after a tab was closed."""
        self.processor.forget()

    def _recv(self, frame: av.VideoFrame, frames: int) -> av.VideoFrame:
        latest = self.processor.process(
            lambda settings: to_image(frame, settings.mirror), frames, self._patience_s
        )
        if latest.error and latest.hidden is not None:
            return frame
        returned = av.VideoFrame.from_ndarray(latest.picture, format="rgb24")
        returned.pts = frame.pts
        if frame.time_base is not None:
            returned.time_base = frame.time_base
        return returned


def to_image(frame: av.VideoFrame, mirror: bool) -> Image:
    """Return the frame as upright RGB pixels, (height, width, 3), whatever its format; mirrored if asked."""
    image = upright(frame)
    return cv2.flip(image, 1) if mirror else image  # type: ignore[return-value]
