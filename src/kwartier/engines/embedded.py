"""The engine inside one process: blocks mapped over threads, partials summed per thread.

Kernels and Parquet decoding release the GIL. Memory is bounded by the blocks in flight, one per
thread, not by the day. Whole numbers are summed, so no result depends on threads or order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Protocol, TypeVar

from kwartier import pipeline
from kwartier.arrays import Rows
from kwartier.engines import cores


class Block(Protocol):
    """A reference to a batch of whole points, read where it is needed."""

    def read(self) -> Rows:
        """Read the rows."""


_B = TypeVar("_B", bound=Block)
_Asked = TypeVar("_Asked", bound=Block, contravariant=True)


class Kept(Protocol[_Asked]):
    """What blocks added up to before, where it still holds."""

    def get(self, block: _Asked) -> pipeline.Partial | None:
        """Give what a block adds up to; None where it must be computed."""

    def put(self, block: _Asked, partial: pipeline.Partial) -> None:
        """Keep what a block adds up to."""


def reduce(
    blocks: Iterable[_B],
    day: pipeline.Day,
    *,
    kept: Kept[_B],
    threads: int | None = None,
    on_block: Callable[[], None] | None = None,
) -> pipeline.Partial:
    """Send blocks through pipeline.wide() and sum what comes out.

    Parameters
    ----------
    kept : what need not be computed.
    threads : how many work side by side; the cores of the machine when not given.
    on_block : called after each block, to show progress.
    """
    queue: Iterator[_B] = iter(blocks)
    lock = Lock()

    def work() -> pipeline.Partial:
        partial = pipeline.Partial.nothing(day)
        while True:
            with lock:
                block = next(queue, None)
            if block is None:
                return partial
            own = kept.get(block)
            if own is None:
                own = pipeline.Partial.nothing(day)
                pipeline.wide(block.read(), day, own)
                kept.put(block, own)
            partial.add(own)
            if on_block:
                on_block()

    workers = threads or cores()
    total = pipeline.Partial.nothing(day)
    if workers == 1:
        total.add(work())
        return total
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work) for _ in range(workers)]:
            total.add(done.result())
    return total
