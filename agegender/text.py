"""Numbers and names formatted for people."""

from __future__ import annotations

import base64
import re

NO_FACE = "no face found"
"""How tables and pages say that an analysis has no readings, which is never an error."""


def percent(probability: float) -> str:
    """Format a probability for people; never 100 %, as no estimate is certain.

    >>> percent(0.873), percent(0.999)
    ('87 %', '99 %')
    """
    return f"{min(99, round(100 * probability))} %"


def plural(number: int, noun: str) -> str:
    """Count a regular noun.

    >>> plural(0, "face"), plural(1, "face"), plural(2, "face")
    ('no faces', '1 face', '2 faces')
    """
    return f"{format(number, ',') if number else 'no'} {noun}{'' if number == 1 else 's'}"


def about(years: float, low: float, high: float) -> str:
    """Format an age and its interval, all in years.

    >>> about(28.4, 21.2, 35.0)
    'about 28 (likely 21–35)'
    """
    return f"about {years:.0f} (likely {low:.0f}–{high:.0f})"


def duration(seconds: float) -> str:
    """Format a duration to the second, to ten seconds, or to the minute.

    >>> duration(20), duration(79), duration(180), duration(1000)
    ('20 s', '1 min 20 s', '3 min', '17 min')
    """
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes, rest = divmod(10 * round(seconds / 10), 60)
    if minutes >= 10 or not rest:
        return f"{round(seconds / 60)} min"
    return f"{minutes} min {rest} s"


def clock(seconds: float) -> str:
    """Format a time in a video as players do.

    >>> clock(65)
    '1:05'
    """
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def escape(text: str) -> str:
    r"""Escape text so that Markdown shows it as it is, on one line.

    >>> escape("a_b")
    'a\\_b'
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def data_url(file: bytes, kind: str = "image/jpeg") -> str:
    """A data URL that contains the file.

    >>> data_url(b"ab")
    'data:image/jpeg;base64,YWI='
    """
    return f"data:{kind};base64,{base64.b64encode(file).decode()}"
