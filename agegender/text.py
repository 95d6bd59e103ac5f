"""Numbers and names as people read them."""

from __future__ import annotations

import re

NO_FACE = "no face found"
"""How tables and pages put it; a picture without faces is an analysis without readings, never an error."""


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


def duration(seconds: float) -> str:
    """Say how long something takes, to the second or to the minute.

    >>> duration(20), duration(180)
    ('20 seconds', '3 minutes')
    """
    if seconds < 90:
        return plural(max(1, round(seconds)), "second")
    return plural(round(seconds / 60), "minute")


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
