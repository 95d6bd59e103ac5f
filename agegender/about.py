"""What the page About shows: the pipeline step by step on a sample, its background, licences."""

from __future__ import annotations

import streamlit as st

from agegender import cards, ui
from agegender.drawing.annotate import label_parts
from agegender.evaluation import charts
from agegender.imaging.io import decode
from agegender.models.http import is_url
from agegender.models.manifest import load_manifest
from agegender.places import SAMPLES
from agegender.steps import CROP_PX, Steps, picture_steps
from agegender.text import escape
from agegender.types import RANGES

SAMPLE = SAMPLES / "astronaut.png"


def show_steps(detector: str) -> Steps | None:
    """Show what the pipeline makes of the sample, step by step; None where no face is found in it."""
    data = SAMPLE.read_bytes()
    readings = ui.preview(data, ui.analyzer(detector)).analysis.readings
    if not readings:
        st.info("This way of finding faces finds none in the sample. Choose another one in the sidebar.")
        return None
    face, age = readings[0].face, readings[0].age
    steps = picture_steps(decode(data), face)
    seen, found, aligned = st.columns(3)
    with seen:
        st.markdown("**1 · Seen**")
        st.image(steps.seen, width="stretch", alt="The sample: a portrait of an astronaut")
        st.caption("A picture is a table of numbers: so much red, green and blue for each of its pixels.")
    with found:
        st.markdown("**2 · Found**")
        marks = "a box and five landmarks" if face.landmarks else "a box"
        st.image(steps.found, width="stretch", alt=f"The same with {marks} drawn on the face")
        st.caption(
            "A small net finds the face: a box, both eyes, the nose and the corners of the mouth."
            if face.landmarks
            else "The face is found: a box around it. This way of finding faces gives no landmarks."
        )
    with aligned:
        st.markdown("**3 · Aligned**")
        alt = "The face alone, upright and centred"
        st.image(steps.aligned, width="stretch", alt=alt)
        st.caption(
            f"Turned upright, centred and scaled to {CROP_PX}×{CROP_PX} pixels. The net sees "
            "this and nothing else."
        )
    st.markdown(
        f"**4 · Estimated: {age.range} years, {label_parts(readings[0], ('gender', 'probability'), '')[0]}**"
    )
    cards.show_ranges(age)
    st.caption(
        f"The bundled net gives each year of age its probability; here they are summed up in eight ranges. "
        f"Expected are {age.years:.0f} years, probably {age.low:.0f} to {age.high:.0f}. It says “looks like” "
        "and not “is”."
    )
    return steps


def show_background(steps: Steps | None) -> None:
    """Show what a course on the subject begins with."""
    with st.expander("Computer vision and OpenCV", icon=":material/visibility:"):
        st.markdown(
            "Computer vision is getting from pixels to meaning: is there a face, where, what does it look "
            "like? [OpenCV](https://opencv.org) is a free library with the tools of the trade. It turns and "
            "scales pictures and runs nets."
        )
    with st.expander("Convolutional nets", icon=":material/grid_on:"):
        st.markdown(
            "A convolution slides a small table of numbers, a filter, over the picture and notes where it "
            "fits. Below are two filters for edges. A convolutional net stacks many layers of filters: the "
            "first see edges, later ones eyes or wrinkles. Nobody draws its filters; it learns them from "
            "thousands of labelled pictures."
        )
        if steps:
            for place, picture, way in zip(st.columns(2), steps.edges, ("down", "across"), strict=True):
                place.image(
                    picture, f"Edges that run {way}", "stretch", alt=f"Edges of the face that run {way}"
                )
    with st.expander("Why ranges of age", icon=":material/straighten:"):
        st.altair_chart(
            charts.ranges_chart(), width="stretch", alt=f"The eight ranges of years: {', '.join(RANGES)}"
        )
        st.markdown(
            "One year more does not show in a face; ten years do. Gil Levi and Tal Hassner "
            "([2015](https://talhassner.github.io/home/publication/2015_CVPR)) therefore had two "
            "convolutional nets choose among classes: one of the eight ranges of the Adience benchmark, "
            "which has gaps, and one of two genders. This app began with their nets, and they are still in "
            "the sidebar. The bundled net gives a probability for every year; the eight ranges are summed "
            "from those."
        )
    with st.expander("What apparent age means", icon=":material/face:"):
        st.markdown(
            "Apparent age is how old people would take somebody for who see only this picture. Light, "
            "make-up, a beard, illness and the camera change it. The true age stands on a birth certificate, "
            "not in a face."
        )


def show_licences() -> None:
    """List the models with their licences and where they come from, then the rest."""
    lines = []
    for spec in load_manifest().values():
        source = f"[source]({spec.source})" if is_url(spec.source) else escape(spec.source)
        does = "finds faces" if spec.role == "detector" else "estimates age and gender"
        lines.append(f"- **{escape(spec.title)}** ({does}): {escape(spec.licence)} · {source}")
    lines.append("- **Sample pictures**: public domain (US Navy, NASA)")
    lines.append("- **The code of this app**: MIT")
    st.markdown("\n".join(lines))
