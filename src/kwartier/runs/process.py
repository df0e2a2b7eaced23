"""How a process is set up while it works on many threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

_TURN = 0.0005  # seconds


@contextmanager
def at_work() -> Iterator[None]:
    """Let threads take turns more often, and Arrow take its memory from the system.

    A thread that comes out of a kernel waits for its turn while another is in Python: by Python's
    own 5 ms, for which a block could be read. Arrow's own allocator gives back within milliseconds
    what the next block needs again.
    """
    turn, pool = sys.getswitchinterval(), pa.default_memory_pool()
    sys.setswitchinterval(_TURN)
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        sys.setswitchinterval(turn)
