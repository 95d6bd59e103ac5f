"""The batch survives whatever dies: nothing is lost, nothing twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agegender.batch.parts import Results, rows_of
from agegender.batch.pools import Lost
from agegender.batch.run import KILLED, Counts, Run, unfinished
from agegender.batch.sources import Item
from agegender.batch.work import Models, Row, error_row
from agegender.errors import BatchError

MODELS = Models("yunet", "apparent")


def item(number: int, modified_s: float = 0.0) -> Item:
    return Item(f"/pictures/{number}.jpg", 1000 + number, modified_s)


class FakePool:
    """A pool of one that reads everything but what kills it, and dies now and then without a reason."""

    slots = 2

    def __init__(self, killers: Collection[int] = (), deaths: Collection[int] = ()) -> None:
        self.killers = {item(number).path for number in killers}
        self.deaths = set(deaths)
        self.tasks: list[Sequence[Item]] = []

    def submit(self, items: Sequence[Item]) -> int:
        self.tasks.append(items)
        return len(self.tasks) - 1

    def first_done(self, futures: Collection[int]) -> list[int]:
        return [min(futures)]

    def rows(self, future: int) -> list[Row]:
        items = self.tasks[future]
        if future in self.deaths or any(each.path in self.killers for each in items):
            raise Lost
        return [{**error_row(each, MODELS, ""), "error": None} for each in items]

    def __enter__(self) -> FakePool:
        return self

    def __exit__(self, *_: object) -> None: ...


def table(folder: Path) -> dict[str, str | None]:
    """What the parts say of each picture; fails where one is there twice."""
    rows = [row for part in Results(folder).parts() for row in rows_of(part)]
    paths = [str(row["path"]) for row in rows]
    assert len(paths) == len(set(paths))
    return {str(row["path"]): row["error"] for row in rows}  # type: ignore[misc]


@given(st.sets(st.integers(0, 99), max_size=4), st.sets(st.integers(0, 30), max_size=6))
def test_every_picture_is_in_the_parts_once_and_what_kills_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, killers: set[int], deaths: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("results")
    items = [item(number) for number in range(100)]
    Run(Results(folder, parquet=False), FakePool(killers), MODELS, part_size=30)(items)
    expected = {each.path: None for each in items} | {item(number).path: KILLED for number in killers}
    assert table(folder) == expected
    other = tmp_path_factory.mktemp("results")
    Run(Results(other, parquet=False), FakePool(deaths=deaths), MODELS, part_size=30)(items)
    lone = {path for path, error in table(other).items() if error}
    assert len(table(other)) == 100
    assert len(lone) <= len(deaths) // 2  # it takes two deaths with the same picture alone


def test_parts_hold_what_was_asked_for(tmp_path: Path) -> None:
    results = Results(tmp_path)
    Run(results, FakePool(), MODELS, part_size=30)(item(number) for number in range(100))
    sizes = [len(list(rows_of(part))) for part in results.parts()]
    assert sum(sizes) == 100
    assert all(30 <= size < 60 for size in sizes[:-1])
    assert not list(tmp_path.glob("_unfinished*"))


def test_stopping_writes_what_was_running_and_the_same_goes_on(tmp_path: Path) -> None:
    items = [item(number) for number in range(100)]
    first = Run(Results(tmp_path), FakePool(), MODELS, part_size=50)
    first.tell = lambda counts: counts.pictures >= 20 and first.stop()  # type: ignore[func-returns-value]
    done = first(items).pictures
    assert 20 <= done < 100
    assert len(table(tmp_path)) == done
    rest, total = unfinished(items, Results(tmp_path))
    assert (len(rest), total) == (100 - done, 100)
    assert Run(Results(tmp_path), FakePool(), MODELS, part_size=7)(rest) == Counts(100 - done)
    assert len(table(tmp_path)) == 100


@pytest.mark.parametrize("parquet", [True, False])
def test_a_changed_picture_is_read_again_and_its_old_rows_go(tmp_path: Path, parquet: bool) -> None:
    if parquet:
        pytest.importorskip("pyarrow")
    items = [item(number) for number in range(10)]
    Run(Results(tmp_path, parquet=parquet), FakePool(), MODELS)(items)
    items[3] = item(3, modified_s=5.0)
    rest, _ = unfinished(items, Results(tmp_path))
    assert rest == [items[3]]
    Run(Results(tmp_path), FakePool(), MODELS)(rest)
    assert len(table(tmp_path)) == 10
    assert unfinished(items, Results(tmp_path)) == ([], 10)


def test_errors_are_tried_again_when_asked_for(tmp_path: Path) -> None:
    items = [item(number) for number in range(10)]
    Run(Results(tmp_path), FakePool(killers=[4]), MODELS)(items)
    assert unfinished(items, Results(tmp_path)) == ([], 10)
    rest, _ = unfinished(items, Results(tmp_path), retry_errors=True)
    assert rest == [items[4]]
    Run(Results(tmp_path), FakePool(), MODELS)(rest)
    assert set(table(tmp_path).values()) == {None}


def test_parquet_and_json_lines_say_the_same(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    items = [item(number) for number in range(5)]
    for parquet in (True, False):
        Run(Results(tmp_path / str(parquet), parquet=parquet), FakePool([2]), MODELS)(items)
    found = [
        [row for part in Results(tmp_path / str(parquet)).parts() for row in rows_of(part)]
        for parquet in (True, False)
    ]
    assert sorted(map(repr, found[0])) == sorted(map(repr, found[1]))


def test_a_run_that_was_killed_leaves_nothing_to_trip_over(tmp_path: Path) -> None:
    (tmp_path / "_unfinished-1-part-000000.parquet").write_bytes(b"half")
    results = Results(tmp_path)
    assert not list(tmp_path.iterdir())
    Run(results, FakePool(), MODELS)([item(1)])
    assert list(table(tmp_path)) == [item(1).path]


def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BatchError, match="cannot be written"):
        Results(tmp_path / "file")
