"""The Lab: change one face with sliders and see how the models respond."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from agegender.analyzer import ESTIMATORS, Analyzer
from agegender.errors import ImageError
from agegender.estimation.alignment import align
from agegender.estimation.changes import SLIDERS, Changes, Cover, Cut, cut_out
from agegender.estimation.levi_hassner import LeviHassner
from agegender.estimation.probing import Curve, occlusion, read_all, told
from agegender.estimation.quality import sentence, warnings_of
from agegender.imaging.geometry import margin_crop
from agegender.imaging.io import encode_png
from agegender.models import store
from agegender.models.manifest import load_manifest
from agegender.text import NO_FACE, data_url, escape
from agegender.types import Estimate, Estimator, Image
from agegender.ui import loader, uploads
from agegender.ui.face_cards import CAUTION, age_bars, age_html, gender_words
from agegender.ui.previews import decode_upload, preview

BIND: dict[str, Any] = {"bind": "query-params"}
"""Keeps a choice in the page's URL, so that the link restores sample and sliders."""

SEEN_PX = 112
"""Side of the crop that the built-in model takes."""

MADE_OF = {
    "apparent": (
        "The aligned face. The model gives a probability for every year of age and one for gender; the "
        "years are summed into eight groups."
    ),
    "levi-hassner": (
        "One view: the box with a margin. One net chooses among the eight groups, another between two "
        "genders. The years are the mean over the groups."
    ),
}


def choose_face(analyzer: Analyzer) -> Cut | None:
    """Draw the choice of a face, from a sample, a photo of this session or a snapshot."""
    photos = {title: uploads.sample(file) for file, title in uploads.GALLERY.items()}
    photos |= {photo.name: photo for photo in uploads.photos() if photo not in photos.values()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Face from", list(photos), key="face", width=320, **BIND)
        face_number = st.container(width=130)
        with st.popover("Take a snapshot", icon=":material/photo_camera:"):
            uploads.camera()
    data = photos[str(name)].data
    try:
        readings = preview(data, analyzer).analysis.readings
    except ImageError as error:
        st.error(escape(str(error)))
        return None
    if not readings:
        st.info(f"{NO_FACE.capitalize()} in this photo. Choose another one.")
        return None
    number = 1
    if len(readings) > 1:
        number = face_number.number_input("Face number", 1, len(readings), key="number", **BIND)
    return cut_out(decode_upload(data), readings[number - 1].face)


def choose_changes() -> Changes:
    """Draw the sliders and return the changes to apply to the face."""
    values: dict[str, Any] = {}
    for name, each in SLIDERS.items():
        neutral, unit = getattr(Changes(), name), each.unit.replace("%", "%%")
        values[name] = st.slider(
            each.label, each.first, each.last, neutral, each.step, f"%d{unit}", name, **BIND
        )
    values["cover"] = st.segmented_control(
        "Cover", get_args(Cover), default="Nothing", required=True, key="cover", **BIND
    )
    return Changes(**values)


def show_answer(cut: Cut, estimate: Estimate, crop: Image) -> None:
    """Show the face as the model sees it, and the estimate."""
    warnings = warnings_of(*cut)
    caution = f"<p class='caution'>⚠ {sentence(warnings)} {CAUTION}</p>" if warnings else ""
    image = img(crop, 224, "The face as the model sees it")
    st.html(
        f"<div class='analysed lab'><figure class='photo'>{image}</figure>"
        f"<div class='face'>{_answer(estimate, caution)}</div></div>"
    )


def _answer(estimate: Estimate, caution: str = "") -> str:
    age, gender = estimate
    return f"{age_html(age)}<p><b>{gender_words(gender)}</b></p>{caution}{age_bars(age)}"


def img(picture: Image, side_px: int, alt: str) -> str:
    """RGB image as lossless inline HTML."""
    source = data_url(encode_png(picture), "image/png")
    return f"<img src='{source}' width='{side_px}' height='{side_px}' alt='{alt}'>"


def show_curve(found: Curve, now: int) -> None:
    """Plot age with its interval and P(Female) against a slider, and summarise the curve in words."""
    slider, words = SLIDERS[found.name], told(found)
    rows = [
        {"x": value, "years": age.years, "low": age.low, "high": age.high, "female": 100 * gender.p_female}
        for value, (age, gender) in zip(found.values, found.estimates, strict=True)
    ]
    x = {"field": "x", "type": "quantitative", "title": slider.label + slider.unit, "scale": {"nice": False}}
    rule = {"type": "rule", "strokeDash": [4, 4], "color": "#7A8394"}
    here = {"data": {"values": [{"x": now}]}, "mark": rule}
    line = {"type": "line", "point": True}
    interval = {"y": _y("low", "years"), "y2": {"field": "high"}}
    age_layers = [
        {"mark": {"type": "area", "opacity": 0.3, "color": "#56B4E9"}, "encoding": interval},
        {"mark": line | {"color": "#2F7FC4"}, "encoding": {"y": _y("years", "years")}},
    ]
    p_female = {"y": _y("female", "probability of Female, %")}
    gender_layers = [{"mark": line | {"color": "#C98500"}, "encoding": p_female}]
    charts = {"Age": age_layers, "Gender": gender_layers}
    for place, (title, layers) in zip(st.columns(2), charts.items(), strict=True):
        chart = {"data": {"values": rows}, "height": 220, "encoding": {"x": x}, "layer": [*layers, here]}
        with place.container(key=f"curve-{title.lower()}"):
            st.vega_lite_chart(chart, width="stretch", alt=f"{title} over {slider.label}. {words}")
    st.markdown(f"**{words}**")


def _y(field: str, title: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": title, "scale": {"domain": [0, 100]}}


def show_map(estimator: Estimator, cut: Cut) -> None:
    """Show which parts of the face the estimate depends on, by covering one patch after another."""
    crop, (years, female) = align(*cut, SEEN_PX), occlusion(estimator, cut)
    maps = {
        "Age": (years, f"{np.abs(years).max():.0f} years"),
        "Gender": (female, f"{100 * np.abs(female).max():.0f} points"),
    }
    for place, (title, (values, most)) in zip(st.columns(2), maps.items(), strict=True):
        image = img(heat(crop, values), 280, f"Where covering a patch changes the {title.lower()}")
        caption = f"{title}: up to {most} where it is most orange"
        place.html(f"<figure class='map'>{image}<figcaption>{caption}</figcaption></figure>")
    st.caption(
        "Orange is where covering a patch changes the answer most. Such a map shows which parts this one "
        "answer depends on. It does not show why, and a grey patch is itself something that the model never "
        "saw in training."
    )


def heat(crop: Image, values: NDArray[np.float64]) -> Image:
    """Overlay values as orange on the RGB crop in grey: the larger the value, the stronger the orange."""
    share = np.abs(values) / max(1e-9, float(np.abs(values).max()))
    large = cv2.resize(share, crop.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    alpha = 0.8 * np.clip(large, 0, 1)[..., None]
    grey = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    mixed: Image = np.rint(grey * (1 - alpha) + np.array((213, 94, 0)) * alpha).astype(np.uint8)
    return mixed


def show_models(detector: str, cut: Cut) -> None:
    """Show the same face through each available model, with the crops behind each estimate."""
    specs = load_manifest()
    names = [name for name in ESTIMATORS if store.status(specs[name]) != "missing"]
    for place, name in zip(st.columns(max(2, len(names))), names, strict=False):
        estimator = loader.analyzer(detector, name).estimator
        views = "".join(img(view, 112, "What it sees") for view in views_of(estimator, cut))
        (estimate,) = read_all(estimator, [cut])
        place.html(
            f"<div class='face model'><h3>{specs[name].title}</h3><p class='views'>{views}</p>"
            f"{_answer(estimate)}<p class='who'>{MADE_OF[name]}</p></div>"
        )
    if len(names) < len(ESTIMATORS):
        st.caption("A model that is not here yet is downloaded when you choose it in the sidebar.")


def views_of(estimator: Estimator, cut: Cut) -> Sequence[Image]:
    """RGB crops that an estimator makes of a face."""
    if isinstance(estimator, LeviHassner):
        return [margin_crop(cut[0], cut[1].box, estimator.MARGIN, estimator.SIZE_PX)]
    return [align(*cut, SEEN_PX)]
