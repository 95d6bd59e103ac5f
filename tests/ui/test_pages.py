"""The pages without a browser: what they show, and that they go on when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import PIL.Image
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from stubs import ON_THE_LEFT, Stub, has_colours

from agegender.analyzer import Analyzer
from agegender.errors import ModelError
from agegender.text import escape
from agegender.types import Box, Face
from agegender.ui import loader
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
    """Return the page Photos, after an upload of these files if there are any."""
    page = good(home().switch_page("pages/1_Photos.py").run())
    if files:
        page.file_uploader[0].set_value([(name, data, "image/png") for name, data in files]).run()
    return good(page)


def good(page: AppTest) -> AppTest:
    assert [exception.value for exception in page.exception] == []
    return page


def texts(page: AppTest) -> list[str]:
    """Return all that a page shows as Markdown."""
    shown = [*page.markdown, *page.caption, *page.error, *page.warning, *page.info]
    return [element.value for element in shown]


def cards(page: AppTest) -> int:
    """Return how many faces have a card: each tells one gender."""
    return sum(bool(re.fullmatch(r"\*\*(Female|Male) \d\d %\*\*", text)) for text in texts(page))


def charts(page: AppTest) -> int:
    return len(page.get("arrow_vega_lite_chart")) + len(page.get("vega_lite_chart"))


def downloads(page: AppTest) -> list[str]:
    return [button.proto.label for button in page.get("download_button")]


def png(*colours: str) -> bytes:
    picture = PIL.Image.new("RGB", (80, 80), colours[0])
    for place, colour in enumerate(colours):
        picture.paste(colour, (0, place, 1, place + 1))
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_home_shows_what_it_does_on_a_sample() -> None:
    page = home()
    assert (cards(page), charts(page)) == (1, 1)
    assert any("years" in text for text in texts(page))


@pytest.mark.parametrize("name", ["Grace Hopper", "Eileen Collins"])
def test_a_sample_shows_its_face_with_a_card(name: str) -> None:
    page = photos()
    page.segmented_control[0].set_value("Samples").run()
    page.radio[0].set_value(name).run()
    assert cards(good(page)) == 1
    assert "**1 face** in 1 picture" in texts(page)
    assert charts(page) == 1  # there is nothing to sum up


def test_a_card_says_what_was_read(stub: Stub) -> None:
    page = photos(("face.png", png("red", "blue")))
    assert {"**Female 97 %**", "**25–32 years**", "around 29, from 22 to 37"} <= set(texts(page))
    assert cards(page) == 1
    assert stub.calls == 2  # for home's sample and for this


def test_a_card_says_why_a_face_is_read_less_surely(stub: Stub) -> None:
    stub.faces = (Face(Box(10, 10, 26, 26), 0.9),)
    told = r":material/warning: The face is small and blurred\. Trust this less."
    assert told in texts(photos(("face.png", png("red", "blue"))))


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
    results = ["a.jpg · 1 face", *(f"{name} · cannot be read" for name in ("b.png", "c.png", "d.jpg"))]
    assert [result.label for result in page.expander] == list(map(escape, results))
    assert len(page.error) == 3 and "not a picture" in page.error[0].value
    assert "empty" in page.error[1].value
    assert cards(page) == 1
    page = photos(("b.png", b"no picture"), ("a.jpg", SAMPLE))
    assert (len(page.error), cards(page)) == (1, 1)


@pytest.mark.usefixtures("stub")
def test_where_no_face_is_it_says_so_and_what_helps() -> None:
    page = photos(("plain.png", png("white")))
    assert page.info[0].value.startswith("No face was found. It helps")
    assert "**no faces** in 1 picture" in texts(page)


@pytest.mark.usefixtures("stub")
def test_a_hostile_name_is_shown_as_it_is_and_never_interpreted() -> None:
    page = photos((HOSTILE, png("red", "blue")), (HOSTILE, b"no picture"))
    escaped = escape(HOSTILE)
    assert [result.label for result in page.expander] == [
        f"{escaped} · 1 face",
        f"{escaped} · cannot be read",
    ]
    assert not any("onerror" in text for text in texts(page))
    assert escape(HOSTILE).startswith(r"\<img src\=x onerror\=alert\(1\)\> \*\*b\*\* \[a\]\(javascript\:")


def test_an_upload_is_not_analysed_twice_while_the_settings_stay(stub: Stub) -> None:
    page = photos(("a.png", png("red", "blue")), ("b.png", png("red", "green")))
    assert stub.calls == 3
    page.run()
    page.segmented_control[0].set_value("Samples").run()
    page.segmented_control[0].set_value("Upload").run()
    assert stub.calls == 4  # the other sample


@pytest.mark.usefixtures("stub")
def test_too_many_pictures_are_said_and_the_first_ones_analysed() -> None:
    files = [(f"{i}.png", png(f"#0000{i:02x}", "red")) for i in range(MAX_PICTURES + 2)]
    page = photos(*files)
    assert cards(page) == MAX_PICTURES
    assert not any(result.proto.expanded for result in page.expander)
    assert str(MAX_PICTURES) in page.warning[0].value


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
    assert any("left out" in text for text in texts(page)) == (not faces)
    assert stub.calls == 2


@pytest.mark.usefixtures("stub")
def test_the_sidebar_says_what_a_model_costs() -> None:
    page = home()
    page.sidebar.selectbox[1].set_value("levi-hassner").run()
    told = page.sidebar.caption[1].value
    assert told.startswith("91.3 MB · is fetched when first used · licence: none stated")


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
    assert built[1:] == [("bundled", "apparent")]  # the choice that works stays
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
    second = Analyzer(stub, stub, ("Faces are found otherwise.",))
    monkeypatch.setattr(loader, "build_analyzer", lambda *_: second)
    page = home()
    monkeypatch.setattr(loader, "build_analyzer", lambda *_: Analyzer(stub, stub))
    assert [note.value for note in page.run().info] == [r"Faces are found otherwise\."]
    monkeypatch.setattr(loader, "RETRY_AFTER_S", 0.0)
    assert [note.value for note in page.run().info] == []


@pytest.mark.usefixtures("stub")
def test_several_faces_are_summed_up_and_all_can_be_downloaded() -> None:
    page = photos(("a.png", png("red", "blue")), ("b.png", png("red", "green")), ("c.png", png("white")))
    assert "Female · 2" in texts(page)
    assert charts(page) == 3
    assert all(result.proto.expanded for result in page.expander)
    every = ["All with frames (ZIP)", "Table (CSV)", "Data (JSON)"]
    assert downloads(page) == [*every, "Download with frames", "Download with frames"]
    assert downloads(photos(("a.png", png("red", "blue"))))[:2] == every[1:]
    assert downloads(photos(("a.png", b"no picture"))) == []


@pytest.mark.usefixtures("stub")
def test_a_folder_can_be_chosen() -> None:
    page = photos()
    page.segmented_control[0].set_value("Folder").run()
    assert good(page).file_uploader[0].proto.accept_directory


def test_an_upload_is_held_once_however_often_the_page_runs() -> None:
    """Streamlit's own field returns another copy of every byte in each run."""

    def page() -> None:
        import streamlit as st

        from agegender.ui import uploads

        st.session_state.setdefault("seen", []).extend(
            uploads.uploads("A file", ["png"], key="file", max_mb=1)
        )

    app = AppTest.from_function(page).run()
    app.file_uploader[0].set_value(("a.png", b"many bytes" * 1000, "image/png")).run()
    app.run()
    first, second = app.session_state["seen"]
    assert first.name == "a.png"
    assert first.data == b"many bytes" * 1000
    assert first.data is second.data
