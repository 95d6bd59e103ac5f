"""Probing an estimator with one face: curves over sliders, and occlusion maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agegender.estimation.alignment import face_matrix
from agegender.estimation.changes import SLIDERS, Changes, Cut, changed, covered, moved, scaled
from agegender.estimation.quality import warnings_of
from agegender.types import Box, Estimate, Estimator

PATCHES = 7
"""Patches along each side of the aligned face."""

PATCH = 0.22
"""Side of a patch in units of the aligned face's side: overlapping, since smaller ones cover half an eye."""

POINTS = 13
"""Maximum number of points on a slider's curve."""


def read_all(estimator: Estimator, cuts: Sequence[Cut]) -> tuple[Estimate, ...]:
    """Estimate several faces, each in its own image, in one call.

    They are placed side by side in one image, with each one's border repeated as far as the nets look.
    """
    padded: list[Cut] = []
    for image, face in cuts:
        pad_px = math.ceil(max(face.box.width, face.box.height))
        wide = cv2.copyMakeBorder(image, *(4 * (pad_px,)), cv2.BORDER_REPLICATE)
        padded.append((wide.astype(np.uint8), face.moved(1, 1, pad_px, pad_px)))
    height_px = max((image.shape[0] for image, _ in padded), default=0)
    whole = np.zeros((height_px, sum(image.shape[1] for image, _ in padded), 3), dtype=np.uint8)
    faces, left = [], 0
    for image, face in padded:
        whole[: image.shape[0], left : left + image.shape[1]] = image
        faces.append(face.moved(1, 1, left))
        left += image.shape[1]
    return estimator.estimate(whole, faces)


@dataclass(frozen=True, slots=True)
class Curve:
    """Estimates and warnings for a face at ascending values of one slider."""

    name: str
    values: tuple[int, ...]
    estimates: tuple[Estimate, ...]
    warnings: tuple[tuple[str, ...], ...]


def curve(estimator: Estimator, cut: Cut, changes: Changes, name: str) -> Curve:
    """Estimate the face, in one batch, over one slider's whole range with the other changes fixed."""
    values = curve_values(name)
    cuts = [changed(cut, replace(changes, **_one(name, value))) for value in values]
    found = tuple(warnings_of(*each) for each in cuts)
    return Curve(name, values, read_all(estimator, cuts), found)


def _one(name: str, value: int) -> dict[str, Any]:
    return {name: value}


def curve_values(name: str) -> tuple[int, ...]:
    """The slider values on the curve: a few, including the one that changes nothing."""
    slider, neutral = SLIDERS[name], getattr(Changes(), name)
    every = range(slider.first, slider.last + 1, slider.step)
    stride = math.ceil(len(every) / POINTS)
    return tuple(sorted({*every[::stride], slider.last, neutral}))


def occlusion(estimator: Estimator, cut: Cut) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Occlusion map: changes in years and in P(Female) as each patch of the aligned face is covered.

    Two arrays, (PATCHES, PATCHES), from the top left corner on.
    """
    image, face = scaled(cut, min(1.0, 128 / max(1.0, cut[1].box.height)))
    back = cv2.invertAffineTransform(face_matrix(face))
    box = face.box.intersection(Box(0, 0, image.shape[1], image.shape[0]))
    inner = image[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1]
    colour = inner.reshape(-1, 3).mean(axis=0).tolist()
    spots = np.linspace(PATCH / 2, 1 - PATCH / 2, PATCHES)
    cuts = [(image, face)]
    for y in spots:
        for x in spots:
            half = PATCH / 2
            corners = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
            outline = np.rint(moved(corners, back)).astype(np.int32)
            cuts.append((covered(image, [outline], colour), face))
    (age, gender), *others = read_all(estimator, cuts)
    years = np.array([other.years - age.years for other, _ in others]).reshape(PATCHES, PATCHES)
    female = np.array([other.p_female - gender.p_female for _, other in others]).reshape(PATCHES, PATCHES)
    return years, female


YEARS_OFF = 8.0
"""An estimate that moves by more than this is no longer useful: a little more than the average error."""


def told(found: Curve) -> str:
    """Say in words from which slider value on, in either direction, the estimate is of little use."""
    slider, neutral = SLIDERS[found.name], getattr(Changes(), found.name)
    middle = found.values.index(neutral)
    sentences = []
    for places in (range(middle + 1, len(found.values)), range(middle - 1, -1, -1)):
        for place in places:
            if why := _worse(found, middle, place):
                value = f"{found.values[place]}{slider.unit}"
                what = f"{value} {slider.label.lower()}" if slider.unit else f"{slider.label} {value}"
                sentences.append(f"From {what} on, the answer is of little use: {why}.")
                break
    if sentences:
        return " ".join(sentences)
    years = [age.years for age, _ in found.estimates]
    return (
        f"{slider.label} alone changes little: the estimate stays between {min(years):.0f} and "
        f"{max(years):.0f} years, and the gender stays the same."
    )


def _worse(found: Curve, middle: int, place: int) -> str:
    (age, gender), (other_age, other_gender) = found.estimates[middle], found.estimates[place]
    moved = other_age.years - age.years
    if abs(moved) > YEARS_OFF:
        return f"the age moves by {abs(moved):.0f} years, to {other_age.years:.0f}"
    if other_gender.label != gender.label:
        return f"the gender switches to {other_gender.label}"
    if other_age.high - other_age.low > 1.5 * (age.high - age.low):
        return f"the likely range grows to {other_age.low:.0f}–{other_age.high:.0f}"
    if new := [word for word in found.warnings[place] if word not in found.warnings[middle]]:
        return f"the face is too {new[0]} to be read well" if new[0] in ("small", "dark", "blurred") else ""
    return ""
