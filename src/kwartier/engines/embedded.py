"""The engine inside one process: stretches of blocks mapped over threads.

Kernels and Parquet decoding release the GIL. Memory is bounded by the blocks in flight, one per
thread, not by the day. Whole numbers are summed, so no result depends on threads or order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
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


class Workers:
    """Threads that send stretches through the way, for one area after another.

    threads : how many; the cores of the machine when not given.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._count = threads or cores()
        self._pool = ThreadPoolExecutor(self._count)

    def all_do(self, work: Callable[[], None]) -> None:
        """Let each of them do some work, once it has done what it was asked before, and wait.

        What one of them raises is raised when none works on it any more.
        """
        begun = [self._pool.submit(work) for _ in range(self._count)]
        for one in begun:  # unlike wait() these are told of what is let go of
            with suppress(CancelledError):
                one.exception()
        for one in begun:
            one.result()

    def close(self) -> None:
        """Let go of what was not begun; who waits for it is told so by CancelledError."""
        self._pool.shutdown(cancel_futures=True)


def reduce(
    stretches: Iterable[_S],
    day: pipeline.Day,
    *,
    kept: Kept[_S],
    workers: Workers,
    on_block: Callable[[int], None] | None = None,
) -> pipeline.Partial:
    """Send stretches of blocks through pipeline.wide() and sum what comes out.

    Parameters
    ----------
    kept : what need not be computed.
    workers : the threads that work side by side. Those that find no stretch any more are free for
        who asks next.
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

    workers.all_do(work)
    return total
