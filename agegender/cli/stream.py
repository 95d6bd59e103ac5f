"""agegender video rtsp://… --stream: who is in view, as a line of JSON per person and second."""

from __future__ import annotations

import argparse
from contextlib import closing

from agegender.cli import console


def watch(options: argparse.Namespace) -> int:
    """Print who is in view until interrupted."""
    from agegender.export.people import seen_object_line
    from agegender.video.stream import watch_stream

    analyzer = console.build(options)
    with closing(watch_stream(options.source, analyzer, options.per_second)) as seconds:
        for second in seconds:
            if second.trouble:
                console.complain(second.trouble)
            for track in second.tracks:
                console.say(seen_object_line(track, second.time_s, second.size_px))
    return console.DONE
