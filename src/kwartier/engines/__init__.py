"""Where wide() runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from kwartier.arrays import Rows


class Block(Protocol):
    """A reference to a batch of whole points, read where it is needed."""

    def read(self) -> Rows:
        """Read the rows."""


class Stretch(Protocol):
    """Blocks whose points follow each other: what an engine takes as one."""

    @property
    def blocks(self) -> Sequence[Block]:
        """The blocks, in order."""

    def range(self) -> tuple[int, int]:
        """The numbers of the lowest and the highest point."""


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
