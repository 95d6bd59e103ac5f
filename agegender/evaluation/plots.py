"""Pictures of what an evaluation measured, as SVG files: how sure against how right, and ages mixed up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import floor, sqrt

from agegender.evaluation.calibration import Bin
from agegender.evaluation.groups import Confusion
from agegender.evaluation.metrics import wilson

PLOT_PX, MARGIN_PX, CELL_PX = 360, 84, 62
FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
BLUE, GREY, INK = (0, 114, 178), "#8a8f98", "#1c2330"
"""Blue is Okabe and Ito's. Everything lies on white, so that it can be read on a dark page as well."""


def reliability(title: str, stated: str, held: str, bins: Sequence[Bin], first: float) -> str:
    """Return a reliability diagram: a point a bin, with its 95 % interval, and the line where all should be.

    `stated` and `held` name the axes, which run from `first`, or from below the lowest point, to 1. The
    larger a point, the more pictures.
    """
    lowest = min([first, *(floor(10 * one.right) / 10 for one in bins)])

    def x(part: float) -> float:
        return MARGIN_PX + PLOT_PX * (part - first) / (1 - first)

    def y(part: float) -> float:
        return MARGIN_PX + PLOT_PX * (1 - max(lowest, part)) / (1 - lowest)

    drawn = [_line(x(first), y(first), x(1), y(1), 'stroke-dasharray="5 5"')]
    for part in _steps(first):
        drawn.append(_line(x(part), y(lowest), x(part), y(1), 'opacity="0.25"'))
        drawn.append(_text(x(part), y(lowest) + 20, f"{100 * part:.0f} %"))
    for part in _steps(lowest):
        drawn.append(_line(x(first), y(part), x(1), y(part), 'opacity="0.25"'))
        drawn.append(_text(x(first) - 8, y(part) + 4, f"{100 * part:.0f} %", "end"))
    most = max((one.count for one in bins), default=1)
    for one in bins:
        low, high = wilson(one.right * one.count, one.count)
        drawn.append(_line(x(one.stated), y(low), x(one.stated), y(high), f'style="stroke:{_rgb(1)}"'))
        radius = 4 + 5 * sqrt(one.count / most)
        about = f"stated {100 * one.stated:.1f} %, held {100 * one.right:.1f} % of {one.count:,}"
        drawn.append(
            f'<circle cx="{x(one.stated):.1f}" cy="{y(one.right):.1f}" r="{radius:.1f}" fill="{_rgb(1)}">'
            f"<title>{about}</title></circle>"
        )
    side = PLOT_PX + 2 * MARGIN_PX
    middle = side / 2
    drawn.append(_text(middle, y(lowest) + 48, stated, size=14))
    drawn.append(_text(24, middle, held, size=14, more=_upright(24, middle)))
    return _picture(side, side, title, drawn)


def mixed_up(title: str, table: Confusion) -> str:
    """Return a confusion matrix: the shares of each row, true ages, and below them the numbers of faces."""
    count = len(table.names)
    left, top = 110, 112
    width, height = left + count * CELL_PX + 24, top + count * CELL_PX + 24
    drawn = [_text(left + count * CELL_PX / 2, 76, "estimated, in years", size=14)]
    middle = top + count * CELL_PX / 2
    drawn.append(_text(24, middle, "true, in years", size=14, more=_upright(24, middle)))
    for i, (name, row) in enumerate(zip(table.names, table.counts, strict=True)):
        drawn.append(_text(left + (i + 0.5) * CELL_PX, top - 10, name))
        drawn.append(_text(left - 10, top + (i + 0.5) * CELL_PX + 4, name, "end"))
        for j, faces in enumerate(row):
            share = faces / max(1, sum(row))
            x, y = left + j * CELL_PX, top + i * CELL_PX
            ink = "#fff" if share > 0.75 else INK
            drawn.append(
                f'<rect x="{x}" y="{y}" width="{CELL_PX - 2}" height="{CELL_PX - 2}" rx="4" '
                f'fill="{_rgb(share)}"/>'
            )
            if faces:
                drawn.append(_text(x + 30, y + 30, f"{100 * share:.0f} %", size=15, fill=ink))
                drawn.append(_text(x + 30, y + 48, f"{faces:,}", size=11, fill=ink))
    return _picture(width, height, title, drawn)


def _steps(first: float) -> list[float]:
    """Return where an axis from `first` to 1 is marked."""
    by = 1 if first >= 0.5 else 2
    return [step / 10 for step in range(10, round(10 * first) - 1, -by)]


def _rgb(share: float) -> str:
    """Return white for 0, blue for 1."""
    red, green, blue = (round(255 + (part - 255) * max(0.03, share)) for part in BLUE)
    return f"rgb({red},{green},{blue})"


def _line(x1: float, y1: float, x2: float, y2: float, more: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{GREY}" stroke-width="1.5" {more}/>'


def _text(
    x: float, y: float, text: str, anchor: str = "middle", size: int = 13, fill: str = INK, more: str = ""
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}" {more}>'
        f"{escape(text)}</text>"
    )


def _upright(x: float, y: float) -> str:
    return f'transform="rotate(-90 {x:.0f} {y:.0f})"'


def _picture(width: int, height: int, title: str, drawn: Iterable[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{FONT}" role="img">'
    )
    heading = _text(width / 2, 36, title, size=16, more='font-weight="600"')
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, heading, *drawn, "</svg>\n"])
