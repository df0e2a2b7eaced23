"""The clock, and what every run names itself and its parameters by."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np

from kwartier import parameters, periods
from kwartier.adapters import store
from kwartier.adapters.ledger import LedgerError, Unreachable
from kwartier.adapters.store import Home, HomeError, registers
from kwartier.engines import cores
from kwartier.parameters import Parameters
from kwartier.steps.register import Lot, Register

if TYPE_CHECKING:
    from kwartier.adapters.ledger import Ledger

# Called with what is done and what there is to do, where that is known.
Progress = Callable[[int, int | None], None]


def silent(done: int, total: int | None) -> None:
    """Show nothing."""


def seconds(moment: datetime | None) -> int:
    """Give a moment [s UTC]; now when none is given."""
    if moment is None:
        return int(time.time())
    if not isinstance(moment, datetime):
        raise TypeError(f"expected a moment as a datetime, not {type(moment).__name__}")
    if moment.tzinfo is None:
        raise ValueError(
            "expected a moment with its time zone, as datetime(2026, 3, 30, 6, tzinfo=UTC)"
        )
    return int(moment.timestamp())


def day_of(moment: int) -> date:
    """Give the market day that a moment [s UTC] lies in."""
    return periods.day_of_number(periods.locate(np.array([moment], np.int64))[0][0])


def days_of(days: Sequence[date]) -> list[date]:
    """Give market days as they were asked for, and tell of what is no list of days."""
    if not isinstance(days, Iterable):
        raise TypeError(f"days: expected a list of dates, not one {type(days).__name__}")
    for day in days:
        # A datetime is a date to Python, and midnight of which clock it is nobody knows.
        if isinstance(day, datetime) or not isinstance(day, date):
            raise TypeError(f"days: expected a list of dates, not of {type(day).__name__}")
    return list(days)


def identity(content: object) -> str:
    """Name something by its content: the same content, the same name."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parameters_of(home: Home, day: date, known_at: int) -> Parameters:
    """Give the parameters that hold on a day, as known at a moment [s UTC].

    The home's own go before the market's.
    """
    text = home.own_parameters(known_at)
    own = None if text is None else parameters.parse(text, "the home's parameters")
    return parameters.load(day, own)


_LEDGERS: WeakKeyDictionary[Home, Ledger] = WeakKeyDictionary()
_ELSEWHERE = "KWARTIER_LEDGER"


def ledger_of(home: Home) -> Ledger:
    """Give the ledger of a home: a file in it, or the database that KWARTIER_LEDGER names.

    Raises
    ------
    HomeError : the home's ledger is in a database, and it is not named; or it is lost.
    LedgerError : the ledger cannot be opened.
    """
    if home not in _LEDGERS:
        with store.settling(home.root):
            _LEDGERS[home] = _open(home)
    return _LEDGERS[home]


def _open(home: Home) -> Ledger:
    from kwartier.adapters.ledger import Ledger  # its database library takes long to load

    url = os.environ.get(_ELSEWHERE)
    named = store.ledger_name(home.root, uuid4().hex)
    if named.elsewhere and url is None:
        raise HomeError(
            f"the runs of {home.root} are in a database; give its URL in the environment "
            f"variable {_ELSEWHERE}"
        )
    if url is not None and named.elsewhere is False:
        raise HomeError(
            f"the runs of {home.root} are in its own ledger.sqlite; unset the environment "
            f"variable {_ELSEWHERE}"
        )
    made = home.a_run()
    file = home.root.resolve() / "ledger.sqlite"
    if url is None:
        if made is not None and not file.exists():
            raise HomeError(f"{file} is missing, and the home needs it; put it back")
        for left in file.parent.glob(f"{file.name}-*.unfinished*"):  # of a killed process
            left.unlink()
    ledger = Ledger(url or f"sqlite:///{file}", named.name)
    if made is not None and not _knows(ledger, made):
        # An empty ledger would publish everything again.
        place = f"the database of {_ELSEWHERE}" if url else file
        raise HomeError(
            f"{home.root} holds the tables of run {made}, which {place} does not know; "
            "put back the ledger that it is of"
        )
    store.settle_ledger(home.root, named, elsewhere=url is not None)
    return ledger


def _knows(ledger: Ledger, run: str) -> bool:
    try:
        ledger.get(run)
    except Unreachable:
        raise
    except LedgerError:
        return False
    return True


def register_of(home: Home, grid_area: str, known_at: int) -> Register:
    """Give the register of a grid area as known at a moment [s UTC]."""
    pieces = registers.pieces(home, grid_area, known_at)
    lots = [Lot(piece.rows, partial(registers.part_of, piece, known_at)) for piece in pieces]
    with ThreadPoolExecutor(cores()) as pool:
        return Register(grid_area, lots, pool.map)
