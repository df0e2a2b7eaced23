"""Stages of taking in that work beside each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_END = object()


def ahead(source: Iterator[_T], most: int = 4) -> Iterator[_T]:
    """Let a source work in a thread of its own, so many items ahead of who takes them.

    Items come in the same order, and what the source raises is raised where its item would come.
    """
    pool = ThreadPoolExecutor(1)
    try:
        waiting = deque(pool.submit(next, source, _END) for _ in range(most))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, source, _END))
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(cancel_futures=True)
