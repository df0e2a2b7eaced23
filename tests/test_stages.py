"""Stages that work beside each other give what they would give one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kwartier.runs.stages import ahead


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
