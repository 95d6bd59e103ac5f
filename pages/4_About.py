"""About: how it works on a sample, what is behind it, how good it is, its limits, privacy and licences."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from agegender import about, cards, images, models, reports, ui
from agegender.downloads import is_url
from agegender.drawing import label_parts
from agegender.errors import AgeGenderError
from agegender.types import RANGES

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "astronaut.png"
FIGURES = ROOT / "models" / "figures.json"

DATASETS = {
    "fairface": ("FairFace", "Pictures that training never saw, of the set that it learnt from."),
    "utkface": ("UTKFace", "Another set, which it never saw any of. Gender from four years on."),
}


def show_steps() -> about.Steps | None:
    """Show what the pipeline makes of the sample, step by step; None where no face is found in it."""
    data = SAMPLE.read_bytes()
    readings = ui.preview(data, ui.analyzer(settings.detector)).analysis.readings
    if not readings:
        st.info("This way of finding faces finds none in the sample. Choose another one in the sidebar.")
        return None
    face, age = readings[0].face, readings[0].age
    steps = about.picture_steps(images.decode(data), face)
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
            f"Turned upright, centred and scaled to {about.CROP_PX}×{about.CROP_PX} pixels. The net sees "
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


def show_background(steps: about.Steps | None) -> None:
    """Show what a course on the subject begins with."""
    with st.expander("Computer vision and OpenCV", icon=":material/visibility:"):
        st.markdown(
            "Computer vision is getting from pixels to meaning: is there a face, where, what does it look "
            "like? [OpenCV](https://opencv.org) is a free library with the tools of the trade. It turns and "
            "scales pictures and runs nets. The Haar cascade that comes with it, an idea of 2001, finds "
            "faces without a net; choose it in the sidebar and compare."
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
            about.ranges_chart(), width="stretch", alt=f"The eight ranges of years: {', '.join(RANGES)}"
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


def show_figures() -> None:
    """Show what an evaluation measured, or say that there is nothing to show."""
    try:
        measured = reports.read_reports(FIGURES)
    except AgeGenderError as error:
        st.info(ui.escape(str(error)), icon=":material/info:")
        return
    for place, (kind, (title, text)) in zip(st.columns(2, gap="medium"), DATASETS.items(), strict=True):
        if kind not in measured:
            continue
        pictures, values = measured[kind]
        with place:
            st.markdown(f"**{title}** · {pictures:,} pictures")
            st.altair_chart(about.figures_chart(values), width="stretch", alt=about.described(values))
            if "age_mae_years" in values:
                st.markdown(f"Off by **{values['age_mae_years']:.1f} years** on average")
            st.caption(text)


def show_licences() -> None:
    """List the models with their licences and where they come from, then the rest."""
    lines = []
    for spec in models.load_manifest().values():
        source = f"[source]({spec.source})" if is_url(spec.source) else ui.escape(spec.source)
        does = "finds faces" if spec.role == "detector" else "estimates age and gender"
        lines.append(f"- **{ui.escape(spec.title)}** ({does}): {ui.escape(spec.licence)} · {source}")
    lines.append("- **Sample pictures**: public domain (US Navy, NASA)")
    lines.append("- **The code of this app**: MIT")
    st.markdown("\n".join(lines))


st.set_page_config("About", "🙂")
settings = ui.sidebar()

st.title("How it works")
shown = show_steps()

st.header("Background")
show_background(shown)

st.header("How good it is")
show_figures()

st.header("Limits")
st.markdown(
    "- People over 60 are taken for younger than they are, by ten years and more.\n"
    "- The gender of children is read less well.\n"
    "- The interval of age was fitted to ages that people guessed, and misses most of the oldest.\n"
    "- Small, blurred, dark and turned faces are probably read worse.\n"
    "- The labels it learnt from were given by people, and their prejudices are in it.\n"
    "- There are two gender labels, because its training pictures have two. They say nothing of who somebody "
    "is, and leave out everybody whom neither fits.\n\n"
    "It is for trying out, teaching and building upon. **Decide nothing about anybody by it**: not access, "
    "prices, policing or hiring, and it proves nobody's age."
)

st.header("Privacy")
st.markdown(
    "Pictures, videos and the webcam are analysed in the memory of the server that runs this app. Nothing is "
    "stored, logged or used to train anything, and nobody is recognised. On your own machine nothing "
    "leaves it."
)

st.header("Licences")
show_licences()
