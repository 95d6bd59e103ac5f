"""Content of the About page: the pipeline step by step on a sample, its background, licences."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import streamlit as st

from agegender.analyzer import Analyzer
from agegender.drawing.annotate import draw_box
from agegender.drawing.palette import NEUTRAL
from agegender.estimation.alignment import align
from agegender.evaluation import charts
from agegender.imaging.io import decode, encode_jpeg, encode_png
from agegender.models.manifest import is_url, load_manifest
from agegender.places import SAMPLES
from agegender.text import NO_FACE, about, data_url, escape
from agegender.types import RANGES, Face, Image, Reading
from agegender.ui import loader
from agegender.ui.face_cards import age_bars, gender_words
from agegender.ui.previews import preview

SAMPLE = SAMPLES / "astronaut.png"


def show_steps(detector: str) -> Steps | None:
    """Walk through the pipeline on the sample picture; None if no face is found in it."""
    data = SAMPLE.read_bytes()
    readings = preview(data, loader.analyzer(detector)).analysis.readings
    if not readings:
        st.info("This face detector finds no face in the sample. Choose another one in the sidebar.")
        return None
    face, age = readings[0].face, readings[0].age
    steps = picture_steps(decode(data), face)
    seen, found, aligned = st.columns(3)
    with seen:
        st.markdown("**1 · Seen**")
        st.html(square(steps.seen, "The sample: a portrait of an astronaut"))
        st.caption("A photo is a table of numbers: red, green and blue for each of its pixels.")
    with found:
        st.markdown("**2 · Found**")
        marks = "a box and five landmarks" if face.landmarks else "a box"
        st.html(square(steps.found, f"The same with {marks} drawn on the face"))
        st.caption(
            "A small net finds the face: a box, both eyes, the nose and the corners of the mouth."
            if face.landmarks
            else "The face is found: a box around it. This face detector gives no landmarks."
        )
    with aligned:
        st.markdown("**3 · Aligned**")
        st.html(square(steps.aligned, "The face alone, upright and centred", "image/png"))
        st.caption(
            f"Turned upright, centred and scaled to {CROP_PX}×{CROP_PX} pixels. The model sees "
            "this and nothing else."
        )
    told = about(age.years, age.low, age.high)
    st.markdown(f"**4 · Estimated: {told}, {gender_words(readings[0].gender)}**")
    st.html(age_bars(age))
    st.caption(
        "The built-in model gives every year of age a probability; here they are summed into eight groups. "
        "The best estimate is their mean; the likely range holds the middle 80 %. It says “looks”, not “is”."
    )
    return steps


def square(file: bytes, alt: str, kind: str = "image/jpeg") -> str:
    """Square picture as HTML whose space is reserved before it loads."""
    return f"<img class='square' src='{data_url(file, kind)}' width='512' height='512' alt='{alt}'>"


def show_background(steps: Steps | None) -> None:
    """Show the background that an introductory course would cover."""
    with st.expander("Computer vision and OpenCV", icon=":material/visibility:"):
        st.markdown(
            "Computer vision gets from pixels to meaning: is there a face, where is it, what does it look "
            "like? [OpenCV](https://opencv.org) is a free library with the tools of the trade. It turns and "
            "scales images and runs nets."
        )
    with st.expander("Convolutional nets", icon=":material/grid_on:"):
        st.markdown(
            "A convolution slides a small table of numbers, a filter, over the image and notes where it "
            "fits. Below are two filters for edges. A convolutional net stacks many layers of filters: the "
            "first see edges, later ones eyes or wrinkles. Nobody draws its filters; it learns them from "
            "thousands of labelled photos."
        )
        if steps:
            for place, picture, way in zip(st.columns(2), steps.edges, ("down", "across"), strict=True):
                place.image(
                    picture, f"Edges that run {way}", "stretch", alt=f"Edges of the face that run {way}"
                )
    with st.expander("Why age groups", icon=":material/straighten:"):
        st.altair_chart(
            charts.ranges_chart(), width="stretch", alt=f"The eight ranges of years: {', '.join(RANGES)}"
        )
        st.markdown(
            "One year does not show in a face; ten years do. Gil Levi and Tal Hassner "
            "([2015](https://talhassner.github.io/home/publication/2015_CVPR)) therefore had two "
            "convolutional nets choose among classes: eight age groups of the Adience benchmark, with gaps "
            "between them, and two genders. This app began with their nets, and they are still in the "
            "sidebar. The built-in model gives a probability for every year; the eight groups are sums "
            "of those."
        )
    with st.expander("What apparent age means", icon=":material/face:"):
        st.markdown(
            "Apparent age is how old somebody looks to people who see nothing but this photo. Light, "
            "make-up, a beard, illness and the camera all change it. The true age is on a birth certificate, "
            "not in a face."
        )


HARD = {
    "grace_hopper.jpg": ("Grace Hopper, in her seventies", "Female", (70, 79)),
    "barbara_jordan.jpg": ("Barbara Jordan, about 40", "Female", (35, 45)),
    "hiram_revels.jpg": ("Hiram Revels, in his forties", "Male", (40, 49)),
}
"""Samples the models find hard, by file: who they show, and gender and age as documented elsewhere."""


def show_fails(analyzer: Analyzer) -> None:
    """Show the current estimates for the hard samples, where they are wrong, and why."""
    for place, (file, (who, gender, years)) in zip(st.columns(len(HARD)), HARD.items(), strict=True):
        shown = preview((SAMPLES / file).read_bytes(), analyzer)
        readings = shown.analysis.readings
        read = verdict(readings[0], gender, years) if readings else NO_FACE
        image = f"<img src='{data_url(shown.thumb)}' height='220' alt='{who}'>"
        place.html(f"<figure class='map'>{image}<figcaption><b>{who}</b><br>{read}</figcaption></figure>")
    st.markdown(
        "It learnt from photos that people labelled, most of them of young adults. It takes what was rare "
        "among them for what it resembles: short hair, a cap or a uniform mostly meant a man, and there were "
        "few old women, few people with dark skin in strong light, and hardly any old photos. It still "
        "states a high probability, because nothing ever taught it that it is wrong there. Find more in the "
        "Lab."
    )


def verdict(reading: Reading, gender: str, years: tuple[int, int]) -> str:
    """Describe an estimate and which parts of it are wrong."""
    age = reading.age
    told = f"read as {gender_words(reading.gender)}, {about(age.years, age.low, age.high)}"
    wrong = ["gender wrong"] if reading.gender.label != gender else []
    if age.high < years[0] or age.low > years[1]:
        wrong.append("age wrong")
    return f"{told}: {' and '.join(wrong)}" if wrong else told


def show_licences() -> None:
    """List the models with their licences and sources, then everything else."""
    lines = []
    for spec in load_manifest().values():
        source = f"[source]({spec.source})" if is_url(spec.source) else escape(spec.source)
        does = "face detector" if spec.role == "detector" else "age and gender model"
        lines.append(f"- **{escape(spec.title)}** ({does}): {escape(spec.licence)} · {source}")
    lines.append("- **Sample photos**: public domain; samples/README.md has the credits")
    lines.append("- **The code of this app**: MIT")
    st.markdown("\n".join(lines))


CROP_PX = 112
"""Side of the crop that the bundled net takes."""


# Sobel filter for vertical edges; transposed, for horizontal ones.
SOBEL = np.array([(-1, 0, 1), (-2, 0, 2), (-1, 0, 1)], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Steps:
    """Each step of the pipeline for one face, as encoded files.

    The picture, the picture with box and landmarks, the crop that goes into the net, and that crop filtered
    for vertical and for horizontal edges. PNG where every pixel of the crop matters, JPEG elsewhere.
    """

    seen: bytes
    found: bytes
    aligned: bytes
    edges: tuple[bytes, bytes]


def picture_steps(image: Image, face: Face) -> Steps:
    """Render the steps for a face found in an RGB image."""
    crop = align(image, face, CROP_PX)
    edges = encode_png(filtered(crop, SOBEL)), encode_png(filtered(crop, SOBEL.T.copy()))
    return Steps(encode_jpeg(image), encode_jpeg(with_landmarks(image, face)), encode_png(crop), edges)


def with_landmarks(image: Image, face: Face) -> Image:
    """Copy of the RGB image with the face's box and, if it has any, its landmarks."""
    drawn = np.array(image, order="C")
    draw_box(drawn, face.box, NEUTRAL, text_px=face.box.width / 3)  # thick, as the picture is shown small
    radius_px = max(2, round(face.box.width / 20))
    for x, y in face.landmarks:
        cv2.circle(drawn, (round(x), round(y)), radius_px + 1, (0, 0, 0), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(drawn, (round(x), round(y)), radius_px, NEUTRAL, cv2.FILLED, cv2.LINE_AA)
    return drawn


def filtered(crop: Image, kernel: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Image:
    """Absolute response of an RGB crop to a small filter, from black (none) to white (strongest)."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    answer = np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))
    scaled = np.minimum(255, answer * (255 / max(1.0, float(np.percentile(answer, 99)))))
    return np.repeat(scaled.astype(np.uint8)[:, :, None], 3, axis=2)
