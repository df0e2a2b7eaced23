"""Stages that work beside each other give what they would give one after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Event, active_count

import pyarrow as pa
import pytest

from kwartier.adapters.files.stages import ahead, in_turn
from kwartier.runs.process import at_work


@pytest.mark.parametrize("most", [1, 4])
def test_items_come_in_their_order(most: int) -> None:
    assert list(ahead(iter(range(50)), most)) == list(range(50))
    assert list(ahead(iter(()), most)) == []


def test_what_the_source_raises_comes_where_its_item_would() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise RuntimeError("here")

    items = ahead(broken())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(RuntimeError, match="here"):
        next(items)


def test_no_more_is_taken_than_was_allowed_ahead() -> None:
    begun: list[int] = []

    def counted() -> Iterator[int]:
        for item in range(1_000):
            begun.append(item)
            yield item

    items = ahead(counted(), 3)
    assert next(items) == 0
    items.close()
    assert len(begun) <= 4


def test_what_is_made_side_by_side_comes_in_the_order_of_the_items() -> None:
    first_waits = Event()

    def doubled(item: int) -> int:
        if item == 0:
            assert first_waits.wait(60)  # until the next one is done
        if item == 1:
            first_waits.set()
        return 2 * item

    assert list(in_turn(doubled, iter(range(50)))) == [2 * item for item in range(50)]


def test_what_an_item_or_its_source_raises_comes_in_its_turn() -> None:
    def half(item: int) -> float:
        return 1 / item

    def broken() -> Iterator[int]:
        yield from (1, 2)
        raise RuntimeError("here")

    made = in_turn(half, iter([1, 2, 0, 4]))
    assert [next(made), next(made)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(made)
    made = in_turn(half, broken())
    assert [next(made), next(made)] == [1, 0.5]
    with pytest.raises(RuntimeError, match="here"):
        next(made)


def test_who_stops_in_the_middle_leaves_no_thread_behind() -> None:
    before = active_count()
    made = in_turn(str, iter(range(1_000_000)))
    assert next(made) == "0"
    made.close()
    assert active_count() == before


def test_the_process_is_as_it_was_when_the_last_has_done_its_work() -> None:
    def now() -> tuple[float, str]:
        return sys.getswitchinterval(), pa.default_memory_pool().backend_name

    before = now()
    first, second = at_work(), at_work()
    first.__enter__()
    at = now()
    assert at != before
    second.__enter__()
    first.__exit__(None, None, None)
    assert now() == at
    second.__exit__(None, None, None)
    assert now() == before

    def failing() -> None:
        assert now() == at
        raise RuntimeError

    with pytest.raises(RuntimeError), at_work():
        failing()
    assert now() == before
