"""Draw boxes and labels on a copy of a picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from agegender.drawing.blur import blur_faces
from agegender.drawing.label_layout import place_labels
from agegender.drawing.palette import BLACK, FEMALE, MALE, NEUTRAL, Colour
from agegender.drawing.view_options import Part
from agegender.text import percent
from agegender.types import Analysis, Box, Image, Reading

LEAST_TEXT_PX = 10
"""Minimum legible font size."""


class Plate(NamedTuple):
    """A way to write a label: its lines, its font size in pixels, its colour."""

    lines: tuple[str, ...]
    text_px: int
    colour: Colour


class Mark(NamedTuple):
    """What is drawn for a face: its box, and a label with its top left corner at `left` and `top`.

    `text_px` is the font size that suits the picture. `plate` is None if there is nothing to say, or no room
    for it.
    """

    reading: Reading
    text_px: float
    plate: Plate | None
    left: int
    top: int

    @property
    def box(self) -> Box:
        """The face's box."""
        return self.reading.face.box

    @property
    def colour(self) -> Colour:
        """Colour of the box, the same as its label's."""
        return self.plate.colour if self.plate else NEUTRAL

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the label in pixels; (0, 0) without one."""
        return plate_size(self.plate) if self.plate else (0, 0)


def annotate(
    image: Image,
    analysis: Analysis,
    *,
    labels: Collection[Part] = ("gender", "probability", "years"),
    numbers: bool = False,
    names: Sequence[str] | None = None,
    blur: bool = False,
) -> Image:
    """Draw a box and a label for each face of the analysis on a copy of the RGB image.

    `labels` are the parts of each label; boxes are coloured by gender only if labels state it too. `numbers`
    numbers the faces from 1 in the order of the readings; `names`, one per reading, replaces the numbers
    (ASCII only, like the typeface). `blur` makes the faces unrecognisable.
    """
    readings = analysis.readings
    drawn = blur_faces(image, [reading.face for reading in readings]) if blur else np.array(image, order="C")
    if names is None:
        names = [str(i + 1) if numbers else "" for i in range(len(readings))]
    found = marks(analysis, labels, names)
    for mark in found:
        draw_box(drawn, mark.box, mark.colour, mark.text_px)
    for mark in found:
        if mark.plate:
            label = draw_plate(mark.plate)
            rows = slice(mark.top, mark.top + label.shape[0])
            drawn[rows, mark.left : mark.left + label.shape[1]] = label
    return drawn


def marks(analysis: Analysis, labels: Collection[Part], names: Sequence[str]) -> list[Mark]:
    """What to draw for each face that is in the picture, with its label where it fits best."""
    width, height = analysis.width_px, analysis.height_px
    picture = Box(0, 0, width, height)
    seen = [
        (reading, name)
        for reading, name in zip(analysis.readings, names, strict=True)
        if reading.face.box.intersection(picture).area > 0
    ]
    text_px = (width * height) ** 0.5 / 34
    boxes = [reading.face.box for reading, _ in seen]
    options = [plate_options(reading, labels, name, text_px) for reading, name in seen]
    sizes = [[plate_size(plate) for plate in plates] for plates in options]
    found = []
    places = place_labels(boxes, sizes, width, height)
    for (reading, _), plates, place in zip(seen, options, places, strict=True):
        plate = plates[place.option] if place else None
        left, top = (place.left, place.top) if place else (0, 0)
        found.append(Mark(reading, text_px, plate, left, top))
    return found


def line_width(box: Box, text_px: float) -> int:
    """Line width of a box in pixels."""
    return max(1, round(min(text_px / 7, box.width / 20)))


def draw_box(image: Image, box: Box, colour: Colour, text_px: float) -> None:
    """Draw the box onto the image, edged in black so that it shows on any background."""
    line_px = line_width(box, text_px)
    edge_px = max(1, line_px // 3)
    out_px = (line_px + edge_px + 1) // 2
    height, width = image.shape[:2]
    # OpenCV needs small integers; a side outside the picture only has to stay outside.
    corners = np.clip([(box.left, box.top), (box.right, box.bottom)], -99, (width + 99, height + 99))
    (left, top), (right, bottom) = np.rint(corners).astype(int).tolist()
    around = (left - out_px, top - out_px), (right + out_px, bottom + out_px)
    cv2.rectangle(image, *around, BLACK, edge_px)
    cv2.rectangle(image, (left, top), (right, bottom), colour, line_px)


def label_parts(reading: Reading, labels: Collection[Part], name: str) -> list[str]:
    """Parts of a face's label: 'Ada', 'Female 97 %', 'about 29', '25–32'."""
    parts = [name.encode("ascii", "replace").decode()] if name else []
    if "gender" in labels:
        sure = f" {percent(reading.gender.probability)}" if "probability" in labels else ""
        parts.append(reading.gender.label + sure)
    if "years" in labels:
        parts.append(f"about {reading.age.years:.0f}")
    if "age" in labels:
        parts.append(reading.age.range)
    return parts


def plate_options(reading: Reading, labels: Collection[Part], name: str, text_px: float) -> list[Plate]:
    """Ways to write a face's label, best first; none if there is nothing to say.

    On one line or two, in decreasing sizes; then without the probability; then the name alone.
    """
    colour = NEUTRAL
    if "gender" in labels:
        colour = FEMALE if reading.gender.label == "Female" else MALE
    wanted = max(text_px / 2, min(text_px, reading.face.box.height / 4))
    sizes = sorted({max(LEAST_TEXT_PX, round(wanted * scale)) for scale in (1, 0.85, 0.7, 0.55)})
    parts = label_parts(reading, labels, name)
    short = label_parts(reading, set(labels) - {"probability"}, name)
    ways = [Plate(lines, size, colour) for size in reversed(sizes) for lines in one_or_two_lines(parts)]
    ways += [Plate(lines, sizes[0], colour) for lines in one_or_two_lines(short)]
    if name:
        ways.append(Plate((label_parts(reading, (), name)[0],), sizes[0], NEUTRAL))
    return list(dict.fromkeys(ways))


def one_or_two_lines(parts: Sequence[str]) -> list[tuple[str, ...]]:
    """The parts of a label set on one line and, if there are several, on two."""
    ways: list[tuple[str, ...]] = [(" · ".join(parts),)] if parts else []
    return ways + ([(" · ".join(parts[:-1]), parts[-1])] if len(parts) > 1 else [])


@lru_cache(maxsize=64)
def font(text_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface built into Pillow (Aileron), so that labels look the same everywhere."""
    return ImageFont.load_default(text_px)


def typeset(line: str) -> str:
    """Replace en dashes, the one character of labels that the typeface lacks, by hyphens."""
    return line.replace("–", "-")


def label_plate(text: str, text_px: float) -> Plate:
    """A label with arbitrary text."""
    return Plate((text,), max(LEAST_TEXT_PX, round(text_px)), NEUTRAL)


@lru_cache(maxsize=1024)
def plate_size(plate: Plate) -> tuple[int, int]:
    """Width and height of a label in pixels."""
    widest = max(font(plate.text_px).getlength(typeset(line)) for line in plate.lines)
    return round(widest + 0.8 * plate.text_px), round((0.35 + 1.1 * len(plate.lines)) * plate.text_px)


@lru_cache(maxsize=64)
def draw_plate(plate: Plate) -> Image:
    """Render a label as a read-only RGB image: black text on its colour."""
    picture = PIL.Image.new("RGB", plate_size(plate), plate.colour)
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(plate.lines):
        start = (0.4 * plate.text_px, (1.1 * i + 1.06) * plate.text_px)
        # A light stroke stands in for bold, as there is only a regular weight.
        draw.text(
            start, typeset(line), BLACK, font(plate.text_px), anchor="ls", stroke_width=plate.text_px / 45
        )
    label = np.array(picture)
    label.setflags(write=False)
    return label
