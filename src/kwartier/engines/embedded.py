"""The engine inside one process: stretches of blocks mapped over threads.

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
from kwartier.engines import Stretch, cores

_S = TypeVar("_S", bound=Stretch)
_Asked = TypeVar("_Asked", bound=Stretch, contravariant=True)


class Kept(Protocol[_Asked]):
    """What stretches added up to before, where it still holds."""

    def get(self, stretch: _Asked, part: pipeline.Day) -> pipeline.Partial | None:
        """Give what a stretch, of the points of a part, adds up to; None: compute it."""

    def put(self, stretch: _Asked, part: pipeline.Day, partial: pipeline.Partial) -> None:
        """Keep what a stretch adds up to."""


def reduce(
    stretches: Iterable[_S],
    day: pipeline.Day,
    *,
    kept: Kept[_S],
    threads: int | None = None,
    on_block: Callable[[int], None] | None = None,
) -> pipeline.Partial:
    """Send stretches of blocks through pipeline.wide() and sum what comes out.

    Parameters
    ----------
    kept : what need not be computed.
    threads : how many work side by side; the cores of the machine when not given.
    on_block : called with how many blocks are done since it was called last, to show progress.
    """
    queue: Iterator[_S] = iter(stretches)
    taking, adding = Lock(), Lock()
    total = pipeline.Partial.nothing(day)

    def read(stretch: _S) -> Iterator[Rows]:
        for block in stretch.blocks:
            yield block.read()
            if on_block:
                on_block(1)

    def work() -> None:
        while True:
            with taking:
                stretch = next(queue, None)
            if stretch is None:
                return
            part, start = day.between(*stretch.range())
            own = kept.get(stretch, part)
            if own is None:
                own = pipeline.Partial.nothing(part)
                pipeline.wide(read(stretch), part, own)
                kept.put(stretch, part, own)
            elif on_block:
                on_block(len(stretch.blocks))
            with adding:
                total.add(own, start)

    workers = threads or cores()
    if workers == 1:
        work()
        return total
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work) for _ in range(workers)]:
            done.result()
    return total
