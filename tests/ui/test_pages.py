"""The pages without a browser: what they show, and that they keep working when something goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import PIL.Image
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from stubs import AGE, ON_THE_LEFT, Stub, has_colours

from agegender.analyzer import Analyzer
from agegender.errors import ModelError
from agegender.text import escape
from agegender.types import Box, Estimate, Face, Gender
from agegender.ui import face_cards, loader, uploads
from agegender.ui.uploads import MAX_PICTURES

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "samples" / "grace_hopper.jpg").read_bytes()
HOSTILE = "<img src=x onerror=alert(1)> **b** [a](javascript:alert(1)) :red[x] $x$.png"


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Stand in for all models."""
    found = Stub(ON_THE_LEFT, sees=has_colours)
    monkeypatch.setattr(loader, "build_analyzer", lambda *_: Analyzer(found, found))
    monkeypatch.setattr(loader, "fetch_model", lambda _: None)
    return found


def home() -> AppTest:
    return good(AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run())


def photos(*files: tuple[str, bytes]) -> AppTest:
    """The Photos page, after uploading these files if there are any."""
    page = good(home().switch_page("pages/1_Photos.py").run())
    return upload(page, *files) if files else page


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, data, "image/png") for name, data in files]).run()
    return good(page)


def good(page: AppTest) -> AppTest:
    assert [exception.value for exception in page.exception] == []
    return page


def texts(page: AppTest) -> list[str]:
    """All Markdown on a page."""
    shown = [*page.markdown, *page.caption, *page.error, *page.warning, *page.info]
    return [element.value for element in shown]


def html(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def cards(page: AppTest) -> int:
    """Number of faces with a card or tile."""
    return html(page).count("<li class='face'>")


def charts(page: AppTest) -> int:
    return html(page).count("class='bars counts'")


def downloads(page: AppTest) -> list[str]:
    return [button.proto.label for button in page.get("download_button")]


def tiles(page: AppTest) -> list[str]:
    return [button.label for button in page.button if str(button.key).startswith("open-")]


def press(page: AppTest, label: str) -> AppTest:
    (button,) = [button for button in page.button if button.label == label]
    return good(button.click().run())


def png(*colours: str) -> bytes:
    picture = PIL.Image.new("RGB", (80, 80), colours[0])
    for place, colour in enumerate(colours):
        picture.paste(colour, (0, place, 1, place + 1))
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_home_shows_what_it_does_on_a_sample() -> None:
    page = home()
    assert cards(page) == 1
    assert re.search(r"about \d\d</b> · likely \d\d–\d\d", html(page))
    assert [button.label for button in page.button] == ["Use the webcam", "Try a sample"]


@pytest.mark.usefixtures("stub")
def test_a_photo_dropped_on_home_is_shown_there_and_kept_for_photos() -> None:
    page = upload(home(), ("face.png", png("red", "blue")))
    assert cards(page) == 1
    assert not any("A sample" in text for text in texts(page))
    page.switch_page("pages/1_Photos.py").run()
    assert "**1 face** in 1 photo" in texts(good(page))


@pytest.mark.parametrize(("file", "title"), uploads.GALLERY.items())
def test_every_sample_of_the_gallery_shows_its_faces(file: str, title: str) -> None:
    page = photos()
    page.segmented_control[0].set_value("Samples").run()
    press(page, title)
    faces = 29 if file == "solvay_1927.jpg" else 1
    assert cards(page) == faces
    assert charts(page) == (faces >= face_cards.FEW)


@pytest.mark.usefixtures("stub")
def test_home_leads_to_the_samples() -> None:
    page = home()
    press(page, "Try a sample").switch_page("pages/1_Photos.py").run()
    assert page.segmented_control[0].value == "Samples"
    assert len(tiles(page)) == len(uploads.GALLERY)


def test_a_card_says_what_was_read(stub: Stub) -> None:
    page = photos(("face.png", png("red", "blue")))
    assert "<b>about 29</b> · likely 22–37" in html(page)
    assert "group 25–32, 70 %" in html(page)
    assert "Female 97 %" in html(page)
    assert cards(page) == 1
    assert stub.calls == 2  # for home's sample and for this


def test_a_card_says_why_a_face_is_read_less_surely(stub: Stub) -> None:
    stub.faces = (Face(Box(10, 10, 26, 26), 0.9),)
    told = "⚠ The face is small and blurred. Treat this estimate with caution."
    assert told in html(photos(("face.png", png("red", "blue"))))


@pytest.mark.usefixtures("stub")
def test_the_camera_is_asked_for_only_when_it_is_chosen() -> None:
    page = photos()
    assert len(page.camera_input) == 0
    page.segmented_control[0].set_value("Camera").run()
    page.camera_input[0].set_value(("snapshot.jpg", SAMPLE, "image/jpeg")).run()
    assert cards(good(page)) == 1


@pytest.mark.usefixtures("stub")
def test_what_cannot_be_read_gets_its_message_and_the_others_go_on() -> None:
    page = photos(("a.jpg", SAMPLE), ("b.png", b"no picture"), ("c.png", b""), ("d.jpg", SAMPLE[:999] * 2))
    results = ["a.jpg · 1 face", *(f"{name} · could not be read" for name in ("b.png", "c.png", "d.jpg"))]
    assert tiles(page) == [result.replace(".", r"\.") for result in results]
    assert "**1 face** in 1 photo · 3 photos could not be read" in texts(page)
    assert cards(page) == 1
    press(page, tiles(page)[1])
    assert "could not be read" in page.error[0].value
    page = photos(("b.png", b"no picture"))
    assert "1 photo could not be read" in texts(page)
    assert (len(page.error), cards(page)) == (1, 0)


@pytest.mark.usefixtures("stub")
def test_where_no_face_is_it_says_so_and_what_helps() -> None:
    page = photos(("plain.png", png("white")))
    assert page.info[0].value.startswith("**No faces found.** It helps if faces")
    assert "**No faces found**" in texts(page)


@pytest.mark.usefixtures("stub")
def test_a_hostile_name_is_shown_as_it_is_and_never_interpreted() -> None:
    page = photos((HOSTILE, png("red", "blue")), (HOSTILE, b"no picture"))
    escaped = escape(HOSTILE)
    assert tiles(page) == [f"{escaped} · 1 face", f"{escaped} · could not be read"]
    assert not any("onerror" in text for text in texts(page))
    assert "onerror" not in html(page)
    assert escape(HOSTILE).startswith(r"\<img src\=x onerror\=alert\(1\)\> \*\*b\*\* \[a\]\(javascript\:")


def test_an_upload_is_not_analysed_twice_while_the_settings_stay(stub: Stub) -> None:
    page = photos(("a.png", png("red", "blue")), ("b.png", png("red", "green")))
    assert stub.calls == 3
    page.run()
    page.segmented_control[0].set_value("Samples").run()
    page.segmented_control[0].set_value("Upload").run()
    assert stub.calls == 3


@pytest.mark.usefixtures("stub")
def test_photos_stay_from_page_to_page_until_they_are_cleared(stub: Stub) -> None:
    page = photos(("a.png", png("red", "blue")), ("b.png", png("red", "green")))
    calls = stub.calls
    page.switch_page("pages/5_About.py").run()
    page.switch_page("pages/1_Photos.py").run()
    assert len(tiles(good(page))) == 2
    assert stub.calls == calls + 3  # the hard samples of About
    press(page, tiles(page)[1])
    press(page, "Remove photo")
    assert "**1 face** in 1 photo" in texts(page)
    press(page, "Clear all")
    assert (cards(page), downloads(page)) == (0, [])
    assert page.session_state["photos"] == []


@pytest.mark.usefixtures("stub")
def test_more_photos_than_there_is_room_for_are_refused_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [(f"{i}.png", png(f"#0000{i:02x}", "red")) for i in range(MAX_PICTURES + 2)]
    page = photos(*files)
    assert len(tiles(page)) == MAX_PICTURES
    assert cards(page) == 1  # only the open one is drawn
    assert page.warning[0].value.startswith("2 photos not added")
    monkeypatch.setattr(uploads, "MAX_SESSION_MB", 0)
    page = photos(*files[:1])
    assert page.warning[0].value.startswith("1 photo not added")


@pytest.mark.usefixtures("stub")
def test_several_photos_have_an_overview_and_all_can_be_downloaded() -> None:
    page = photos(("a.png", png("red", "blue")), ("b.png", png("red", "green")), ("c.png", png("white")))
    assert tiles(page) == [r"a\.png · 1 face", r"b\.png · 1 face", r"c\.png · no faces"]
    assert "**2 faces** in 3 photos" in texts(page)
    every = ["Download annotated photo", "All annotated photos (ZIP)", "Table (CSV)", "Data (JSON Lines)"]
    assert downloads(page) == every
    assert charts(page) == 0  # two faces are not enough
    assert downloads(photos(("a.png", png("red", "blue")))) == [every[0], *every[2:]]
    assert downloads(photos(("a.png", b"no picture"))) == []


@pytest.mark.usefixtures("stub")
def test_a_crowd_gets_tiles_a_chart_and_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Men and women alternating, older from left to right."""

    def says(face: Face) -> Estimate:
        place = round(face.box.left / 8)
        return replace(AGE, years=20.0 + 5 * place), Gender(0.9 if place % 2 else 0.2)

    crowd = Stub(*(Box(8 * i, 10, 8 * i + 7, 20) for i in range(9)), says=says)
    monkeypatch.setattr(loader, "build_analyzer", lambda *_: Analyzer(crowd, crowd))
    page = photos(("crowd.png", png("red", "blue")))
    assert (cards(page), charts(page)) == (9, 1)
    assert "<ul class='faces crowd'>" in html(page)
    page.selectbox(key="faces-sort").set_value("Oldest first").run()
    assert re.findall(r"Face (\d), cut out", html(page)) == [str(i) for i in range(9, 0, -1)]
    page.slider(key="faces-age").set_value((20, 40)).run()
    assert re.findall(r"Face (\d), cut out", html(page)) == ["5", "4", "3", "2", "1"]


@pytest.mark.usefixtures("stub")
def test_settings_stay_from_page_to_page() -> None:
    page = home()
    page.sidebar.selectbox[0].set_value("bundled").run()
    page.switch_page("pages/1_Photos.py").run()
    assert page.sidebar.selectbox[0].value == "bundled"
    page.sidebar.selectbox[1].set_value("levi-hassner").run()
    page.switch_page("app.py").run()
    assert [choice.value for choice in good(page).sidebar.selectbox] == ["bundled", "levi-hassner"]
    page.sidebar.slider(key="choose-smallest_px").set_value(30)
    page.sidebar.slider(key="choose-score").set_value(0.8)
    page.sidebar.toggle(key="choose-blur").set_value(True).run()
    page.switch_page("pages/1_Photos.py").run()
    sidebar = good(page).sidebar
    assert [slider.value for slider in sidebar.slider] == [0.8, 30]
    assert sidebar.toggle[0].value is True


@pytest.mark.parametrize(
    ("widget", "value", "faces"),
    [("choose-smallest_px", 50, 1), ("choose-smallest_px", 60, 0), ("choose-score", 0.95, 0)],
)
def test_what_is_shown_of_faces_changes_without_the_nets(
    stub: Stub, widget: str, value: float, faces: int
) -> None:
    page = photos(("a.png", png("red", "blue")))
    page.sidebar.slider(key=widget).set_value(value).run()
    page.sidebar.toggle(key="choose-blur").set_value(True).run()
    assert cards(good(page)) == faces
    assert any("hidden by your filters" in text for text in texts(page)) == (not faces)
    assert stub.calls == 2


@pytest.mark.usefixtures("stub")
def test_the_sidebar_says_what_a_model_costs() -> None:
    page = home()
    page.sidebar.selectbox[1].set_value("levi-hassner").run()
    told = page.sidebar.caption[1].value
    assert told.startswith("91.3 MB · downloads on first use · licence: none stated")


def test_a_model_that_cannot_be_had_is_told_and_the_bundled_one_takes_its_place(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(name: str) -> None:
        if name == "levi-hassner":
            raise ModelError("age_net.caffemodel: example.org could not be reached.")

    built: list[tuple[str, ...]] = []

    def build(*names: str) -> Analyzer:
        built.append(names)
        return Analyzer(stub, stub)

    monkeypatch.setattr(loader, "fetch_model", fetch)
    monkeypatch.setattr(loader, "build_analyzer", build)
    page = home()
    page.sidebar.selectbox[0].set_value("bundled")
    page.sidebar.selectbox[1].set_value("levi-hassner").run()
    assert built[1:] == [("bundled", "apparent")]  # the working choice stays
    assert "could not be reached" in good(page).warning[0].value
    assert cards(page) == 1


def test_where_nothing_works_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_: str) -> Analyzer:
        raise ModelError("apparent.onnx is damaged.")

    monkeypatch.setattr(loader, "build_analyzer", build)
    monkeypatch.setattr(loader, "fetch_model", lambda _: None)
    assert "damaged" in home().error[0].value


def test_the_second_choice_is_told_and_the_best_tried_again_later(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Analyzer(stub, stub, ("Faces are found otherwise, as it is: so.",))
    monkeypatch.setattr(loader, "build_analyzer", lambda *_: second)
    page = home()
    monkeypatch.setattr(loader, "build_analyzer", lambda *_: Analyzer(stub, stub))
    assert [note.label for note in page.run().expander] == ["Faces are found otherwise"]
    monkeypatch.setattr(loader, "RETRY_AFTER_S", 0.0)
    assert [note.label for note in page.run().expander] == []


@pytest.mark.usefixtures("stub")
def test_a_folder_can_be_chosen() -> None:
    page = photos()
    page.segmented_control[0].set_value("Folder").run()
    assert good(page).file_uploader[0].proto.accept_directory


def test_an_upload_is_held_once_however_often_the_page_runs() -> None:
    """Streamlit's own field returns another copy of every byte on each run."""

    def page() -> None:
        import streamlit as st

        from agegender.ui import uploads

        st.file_uploader("A file", key="file")
        st.session_state.setdefault("seen", []).extend(uploads.held("file"))

    app = AppTest.from_function(page).run()
    app.file_uploader[0].set_value(("a.png", b"many bytes" * 1000, "image/png")).run()
    app.run()
    first, second = app.session_state["seen"]
    assert first.name == "a.png"
    assert first.data == b"many bytes" * 1000
    assert first.data is second.data
