"""Blocks of which the first reading fails, on the machine that reads them."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kwartier import Home
from kwartier.adapters.store import Block
from kwartier.arrays import Rows


def _raise() -> None:
    raise RuntimeError("of the test")


def _kill_worker() -> None:
    """End the process that reads, at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_executor() -> None:
    """End the JVM above the process that reads, and all that it had summed."""
    above = os.getppid()
    while "java" not in Path(f"/proc/{above}/comm").read_text():
        above = int(Path(f"/proc/{above}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(above, signal.SIGKILL)


ACTS = {"raises": _raise, "worker killed": _kill_worker, "executor killed": _kill_executor}


@dataclass(frozen=True, eq=False)
class FailingOnce(Block):
    """A block of which the first reading fails; `mark` is there afterwards."""

    act: str = ""
    mark: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        of = (self.layer, self.row_group, self.hidden, self.only)
        return FailingOnce, (*of, self.act, self.mark)

    def read(self) -> Rows:
        try:
            os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return super().read()
        ACTS[self.act]()
        raise AssertionError("it did not fail")


def make_fail(patch: pytest.MonkeyPatch, act: str, mark: Path) -> None:
    """Make the last block of an area fail once."""
    reading = Home.blocks

    def blocks(self: Home, *asked: Any) -> list[Block]:
        found = reading(self, *asked)
        if not found or asked[-1] is not None:  # the driver itself looks around the day
            return found
        *others, last = found
        of = (last.layer, last.row_group, last.hidden, last.only)
        return [*others, FailingOnce(*of, act=act, mark=str(mark))]

    patch.setattr(Home, "blocks", blocks)
