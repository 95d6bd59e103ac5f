"""Patches to streamlit-webrtc 0.79 for things that it has no setting for.

All of them rely on private parts; tests/live/test_patches.py fails if one of those disappears.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aiortc.contrib.media import MediaRelay
from streamlit_webrtc.component import WebRtcStreamerContext, _reset_context
from streamlit_webrtc.relay import get_global_relay

FORGET_CAMERA = "<script>localStorage.removeItem('streamlit-webrtc:device-ids')</script>"
"""Script for the page that clears the component's memory of the last camera.

It is shared by all components, which would then insist on that camera: the back one instead of the front one.
What is remembered for each `key` is right.
"""


def let_nothing_queue_up(relay: MediaRelay | None = None) -> None:
    """Give slow consumers the newest frame next, instead of queueing all frames.

    streamlit-webrtc queues every frame for the encoder of the returned video. On a server that encodes fewer
    than arrive, the video falls further and further behind, at some megabytes per second. Works on the relay
    shared by all sessions unless another is given.
    """
    found = relay or get_global_relay()
    found.subscribe = partial(type(found).subscribe, found, buffered=False)  # type: ignore[method-assign]


def close(context: WebRtcStreamerContext[Any, Any]) -> None:
    """End the server's side of a connection whose component leaves the page.

    streamlit-webrtc itself hears of it from the browser only while the component exists, or half a minute
    later. Has no effect on one that has not started.
    """
    _reset_context(context)
