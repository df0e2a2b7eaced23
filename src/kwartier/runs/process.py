"""How a process is set up while it works on many threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

import pyarrow as pa

_TURN = 0.0005  # seconds
_COUNTING = Lock()
_AT_WORK: list[ExitStack] = []  # the first who came set it up, the last who goes sets it back


@contextmanager
def at_work() -> Iterator[None]:
    """Let threads take turns more often, and Arrow take its memory from the system.

    A thread that comes out of a kernel waits for its turn while another is in Python: by Python's
    own 5 ms, for which a block could be read. Arrow's own allocator gives back within milliseconds
    what the next block needs again.
    """
    with _COUNTING:
        _AT_WORK.append(ExitStack() if _AT_WORK else _set_up())
    try:
        yield
    finally:
        with _COUNTING:
            _AT_WORK.pop().close()


def _set_up() -> ExitStack:
    back = ExitStack()
    back.callback(sys.setswitchinterval, sys.getswitchinterval())
    back.callback(pa.set_memory_pool, pa.default_memory_pool())
    sys.setswitchinterval(_TURN)
    pa.set_memory_pool(pa.system_memory_pool())
    return back
