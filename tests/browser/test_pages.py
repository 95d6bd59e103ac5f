"""The app as a person meets it: opened, given a real photograph, and looked at."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np
import PIL.Image
import pytest
from browsing import CUT_OFF, UPLOAD, serve

from agegender.analyzer import build_analyzer
from agegender.imaging.io import decode
from agegender.types import Analysis

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, Locator, Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"


def open_photos(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/Photos")
    page.wait_for_selector(UPLOAD, state="attached")


def cards(page: Page) -> Locator:
    """Crops of the faces, one per card."""
    return page.get_by_role("img", name="cut out")


def is_loaded(picture: Locator) -> bool:
    picture.wait_for()
    return bool(picture.evaluate("async image => { await image.decode(); return image.naturalWidth > 0 }"))


def test_home_shows_a_sample_analysed_and_leads_to_photos(page: Page, app_url: str) -> None:
    page.goto(app_url)
    assert is_loaded(page.get_by_role("img", name="The photo, 1 face framed"))
    assert is_loaded(cards(page))
    main = page.get_by_test_id("stMain")
    assert main.get_by_text("Do not use it to make decisions about people").is_visible()
    main.get_by_role("button", name="Try a sample").click()
    page.get_by_role("heading", name="Photos").wait_for()
    page.get_by_role("button", name="John Glenn").click()
    page.get_by_text("1 face in 1 photo").wait_for()


def test_a_photo_dropped_or_pasted_on_home_shows_its_result_at_once(page: Page, app_url: str) -> None:
    page.goto(app_url)
    page.wait_for_selector(UPLOAD, state="attached")
    page.set_input_files(UPLOAD, SAMPLES / "john_glenn.jpg")
    page.get_by_role("link", name="john_glenn.jpg in Photos").wait_for()
    assert cards(page).count() == 1
    page.evaluate(PASTE, list((SAMPLES / "solvay_1927.jpg").read_bytes()))
    cards(page).nth(28).wait_for()
    page.get_by_role("link", name="pasted.jpg in Photos").click()
    page.get_by_text("30 faces in 2 photos").wait_for()


PASTE = """bytes => {
    const carrier = new DataTransfer();
    carrier.items.add(new File([new Uint8Array(bytes)], "pasted.jpg", {type: "image/jpeg"}));
    document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: carrier, bubbles: true}));
}"""


def test_photos_stay_while_one_goes_to_another_page_and_back(page: Page, app_url: str) -> None:
    open_photos(page, app_url)
    page.set_input_files(UPLOAD, [SAMPLES / "john_glenn.jpg", SAMPLES / "patsy_mink.jpg"])
    page.get_by_text("2 faces in 2 photos").wait_for()
    side = page.get_by_test_id("stSidebar")
    side.get_by_role("link", name="About").click()
    page.get_by_role("heading", name="About").wait_for()
    side.get_by_role("link", name="Photos").click()
    page.get_by_text("2 faces in 2 photos").wait_for()
    page.get_by_role("button", name="patsy_mink.jpg").click()
    page.get_by_role("button", name="Clear all").click()
    page.get_by_text("2 faces in 2 photos").wait_for(state="detached")
    assert cards(page).count() == 0


def test_a_crowd_is_a_compact_grid_whose_charts_open(page: Page, app_url: str) -> None:
    open_photos(page, app_url)
    page.set_viewport_size({"width": 1400, "height": 900})
    page.set_input_files(UPLOAD, SAMPLES / "solvay_1927.jpg")
    cards(page).nth(28).wait_for()
    page.get_by_text("29 faces in 1 photo").wait_for()
    box = page.locator(".faces").bounding_box()
    assert box and box["height"] < 900
    bars = page.locator(".faces .bars")
    assert not bars.first.is_visible()
    page.locator(".faces summary").first.focus()
    page.keyboard.press("Enter")
    bars.first.wait_for(state="visible")
    page.get_by_role("button", name="Sort and filter").click()
    page.get_by_test_id("stPopoverBody").get_by_text("Male", exact=True).click()
    readings = build_analyzer()(decode(SAMPLES / "solvay_1927.jpg")).readings
    left = sum(reading.gender.label == "Female" for reading in readings)
    assert left < 29
    page.wait_for_function(f"document.querySelectorAll('.faces > li').length == {left}")


def test_the_lab_changes_the_answer_and_its_link_brings_it_back(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/Lab?face=John+Glenn&blur=50")
    page.get_by_text("What it looks at").wait_for()
    answer = page.locator(".lab .years")
    answer.wait_for()
    blurred = answer.inner_text()
    slider = page.locator(".st-key-size").get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function("text => document.querySelector('.lab .years')?.innerText != text", arg=blurred)
    page.wait_for_function("location.search.includes('size=5')")
    tiny, link = answer.inner_text(), page.url
    page.goto("about:blank")
    page.goto(link)
    answer.wait_for()
    assert answer.inner_text() == tiny
    page.get_by_text("Cover the face patch by patch").click()
    assert is_loaded(page.get_by_role("img", name="Where covering a patch changes the age"))


@pytest.mark.usefixtures("mirror")  # without it, a note says that YuNet is not available
def test_home_fits_on_one_screen(page: Page, app_url: str) -> None:
    page.goto(app_url)
    cards(page).wait_for()
    page.get_by_text("Do not use it to make decisions about people").wait_for()
    main = page.get_by_test_id("stMain")
    assert main.evaluate("page => page.scrollHeight <= page.clientHeight")


@pytest.fixture(params=["a sample", "a group"])
def photo(request: pytest.FixtureRequest) -> Path:
    if request.param == "a sample":
        return SAMPLES / "grace_hopper.jpg"
    folder: Path = request.getfixturevalue("photos")
    return folder / "group-1.jpg"


def test_a_photograph_shows_each_of_its_faces_and_can_be_saved(page: Page, app_url: str, photo: Path) -> None:
    image = decode(photo)
    faces = len(build_analyzer()(image).readings)
    open_photos(page, app_url)
    page.set_input_files(UPLOAD, photo)
    page.get_by_text("in 1 photo").wait_for()
    assert faces == {"grace_hopper": 1, "group-1": 15}[photo.stem]
    cards(page).nth(faces - 1).wait_for()
    assert cards(page).count() == faces
    assert all(is_loaded(card) for card in cards(page).all())
    with page.expect_download() as download:
        page.get_by_role("button", name="Download annotated photo").click()
    assert download.value.suggested_filename == f"{photo.stem}-faces.jpg"
    with PIL.Image.open(download.value.path()) as saved:
        assert saved.size == image.shape[1::-1]
        assert dict(saved.getexif()) == {}


def test_names_are_text_and_broken_files_stop_nothing(page: Page, app_url: str) -> None:
    hostile = "<img src=x onerror='window.hacked=1'> **b** :red[r].png"
    file = BytesIO()
    PIL.Image.new("RGB", (64, 64), "white").save(file, "PNG")
    open_photos(page, app_url)
    contents = {
        hostile: file.getvalue(),
        f"broken {hostile}": b"no picture",
        "good.png": (SAMPLES / "astronaut.png").read_bytes(),
    }
    files: list[FilePayload] = [
        {"name": name, "mimeType": "image/png", "buffer": data} for name, data in contents.items()
    ]
    page.set_input_files(UPLOAD, files)
    page.get_by_text("1 face in 2 photos · 1 photo could not be read").wait_for()
    main = page.get_by_test_id("stMain")
    results = [f"{hostile} · no faces", f"broken {hostile} · could not be read", "good.png · 1 face"]
    tiles = [main.get_by_role("button", name=result, exact=True) for result in results]
    main.get_by_text("No faces found.").wait_for()
    tiles[1].click()
    main.get_by_text("not a picture, or it is damaged").wait_for()
    tiles[2].click()
    cards(page).wait_for()
    assert page.locator('img[src="x"]').count() == 0
    assert page.evaluate("window.hacked") is None


def test_twenty_pictures_can_be_saved_hidden_and_as_tables(page: Page, app_url: str) -> None:
    data = (SAMPLES / "grace_hopper.jpg").read_bytes()
    original = decode(data)
    analysis = build_analyzer()(original)
    files: list[FilePayload] = [
        {"name": f"{i // 2}.jpg", "mimeType": "image/jpeg", "buffer": data} for i in range(20)
    ]
    open_photos(page, app_url)
    page.get_by_text("Hide faces").click()
    page.set_input_files(UPLOAD, files)
    page.get_by_text("20 faces in 20 photos").wait_for()
    with ZipFile(saved(page, "All annotated photos (ZIP)")) as archive:
        assert len(set(archive.namelist())) == 20
        hidden = decode(archive.read("3-faces-2.jpg"))
    assert hidden.shape == original.shape
    (left, top), (right, bottom) = face_of(analysis)
    face, was = (picture[top:bottom, left:right].astype(int) for picture in (hidden, original))
    smooth = (np.abs(np.diff(face, axis=1)).max(axis=2) < 12).mean()
    assert smooth > 0.8, "more than a few plain blocks"
    assert np.abs(face - was).mean() > 5
    with saved(page, "Table (CSV)").open(encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["file"] for row in rows] == [file["name"] for file in files]
    assert {row["age_range"] for row in rows} == {analysis.readings[0].age.range}
    found = [json.loads(line) for line in saved(page, "Data (JSON Lines)").read_text().splitlines()]
    assert [picture["faces"][0]["gender"]["label"] for picture in found] == [row["gender"] for row in rows]


def saved(page: Page, button: str) -> Path:
    """Press a button and return the file that it saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return download.value.path()


def face_of(analysis: Analysis) -> tuple[tuple[int, int], tuple[int, int]]:
    """Inner part of the only face's box, without frame and label."""
    box = analysis.readings[0].face.box
    (x, y), across, down = box.center, 0.3 * box.width, 0.3 * box.height
    return (int(x - across), int(y - down)), (int(x + across), int(y + down))


@pytest.mark.parametrize("width_px", [360, 390])
def test_nothing_sticks_out_on_a_phone(page: Page, app_url: str, width_px: int) -> None:
    page.set_viewport_size({"width": width_px, "height": 780})
    page.goto(app_url)
    assert is_loaded(cards(page))
    assert sticking_out(page) == []
    open_photos(page, app_url)
    page.set_input_files(UPLOAD, SAMPLES / "grace_hopper.jpg")
    assert is_loaded(cards(page))
    assert sticking_out(page) == []


def sticking_out(page: Page) -> list[str]:
    """Elements of the page that extend beyond the window."""
    script = """root => [...root.querySelectorAll('img, p, h1, h3, button, canvas, svg, [data-testid]')]
        .filter(e => e.getClientRects().length)
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
        .map(e => e.tagName + ' ' + (e.dataset.testid || e.textContent))"""
    found: list[str] = page.get_by_test_id("stMain").evaluate(script)
    return found


@pytest.mark.parametrize("width_px", [1280, 360])
def test_pointing_at_a_face_marks_its_card_and_the_other_way_round(
    page: Page, app_url: str, photos: Path, width_px: int
) -> None:
    page.set_viewport_size({"width": width_px, "height": 900})
    open_photos(page, app_url)
    page.set_input_files(UPLOAD, photos / "group-5.jpg")
    boxes = page.get_by_role("img", name="in the photo")
    cards(page).nth(6).wait_for()
    assert boxes.count() == cards(page).count() == 7
    assert standing_out(page) == {"boxes": [], "cards": []}
    for face in range(boxes.count()):
        boxes.nth(face).focus()
        assert standing_out(page) == {"boxes": [face], "cards": [face]}
    page.evaluate("document.activeElement.blur()")
    for face in (0, 1, boxes.count() - 1):
        for pointed_at in (cards(page).nth(face), boxes.nth(face)):
            pointed_at.hover()
            assert standing_out(page) == {"boxes": [face], "cards": [face]}
    assert page.get_by_role("img", name="The photo, ").count() == 1


def test_the_boxes_to_point_at_lie_where_the_faces_are(page: Page, app_url: str) -> None:
    analysis = build_analyzer()(decode(SAMPLES / "grace_hopper.jpg"))
    face = analysis.readings[0].face.box
    page.set_viewport_size({"width": 360, "height": 780})
    open_photos(page, app_url)
    page.set_input_files(UPLOAD, SAMPLES / "grace_hopper.jpg")
    picture = page.get_by_role("img", name="The photo, ")
    assert is_loaded(picture)
    shown, box = picture.bounding_box(), page.get_by_role("img", name="in the photo").bounding_box()
    assert shown and box
    scale = shown["width"] / analysis.width_px
    assert box["x"] - shown["x"] == pytest.approx(face.left * scale, abs=1)
    assert box["y"] - shown["y"] == pytest.approx(face.top * scale, abs=1)
    assert box["width"] == pytest.approx(face.width * scale, abs=1)
    assert box["height"] == pytest.approx(face.height * scale, abs=1)
    card = page.locator(".faces li").bounding_box()
    assert card and card["y"] - shown["y"] - shown["height"] < 24, "the boxes take no place of their own"


def standing_out(page: Page) -> dict[str, list[int]]:
    """Outlined boxes, over all pictures in sequence, and outlined cards."""
    script = """([boxes, cards]) => {
        const lit = elements => [...elements.keys()]
            .filter(i => getComputedStyle(elements[i]).outlineStyle == "solid");
        const all = [...document.querySelectorAll(cards)].map(e => e.closest("li"));
        return {boxes: lit([...document.querySelectorAll(boxes)]), cards: lit(all)};
    }"""
    found: dict[str, list[int]] = page.evaluate(
        script, ['[aria-label$="in the photo"]', 'img[alt$="cut out"]']
    )
    return found


def test_the_keyboard_reaches_all_there_is_on_photos_and_little_else(page: Page, app_url: str) -> None:
    open_photos(page, app_url)
    page.set_input_files(UPLOAD, [SAMPLES / "grace_hopper.jpg", SAMPLES / "astronaut.png"])
    page.get_by_text("2 faces in 2 photos").wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()
    stops = tab_stops(page)
    wanted = [
        *("Home", "Photos", "Live", "Video", "Lab", "About"),
        *("Face detector", "Age and gender model", "Minimum detection", "Minimum face size", "Hide faces"),
        *("Upload", "grace_hopper.jpg", "astronaut.png", "Face 1 in the photo"),
        *(
            "Download annotated",
            "All annotated",
            "Table (CSV)",
            "Data (JSON Lines)",
            "Remove photo",
            "Clear all",
        ),
    ]
    left = iter(stops)
    assert [name for name in wanted if not any(name in stop for stop in left)] == [], stops


def tab_stops(page: Page) -> list[str]:
    """Names of the tab stops, from the top of the page to the bottom."""
    script = """() => {
        const stop = document.activeElement;
        if (stop.tagName === "BODY") return null;
        return stop.tagName === "MAIN" ? "the page" : stop.ariaLabel || stop.innerText || "";
    }"""
    stops: list[str] = []
    page.evaluate("document.activeElement.blur()")
    while len(stops) < 100:
        page.keyboard.press("Tab")
        name = page.evaluate(script)
        if name is None:
            break
        stops.append(name)
    return stops


def test_a_picture_over_the_limit_is_refused_and_the_others_go_on(
    page: Page, app_url: str, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes((SAMPLES / "astronaut.png").read_bytes() + bytes(50 * 2**20))
    open_photos(page, app_url)
    page.set_input_files(UPLOAD, [large, SAMPLES / "grace_hopper.jpg"])
    page.get_by_text("1 face in 1 photo").wait_for()
    assert page.get_by_text("File must be 50.0MB or smaller.").is_visible()


def test_a_small_file_with_too_many_pixels_is_refused_and_the_others_go_on(page: Page, app_url: str) -> None:
    file = BytesIO()
    PIL.Image.new("1", (9000, 9000)).save(file, "PNG")
    large: FilePayload = {"name": "large.png", "mimeType": "image/png", "buffer": file.getvalue()}
    small: FilePayload = {
        "name": "a.jpg",
        "mimeType": "image/jpeg",
        "buffer": (SAMPLES / "grace_hopper.jpg").read_bytes(),
    }
    open_photos(page, app_url)
    page.set_input_files(UPLOAD, [large, small])
    page.get_by_text("1 face in 1 photo · 1 photo could not be read").wait_for()
    assert page.get_by_text("more than 50 megapixels. Make it smaller").is_visible()


@pytest.mark.parametrize(
    ("choice", "model", "file", "instead"),
    [
        ("Face detector", "res10 SSD", "opencv_face_detector_uint8.pb", "Best available"),
        ("Age and gender model", "Levi–Hassner", "age_net.caffemodel", "Built-in model"),
    ],
)
def test_a_model_that_cannot_be_fetched_is_told_and_stops_nothing(
    page: Page, cut_off_url: str, choice: str, model: str, file: str, instead: str
) -> None:
    open_photos(page, cut_off_url)
    page.set_input_files(UPLOAD, SAMPLES / "grace_hopper.jpg")
    page.get_by_text("1 face in 1 photo").wait_for()
    assert page.get_by_text("Using the built-in face detector").first.is_visible()
    page.get_by_role("combobox", name=choice).click()
    page.get_by_role("option", name=model).click()
    told = page.get_by_test_id("stAlert").filter(has_text=f"{file} could not be fetched")
    told.get_by_text(f"“{instead}” is used instead.").wait_for()
    page.get_by_text("1 face in 1 photo").wait_for()
    assert is_loaded(cards(page))


@pytest.fixture(scope="module")
def cut_off_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an app without network access that has only the bundled models."""
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium on this machine")
    folder = tmp_path_factory.mktemp("cut-off")
    with serve(folder / "log.txt", **CUT_OFF, AGEGENDER_CACHE=str(folder / "cache")) as url:
        yield url
