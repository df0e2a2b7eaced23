"""Rows of the register, read lot by lot and put together as they come.

New memory costs more time than what is done with it. So the rows of a lot go to their place at
once, and what they were read into serves the next lot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier.arrays import Int32s, Int64s
from kwartier.steps.register.rows import Connection, Part, Party
from kwartier.validity import Axes

_T = TypeVar("_T")
_Words = TypeVar("_Words")

# Subject, first day, first day no more, record; four annual volumes; party and connection.
_AXES = (np.int64, np.int32, np.int32, np.int64)
_KINDS = (*_AXES, *[np.int64] * 4, np.int32, np.int32)


class Map(Protocol):
    """Calls a function with each of some things and gives what it gave, in their order."""

    def __call__(self, act: Callable[[Any], _T], of: Iterable[Any], /) -> Iterable[_T]:
        """Call it."""


class Lot(NamedTuple):
    """Rows of the register that are read by themselves: how many at most, and what reads them."""

    rows: int
    read: Callable[[], Part]


class _Placed(NamedTuple):
    """What is told of a lot whose rows are in their place; its indexes are still its own."""

    rows: int
    parties: Sequence[Party]
    connections: Sequence[Connection]
    holder: pa.Array | None


def together(lots: Sequence[Lot], mapped: Map) -> tuple[Part, Int64s | None]:
    """Read rows and put them together, in the order of their lots.

    mapped : goes through lots: map(), or that of a pool of threads.

    Returns
    -------
    rows, holder : all rows, without holders; the number of who holds each, below 0, the same for
        the same name; 0 where none is named; None where no row names one.
    """
    begins = np.cumsum([0, *(lot.rows for lot in lots)]).tolist()
    columns = [np.empty(begins[-1], kind) for kind in _KINDS]

    def place(n: int) -> _Placed:
        part = lots[n].read()
        rows = slice(begins[n], begins[n] + len(part.party))
        read = (*part.axes, *part.annual, part.party, part.connection)
        for column, values in zip(columns, read, strict=True):
            column[rows] = values
        return _Placed(len(part.party), part.parties, part.connections, part.holder)

    parties: dict[Party, int] = {}
    connections: dict[Connection, int] = {}
    placed, end = [], 0
    for begin, one in zip(begins, mapped(place, range(len(lots))), strict=False):
        rows = slice(end, end + one.rows)
        if begin > end:  # a lot before it had rows that were not known yet
            for column in columns:
                column[rows] = column[begin : begin + one.rows]
        *_, party, connection = columns
        party[rows] = _places(one.parties, parties)[party[rows]]
        connection[rows] = _places(one.connections, connections)[connection[rows]]
        end += one.rows
        placed.append(one)
    *of_rows, party, connection = (column[:end] for column in columns)
    axes, annual = Axes(*of_rows[: len(_AXES)]), tuple(of_rows[len(_AXES) :])
    every = Part(axes, party, connection, annual, list(parties), list(connections))
    return every, _numbered_holders(placed)


def _places(words: Sequence[_Words], all_words: dict[_Words, int]) -> Int32s:
    """Give the numbers that words have among the words of all lots."""
    return np.array([all_words.setdefault(word, len(all_words)) for word in words], np.int32)


def _numbered_holders(placed: Sequence[_Placed]) -> Int64s | None:
    if all(one.holder is None for one in placed):
        return None
    words = pa.dictionary(pa.int32(), pa.string())
    chunks = [
        (
            pa.nulls(one.rows, pa.string()).dictionary_encode()
            if one.holder is None
            else one.holder
        ).cast(words)
        for one in placed
    ]
    unified = pa.chunked_array(chunks, words).unify_dictionaries()
    codes = [pc.fill_null(chunk.indices, -1).to_numpy() for chunk in unified.chunks]
    return np.asarray(-1 - np.concatenate(codes).astype(np.int64))
