"""What is kept of an analysed picture in order to show it again: small JPEGs instead of the original."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from agegender.analyzer import Analyzer, analyze_file
from agegender.budget import PICTURES
from agegender.drawing.annotate import annotate
from agegender.drawing.blur import blur_faces
from agegender.drawing.view_options import ViewOptions
from agegender.errors import ImageError
from agegender.imaging import workers
from agegender.imaging.geometry import CROP_MARGIN, CROP_PX, at_most, margin_crop, scale_down
from agegender.imaging.io import decode, encode_jpeg
from agegender.types import Analysis, Image
from agegender.ui.uploads import MAX_MB, MAX_PICTURES, TOO_LARGE

LARGEST_PX = (1280, 960)
"""Maximum width and height of a preview: sharp on any screen, and a few hundred kilobytes."""

THUMB_PX = 320
"""Longer side of a thumbnail, about twice its displayed size."""


@dataclass(frozen=True, slots=True)
class Preview:
    """An analysed picture: `analysis` in the picture's own pixels, everything else as JPEG files.

    `picture` is the whole picture within `LARGEST_PX`, `thumb` the same within `THUMB_PX`, and `crops` the
    faces, one per reading.
    """

    analysis: Analysis
    picture: bytes
    thumb: bytes
    crops: tuple[bytes, ...]


def make_preview(image: Image, analysis: Analysis) -> Preview:
    """Build a preview from an analysis and its RGB image, which may have been scaled down."""
    readings = analysis.resized(image.shape[1], image.shape[0]).readings
    boxes = [reading.face.box for reading in readings]
    crops = tuple(encode_jpeg(margin_crop(image, box, CROP_MARGIN, CROP_PX)) for box in boxes)
    small = _shrunk(image)
    return Preview(
        analysis, encode_jpeg(small, quality=95), encode_jpeg(at_most(small, THUMB_PX), quality=90), crops
    )


def _shrunk(image: Image) -> Image:
    """Scale the RGB image down to fit `LARGEST_PX`, keeping its aspect ratio."""
    height_px, width_px = image.shape[:2]
    scale = min(1.0, LARGEST_PX[0] / width_px, LARGEST_PX[1] / height_px)
    if scale == 1.0:
        return image
    return scale_down(image, max(1, round(width_px * scale)), max(1, round(height_px * scale)))


def annotated_preview(preview: Preview, look: ViewOptions) -> bytes:
    """The preview with boxes and labels, as a JPEG file."""
    return encode_jpeg(_annotate(decode(preview.picture), preview.analysis, look))


def annotated_thumb(preview: Preview, look: ViewOptions) -> bytes:
    """The thumbnail with boxes but no labels, as a JPEG file."""
    plain = replace(look, labels=())
    return encode_jpeg(_annotate(decode(preview.thumb), preview.analysis, plain, numbers=False), quality=85)


def annotated_original(data: bytes, analysis: Analysis, look: ViewOptions) -> bytes:
    """The picture at full size with boxes and labels, as a JPEG file without metadata.

    Waits in the same queue as pictures to be analysed.
    """
    with PICTURES.turn(workers.shared().measure(data).memory_mb):
        return encode_jpeg(_annotate(workers.shared().decode(data), analysis, look))


def decode_upload(data: bytes) -> Image:
    """Decode an uploaded picture at full size, in a worker, once its turn has come."""
    with PICTURES.turn(workers.shared().measure(data).memory_mb):
        return workers.shared().decode(data)


def kept_crops(preview: Preview, look: ViewOptions) -> tuple[bytes, ...]:
    """Crops of the faces that are shown, as JPEG files; blurred if faces are to be hidden."""
    readings = preview.analysis.readings
    pairs = [pair for pair in zip(readings, preview.crops, strict=True) if look.shows(pair[0].face)]
    if not look.blur:
        return tuple(crop for _, crop in pairs)
    # Cut from the preview: a hidden face shows no more detail in the original.
    picture = decode(preview.picture)
    faces = [r.face for r in preview.analysis.resized(picture.shape[1], picture.shape[0]).readings]
    hidden = blur_faces(picture, faces)
    scale = picture.shape[1] / preview.analysis.width_px
    return tuple(
        encode_jpeg(margin_crop(hidden, r.face.box.moved(scale, scale), CROP_MARGIN, CROP_PX))
        for r, _ in pairs
    )


def _annotate(image: Image, analysis: Analysis, look: ViewOptions, numbers: bool = True) -> Image:
    height_px, width_px = image.shape[:2]
    if look.blur:
        image = blur_faces(image, [r.face for r in analysis.resized(width_px, height_px).readings])
    few = look.shown(analysis)  # sizes are in the picture's own pixels, so filter before resizing
    numbers = numbers and len(few.readings) > 1
    return annotate(image, few.resized(width_px, height_px), labels=look.labels, numbers=numbers)


def preview(data: bytes, analyzer: Analyzer, tell: Callable[[str], object] | None = None) -> Preview:
    """Analyse the picture in `data`; the same picture is analysed only once per session.

    The number of concurrent analyses is limited. While waiting, `tell` is called with how many are ahead, and
    with "" at the start and once the wait is over. Raises `ImageError` if the picture cannot be read.
    """
    if len(data) > MAX_MB * 2**20:  # the uploader enforces this in the browser only
        raise ImageError(TOO_LARGE)
    # Per session, dropped when it ends, and bounded: no picture outlives its session or reaches another.
    shelf: dict[object, Preview | str] = st.session_state.setdefault("previews", {})
    key = hashlib.sha256(data).digest(), analyzer.detector.name, analyzer.estimator.name
    found = shelf.pop(key, None)
    if found is None:
        tell = tell or st.empty().caption
        tell("")
        try:
            memory_mb = workers.shared().measure(data).memory_mb
            with PICTURES.turn(memory_mb, lambda before: tell(before_you(before))):
                found = make_preview(*analyze_file(data, analyzer))
        except workers.NotStartedError:
            raise
        except ImageError as error:  # to be told again without seconds of computing at every click
            found = str(error)
    shelf[key] = found  # most recently used last
    for old in list(shelf)[:-MAX_PICTURES]:
        del shelf[old]
    if isinstance(found, str):
        raise ImageError(found)
    return found


def before_you(before: int) -> str:
    """'2 people are ahead of you', or nothing if nobody is."""
    if not before:
        return ""
    return f"{before} people are ahead of you" if before > 1 else "1 person is ahead of you"
