"""What has to be changed in streamlit-webrtc 0.79 from outside, as it has no setting for it.

All of it relies on private parts; tests/live/test_patches.py fails when one of them has gone.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aiortc.contrib.media import MediaRelay
from streamlit_webrtc.component import WebRtcStreamerContext, _reset_context
from streamlit_webrtc.relay import get_global_relay

FORGET_CAMERA = "<script>localStorage.removeItem('streamlit-webrtc:device-ids')</script>"
"""To be put into the page. The component remembers the camera used last for all of its kind, and would insist
on it: the back camera would be the front one. What it remembers for each `key` is right."""


def let_nothing_queue_up(relay: MediaRelay | None = None) -> None:
    """Have whoever is slower than the camera get the newest frame next, not the one after the last.

    streamlit-webrtc has every frame wait for the encoder of the video that goes back. On a server that
    encodes fewer than come, the video is later and later, and each second takes some megabytes more. Works on
    the relay that all sessions share, unless another is given.
    """
    found = relay or get_global_relay()
    found.subscribe = partial(type(found).subscribe, found, buffered=False)  # type: ignore[method-assign]


def close(context: WebRtcStreamerContext[Any, Any]) -> None:
    """End the server's side of a connection whose component leaves the page.

    streamlit-webrtc itself hears of it from the browser only while the component is there, or half a minute
    later. Leaves one alone that was not begun.
    """
    _reset_context(context)
