from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import PIL.Image
import pytest
from browsing import ROOT
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from agegender.budget import AdmissionQueue, Budget, Tell
from agegender.imaging.io import pixels_of
from agegender.ui import previews

SAMPLE = ROOT / "samples" / "grace_hopper.jpg"

PATIENCE_S = 20


class Person:
    """Somebody who asks for a turn in a separate thread, and records what they are told."""

    def __init__(self, turns: AdmissionQueue, memory_mb: float) -> None:
        self.told: list[int] = []
        self.has_turn, self.may_go, self._told = threading.Event(), threading.Event(), threading.Condition()
        self.leaves = False
        self.thread = threading.Thread(target=self._ask, args=(turns, memory_mb))
        self.thread.start()

    def _ask(self, turns: AdmissionQueue, memory_mb: float) -> None:
        try:
            with turns.turn(memory_mb, self._tell):
                self.has_turn.set()
                assert self.may_go.wait(PATIENCE_S)
        except KeyboardInterrupt:
            return

    def _tell(self, before: int) -> None:
        with self._told:
            self.told.append(before)
            self._told.notify_all()
        if self.leaves:
            raise KeyboardInterrupt

    def is_told(self, before: int) -> bool:
        with self._told:
            return self._told.wait_for(lambda: self.told[-1:] == [before], PATIENCE_S)

    def goes(self) -> None:
        self.may_go.set()
        self.thread.join(PATIENCE_S)


@contextmanager
def queue(*wanted: tuple[AdmissionQueue, float]) -> Iterator[list[Person]]:
    """Start people one after another, each once the one before has a turn or was told a place."""
    people: list[Person] = []
    for turns, memory_mb in wanted:
        people.append(Person(turns, memory_mb))
        assert any(people[-1].has_turn.wait(0.01) or people[-1].told for _ in range(100 * PATIENCE_S))
    try:
        yield people
    finally:
        for person in people:
            person.may_go.set()
        for person in people:
            person.thread.join(PATIENCE_S)


def of(at_once: int, *wanted: float) -> list[tuple[AdmissionQueue, float]]:
    """Requests of these MB to one queue with 100 MB."""
    turns = AdmissionQueue(at_once, Budget(100))
    return [(turns, memory_mb) for memory_mb in wanted]


def test_so_many_have_a_turn_and_the_others_are_told_their_place() -> None:
    with queue(*of(2, 1, 1, 1, 1)) as people:
        assert [person.has_turn.is_set() for person in people] == [True, True, False, False]
        assert people[0].told == people[1].told == []
        assert people[2].is_told(2)
        assert people[3].is_told(3)
        people[1].goes()
        assert people[2].has_turn.wait(PATIENCE_S)
        assert people[2].told[-1] == 0, "told that the wait is over"
        assert people[3].is_told(2)
        assert not people[3].has_turn.is_set()


def test_memory_counts_too_and_nobody_overtakes() -> None:
    with queue(*of(4, 60, 60, 10)) as people:
        assert people[1].is_told(1)
        assert people[2].is_told(2), "would fit, but came later"
        people[0].goes()
        assert people[1].has_turn.wait(PATIENCE_S)
        assert people[2].has_turn.wait(PATIENCE_S)


def test_more_than_all_memory_goes_alone() -> None:
    with queue(*of(4, 10, 500, 10)) as people:
        assert people[1].is_told(1)
        people[0].goes()
        assert people[1].has_turn.wait(PATIENCE_S)
        assert people[2].is_told(1)


def test_who_leaves_while_waiting_holds_nobody_up() -> None:
    with queue(*of(1, 1, 1, 1)) as people:
        people[1].leaves = True
        people[1].thread.join(PATIENCE_S)
        assert not people[1].has_turn.is_set()
        assert people[2].is_told(1)
        people[0].goes()
        assert people[2].has_turn.wait(PATIENCE_S)


def test_a_turn_that_ends_in_an_error_is_given_back() -> None:
    one_at_a_time = AdmissionQueue(1, Budget(100))
    with pytest.raises(ValueError, match="damaged"), one_at_a_time.turn(1):
        raise ValueError("damaged")
    with queue((one_at_a_time, 1)) as people:
        assert people[0].has_turn.is_set()


def test_queues_share_a_budget_and_do_not_wait_for_each_others_turns() -> None:
    budget = Budget(100)
    pictures, videos = AdmissionQueue(2, budget), AdmissionQueue(1, budget)
    with queue((videos, 60), (videos, 60), (pictures, 30), (pictures, 30)) as people:
        assert people[1].is_told(1)
        assert people[2].has_turn.is_set(), "though a video came before, it has nothing to wait for"
        assert people[3].is_told(1), "30 more would be too much"
        people[0].goes()
        assert people[1].has_turn.wait(PATIENCE_S)
        people[2].goes()
        assert people[3].has_turn.wait(PATIENCE_S)


def test_what_comes_later_does_not_eat_up_the_memory_that_somebody_waits_for() -> None:
    budget = Budget(100)
    pictures, videos = AdmissionQueue(9, budget), AdmissionQueue(1, budget)
    with queue((pictures, 50), (videos, 60), (pictures, 30)) as people:
        assert people[1].is_told(1)
        assert people[2].is_told(1)
        people[0].goes()
        assert people[1].has_turn.wait(PATIENCE_S)
        assert people[2].has_turn.wait(PATIENCE_S)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "HEIF"])
def test_pixels_are_known_from_the_head_of_a_file(kind: str) -> None:
    file = BytesIO()
    pixels_of(b"")  # which teaches Pillow to write HEIF too
    PIL.Image.new("RGB", (320, 200), "white").save(file, kind)
    assert pixels_of(file.getvalue()) == 320 * 200


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_has_no_pixels(data: bytes) -> None:
    assert pixels_of(data) == 0


def test_the_page_tells_who_waits_how_many_are_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(AdmissionQueue):
        @contextmanager
        def turn(self, memory_mb: float, tell: Tell | None = None) -> Iterator[None]:
            with PIL.Image.open(SAMPLE) as picture:
                assert memory_mb > 7 * picture.width * picture.height / 2**20
            assert tell is not None
            for before in (2, 1, 0):
                tell(before)
            yield

    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    page = page.switch_page("pages/1_Photos.py").run()
    said: list[str] = []
    progress = DeltaGenerator.progress

    def listen(place: DeltaGenerator, value: float, text: str) -> DeltaGenerator:
        said.append(text)
        return progress(place, value, text)

    monkeypatch.setattr(previews, "PICTURES", Busy(1, Budget(1)))
    monkeypatch.setattr(DeltaGenerator, "progress", listen)
    page.file_uploader[0].set_value([("a.jpg", SAMPLE.read_bytes(), "image/jpeg")]).run()
    assert not page.exception
    photo = "photo 1 of 1, a\\.jpg"
    assert said == [
        f"Analysing: {photo}",
        f"2 people are ahead of you. Next: {photo}",
        f"1 person is ahead of you. Next: {photo}",
        f"Analysing: {photo}",
    ]
