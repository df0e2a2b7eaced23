"""Stages of reading files that work beside each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")
_Made = TypeVar("_Made")


def ahead(source: Iterator[_T], most: int = 4) -> Generator[_T, None, None]:
    """Let a source work in a thread of its own, so many items ahead of who takes them.

    Items come in the same order, and what the source raises is raised where its item would come.
    """

    def one() -> list[_T]:
        return list(islice(source, 1))

    pool = ThreadPoolExecutor(1)
    try:
        waiting = deque(pool.submit(one) for _ in range(most))
        while item := waiting.popleft().result():
            waiting.append(pool.submit(one))
            yield from item
    finally:
        pool.shutdown(cancel_futures=True)


def in_turn(
    act: Callable[[_T], _Made], items: Iterator[_T], workers: int = 2
) -> Generator[_Made, None, None]:
    """Do something with items, several side by side, and give what is made in their order.

    What is raised, also by what gives the items, is raised where what it spoils would come.
    """
    pool = ThreadPoolExecutor(workers)
    try:
        for begun in ahead(pool.submit(act, item) for item in items):
            yield begun.result()
    finally:
        pool.shutdown(cancel_futures=True)
