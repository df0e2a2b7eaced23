"""How a loop is compiled: once per machine, and outside the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from kwartier.arrays import Int64s

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def compiled(kernel: _Kernel) -> _Kernel:
    """Compile a loop for the arrays that it is called with."""
    return cast(_Kernel, numba.njit(nogil=True, cache=True)(kernel))


@compiled
def with_room(found: Int64s, made: int) -> Any:
    """Give the rows that were made room for one more."""
    if made < found.shape[0]:
        return found
    wider = np.empty((2 * made + 16, found.shape[1]), np.int64)
    wider[:made] = found
    return wider


@compiled
def run_of(found: Int64s, made: int, row: int, first: int, last: int, observed: Any) -> Any:
    """Write a run of marked columns as the row that is made next."""
    found = with_room(found, made)
    found[made, 0] = row
    found[made, 1] = first
    found[made, 2] = last
    found[made, 3] = observed
    return found


def load() -> None:
    """Load what all kernels need, which takes longer than to load any of them."""
    with_room(np.empty((1, 1), np.int64), 0)
