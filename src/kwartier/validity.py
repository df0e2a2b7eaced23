"""Rows with two time axes: the days on which they hold, and the moment at which they became known.

Source: domain §4; decisions §2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Int64s = npt.NDArray[np.int64]

_OPEN = np.int64(np.iinfo(np.int64).max)


def numbers(column: pa.ChunkedArray, missing: int) -> Int64s:
    """Give a column of numbers, days or moments as whole numbers, `missing` where null."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    filled = pc.fill_null(column.cast(pa.int64()), missing)
    return np.asarray(filled.to_numpy(), np.int64)


def taken(rows: pa.Table, index: Int64s) -> pa.Table:
    """Take rows; all of them in their order are taken without a copy."""
    if len(index) == rows.num_rows and (index == np.arange(len(index))).all():
        return rows
    return rows.take(pa.array(index))


class Holding(NamedTuple):
    """The row that counts for each subject on a day.

    `row` is its index, `times` how many rows recorded together with it hold the day; `gone` the
    subjects with rows before and after the day and none that holds it.
    """

    row: Int64s
    times: Int64s
    gone: Int64s


class History:
    """The rows of a register as known at a moment.

    Parameters
    ----------
    rows : a table with valid_from, valid_to and recorded_at, in any order.
    key : the column of whole numbers that names what a row is about, its subject.
    known_at : moment [s UTC]; rows recorded later do not exist yet.

    Attributes
    ----------
    rows : the rows that were not replaced, by subject, start and record.
    subject : of each of them.
    until : the moment at which the last of the rows became known [s UTC].
    """

    def __init__(self, rows: pa.Table, key: str, known_at: int) -> None:
        recorded = numbers(rows["recorded_at"], 0)
        known = recorded <= known_at
        if not known.all():
            rows, recorded = rows.filter(pa.array(known)), recorded[known]
        subject = numbers(rows[key], 0)
        starts = numbers(rows["valid_from"], 0)
        order = np.lexsort((recorded, starts, subject))
        # A later record of the same subject and start replaces the earlier one; rows recorded
        # together stay, and show as an overlap.
        subject, starts, recorded = subject[order], starts[order], recorded[order]
        first = np.ones(len(order), bool)
        first[1:] = (subject[1:] != subject[:-1]) | (starts[1:] != starts[:-1])
        group = np.cumsum(first) - 1
        newest = recorded[np.nonzero(np.append(first[1:], True)[: len(order)])[0]]
        replaced = recorded < newest[group]
        self.rows = taken(rows, order[~replaced])
        self.subject = subject[~replaced]
        self.until = int(recorded.max(initial=0))
        self._starts = starts[~replaced]
        self._recorded = recorded[~replaced]
        self._ends = numbers(self.rows["valid_to"], int(_OPEN))

    def on(self, at: int) -> Holding:
        """Find the row that counts for each subject on a day, given by its number."""
        holds = (self._starts <= at) & (at < self._ends)
        rows = np.nonzero(holds)[0]
        subject = self.subject[rows]
        # Of the rows that hold the day the last recorded counts, then the last to start.
        if (subject[1:] == subject[:-1]).any():
            order = np.lexsort((self._starts[rows], self._recorded[rows], subject))
            rows, subject = rows[order], subject[order]
        last = np.append(subject[1:] != subject[:-1], True) if len(rows) else np.empty(0, bool)
        chosen = rows[last]
        of_subject = np.cumsum(last) - last
        together = self._recorded[rows] == self._recorded[chosen][of_subject]
        times = np.bincount(of_subject[together], minlength=len(chosen))
        lies = self._starts < self._ends
        before = np.unique(self.subject[lies & (self._ends <= at)])
        after = np.unique(self.subject[lies & (self._starts > at)])
        gone = np.intersect1d(before, after)
        gone = gone[~np.isin(gone, subject)] if len(gone) else gone
        return Holding(chosen, times, gone)
