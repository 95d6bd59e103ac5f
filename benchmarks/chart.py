"""Growth as an SVG chart: measured points, and the straight line fitted to them."""

from __future__ import annotations

from typing import Any

WIDTH, HEIGHT, MARGIN = 360, 260, 56
INK, POINTS, GREY = "#1c2330", "#0072B2", "#8a8f98"


def growth_svg(rows: list[dict[str, Any]], lines: list[dict[str, Any]]) -> str:
    """Two charts side by side: milliseconds by faces and by megapixels."""
    drawn = [_chart(rows, line, MARGIN + i * (WIDTH + 2 * MARGIN)) for i, line in enumerate(lines)]
    width, height = len(lines) * (WIDTH + 2 * MARGIN), HEIGHT + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12" '
        f'font-family="system-ui, sans-serif" fill="{INK}"><title>Time by faces and by megapixels</title>'
        f'<rect width="{width}" height="{height}" fill="white"/>{"".join(drawn)}</svg>\n'
    )


def _chart(rows: list[dict[str, Any]], line: dict[str, Any], left: float) -> str:
    points = [(row["value"], row["ms"]) for row in rows if row["by"] == line["by"]]
    right, top = max(x for x, _ in points), 1.05 * max(y for _, y in points)
    bottom = MARGIN + HEIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        return left + WIDTH * x / right, bottom - HEIGHT * max(0.0, y) / top

    (x0, y0), (x1, y1) = (at(x, line["ms at 0"] + line["ms each"] * x) for x in (0, right))
    parts = [f'<path d="M{left} {MARGIN}V{bottom}h{WIDTH}" fill="none" stroke="{GREY}"/>']
    parts.append(f"<path d='M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}' stroke='{GREY}'/>")
    for x, y in points:
        column, row = at(x, y)
        parts.append(f'<circle cx="{column:.1f}" cy="{row:.1f}" r="4" fill="{POINTS}"/>')
        parts.append(f'<text x="{column:.1f}" y="{bottom + 16}" text-anchor="middle">{x:g}</text>')
    for y in (0.0, top / 2.1, top / 1.05):
        parts.append(f'<text x="{left - 6}" y="{at(0, y)[1] + 4:.1f}" text-anchor="end">{y:.0f}</text>')
    title = f"ms = {line['ms at 0']:.1f} + {line['ms each']:.1f} × {line['by']}"
    parts.append(f'<text x="{left + WIDTH / 2}" y="{MARGIN - 16}" text-anchor="middle">{title}</text>')
    parts.append(f'<text x="{left + WIDTH / 2}" y="{bottom + 40}" text-anchor="middle">{line["by"]}</text>')
    return "".join(parts)
