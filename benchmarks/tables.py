"""Figures as Markdown tables, and their placement in a page."""

from __future__ import annotations

import re
from typing import Any


def all_tables(found: dict[str, Any]) -> dict[str, str]:
    """A Markdown table for each part of the figures, and the texts about it, by name."""
    return {name: part if isinstance(part, str) else table(part) for name, part in found.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """Format rows with the same keys as a Markdown table."""
    lines = [
        list(rows[0]),
        ["---"] * len(rows[0]),
        *([shown(value) for value in row.values()] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: object) -> str:
    """Format a figure with about three digits; a dash for none."""
    if isinstance(value, float):
        return (
            f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
        )
    return "–" if value is None else str(value)


def filled(page: str, found: dict[str, Any]) -> str:
    """Fill in each table between `<!-- NAME -->` and `<!-- end -->` in the page; others are left alone."""
    texts = all_tables(found)

    def fill(place: re.Match[str]) -> str:
        name = place[1]
        return f"<!-- {name} -->\n\n{texts[name]}\n\n<!-- end -->" if name in texts else place[0]

    return re.sub(r"<!-- ([\w ]+) -->\n.*?<!-- end -->", fill, page, flags=re.DOTALL)
