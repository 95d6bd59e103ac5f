from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import PIL.Image
import pytest

from agegender.turns import Turns, pixels_of

PATIENCE_S = 20


class Person:
    """Somebody who asks for a turn in a thread of their own, and is told what comes."""

    def __init__(self, turns: Turns, pixels: int) -> None:
        self.told: list[int] = []
        self.has_turn, self.may_go, self._told = threading.Event(), threading.Event(), threading.Condition()
        self.leaves = False
        self.thread = threading.Thread(target=self._ask, args=(turns, pixels))
        self.thread.start()

    def _ask(self, turns: Turns, pixels: int) -> None:
        try:
            with turns.turn(pixels, self._tell):
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
def queue(turns: Turns, *pixels: int) -> Iterator[list[Person]]:
    """Give people who come one after the other, each once the one before has a turn or was told a place."""
    people: list[Person] = []
    for wanted in pixels:
        people.append(Person(turns, wanted))
        assert any(people[-1].has_turn.wait(0.01) or people[-1].told for _ in range(100 * PATIENCE_S))
    try:
        yield people
    finally:
        for person in people:
            person.may_go.set()
        for person in people:
            person.thread.join(PATIENCE_S)


def test_so_many_have_a_turn_and_the_others_are_told_their_place() -> None:
    with queue(Turns(2, 100), 1, 1, 1, 1) as people:
        assert [person.has_turn.is_set() for person in people] == [True, True, False, False]
        assert people[0].told == people[1].told == []
        assert people[2].is_told(2)
        assert people[3].is_told(3)
        people[1].goes()
        assert people[2].has_turn.wait(PATIENCE_S)
        assert people[2].told[-1] == 0, "told that the wait is over"
        assert people[3].is_told(2)
        assert not people[3].has_turn.is_set()


def test_pixels_count_too_and_nobody_overtakes() -> None:
    with queue(Turns(4, 100), 60, 60, 10) as people:
        assert people[1].is_told(1)
        assert people[2].is_told(2), "would fit, but came later"
        people[0].goes()
        assert people[1].has_turn.wait(PATIENCE_S)
        assert people[2].has_turn.wait(PATIENCE_S)


def test_more_than_all_pixels_goes_alone() -> None:
    with queue(Turns(4, 100), 10, 500, 10) as people:
        assert people[1].is_told(1)
        people[0].goes()
        assert people[1].has_turn.wait(PATIENCE_S)
        assert people[2].is_told(1)


def test_who_leaves_while_waiting_holds_nobody_up() -> None:
    with queue(Turns(1, 100), 1, 1, 1) as people:
        people[1].leaves = True
        people[1].thread.join(PATIENCE_S)
        assert not people[1].has_turn.is_set()
        assert people[2].is_told(1)
        people[0].goes()
        assert people[2].has_turn.wait(PATIENCE_S)


def test_a_turn_that_ends_in_an_error_is_given_back() -> None:
    turns = Turns(1, 100)
    with pytest.raises(ValueError, match="damaged"), turns.turn(1):
        raise ValueError("damaged")
    with queue(turns, 1) as people:
        assert people[0].has_turn.is_set()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "HEIF"])
def test_pixels_are_known_from_the_head_of_a_file(kind: str) -> None:
    file = BytesIO()
    pixels_of(b"")  # which teaches Pillow to write HEIF too
    PIL.Image.new("RGB", (320, 200), "white").save(file, kind)
    assert pixels_of(file.getvalue()) == 320 * 200


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_has_no_pixels(data: bytes) -> None:
    assert pixels_of(data) == 0
