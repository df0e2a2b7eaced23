"""Stages of taking in that work beside each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")


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
