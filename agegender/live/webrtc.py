"""Live video over WebRTC: frames arrive decoded by PyAV, and annotated frames are returned."""

from __future__ import annotations

import av
import cv2

from agegender.imaging.frames import to_image as upright
from agegender.live.processor import VideoProcessor
from agegender.live.worker import PATIENCE_S
from agegender.types import Image


class WebRTC:
    """Callbacks for streamlit-webrtc, for one camera's frames.

    A frame waits `patience_s` for its own analysis, as long as analyses are that fast.
    """

    def __init__(self, processor: VideoProcessor, patience_s: float = PATIENCE_S) -> None:
        self.processor = processor
        self._patience_s = patience_s

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Annotate a frame: upright, in RGB, with the same timestamp. Never raises.

        After an error, the frame is returned as it is, or hidden if faces should be.
        """
        return self._recv(frame, frames=1)

    async def recv_queued(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """Annotate the newest of the frames since the last call, as `recv` does; count the rest dropped."""
        return [self._recv(frames[-1], len(frames))]

    def on_ended(self) -> None:
        """Forget the video: called when it stops, immediately or half a minute after a tab was closed."""
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
    """Convert the frame to upright RGB pixels, (height, width, 3), from any format; mirrored if asked."""
    image = upright(frame)
    return cv2.flip(image, 1) if mirror else image  # type: ignore[return-value]
