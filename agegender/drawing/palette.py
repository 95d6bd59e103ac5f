"""The colours of boxes and labels."""

from __future__ import annotations

Colour = tuple[int, int, int]

# From the Okabe–Ito palette: distinguishable to colour-blind people, and black text is legible on each.
FEMALE: Colour = (230, 159, 0)
MALE: Colour = (86, 180, 233)
NEUTRAL: Colour = (240, 228, 66)
BLACK: Colour = (0, 0, 0)
