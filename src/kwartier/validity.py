"""Rows with two time axes: the days on which they hold, and the moment at which they became known.

Source: domain §4; decisions §2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

_OPEN = np.int32(np.iinfo(np.int32).max)


def numbers(column: pa.ChunkedArray, missing: int) -> Int64s:
    """Give a column of numbers, days or moments as whole numbers, `missing` where null."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    whole = column.cast(pa.int64())
    filled = pc.fill_null(whole, missing) if whole.null_count else whole
    return np.asarray(filled.to_numpy(), np.int64)


def days(column: pa.ChunkedArray) -> Int32s:
    """Give a column of days by their numbers; where null, a day after all others."""
    filled = pc.fill_null(column.cast(pa.int32()), int(_OPEN))
    return np.asarray(filled.to_numpy(), np.int32)


def taken(rows: pa.Table, index: Int64s | slice) -> pa.Table:
    """Take rows; all of them in their order are taken without a copy."""
    return rows if isinstance(index, slice) else rows.take(pa.array(index))


def known_by(rows: pa.Table, moment: int) -> pa.Table:
    """Keep the rows that were recorded by a moment [s UTC]; later ones do not exist yet."""
    known = numbers(rows["recorded_at"], 0) <= moment
    return rows if known.all() else rows.filter(pa.array(known))


class Axes(NamedTuple):
    """What rows are about and when they hold: subject, first day, first day no more, record [s]."""

    subject: Int64s
    starts: Int32s
    ends: Int32s
    recorded: Int64s

    def take(self, index: Int64s | npt.NDArray[np.bool_] | slice) -> Axes:
        """Keep some of the rows."""
        return Axes(self.subject[index], self.starts[index], self.ends[index], self.recorded[index])


def axes_of(rows: pa.Table, key: str) -> Axes:
    """Read the axes of a table with valid_from, valid_to and recorded_at.

    key : the column of whole numbers that names what a row is about.
    """
    return Axes(
        numbers(rows[key], 0),
        days(rows["valid_from"]),
        days(rows["valid_to"]),
        numbers(rows["recorded_at"], 0),
    )


class Holding(NamedTuple):
    """The row that counts for each subject on a day.

    `row` is its index; `doubled` are the places in `row` of those that are not alone, and `times`
    how many rows recorded together with each of them hold the day; `gone` the subjects with rows
    before and after the day and none that holds it.
    """

    row: Int64s
    doubled: Int64s
    times: Int64s
    gone: Int64s


class History:
    """The rows of a register as known at a moment, less those that were replaced.

    Parameters
    ----------
    axes : of all rows that were known by then, in any order.

    Attributes
    ----------
    row : where each row that was not replaced stands among those given: by subject, start, record;
        a slice where all of them stand so.
    subject : of each of them.
    until : the moment at which the last of the rows given became known [s UTC]; 0: there is none.
    """

    def __init__(self, axes: Axes) -> None:
        self.until = int(axes.recorded.max(initial=0))
        order = _order(axes)
        if order is not None:
            axes = axes.take(order)
        kept = _newest(axes)
        self._axes = axes if kept is None else axes.take(kept)
        self.subject = self._axes.subject
        self._once = bool((self.subject[1:] != self.subject[:-1]).all())
        self.row: Int64s | slice
        if kept is None:
            self.row = slice(None) if order is None else order
        else:
            self.row = np.nonzero(kept)[0] if order is None else order[kept]

    def on(self, at: int, among: Int64s | None = None) -> Holding:
        """Find the row that counts for each subject on a day.

        Parameters
        ----------
        at : the number of the day.
        among : only these subjects, sorted.
        """
        shift, axes = None, self._axes
        if among is not None:
            shift = _rows_of(self.subject, among)
            axes = axes.take(shift)
        rows = np.nonzero((axes.starts <= at) & (at < axes.ends))[0]
        doubled = times = rows[:0]
        if not self._once:
            rows, doubled, times = _chosen(axes, rows)
        gone = _gone(axes, at) if len(rows) < len(axes.subject) else axes.subject[:0]
        return Holding(rows if shift is None else shift[rows], doubled, times, gone)


def _chosen(axes: Axes, rows: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Choose of the rows that hold a day: the last recorded counts, then the last to start.

    Returns
    -------
    row, doubled, times : see Holding.
    """
    subject = axes.subject[rows]
    last = np.ones(len(rows), bool)
    last[:-1] = subject[1:] != subject[:-1]
    if last.all():
        return rows, rows[:0], rows[:0]
    recorded = axes.recorded[rows]
    order = np.lexsort((axes.starts[rows], recorded, subject))
    rows, recorded = rows[order], recorded[order]
    of_subject = np.cumsum(last) - last
    together = recorded == recorded[last][of_subject]
    times = np.bincount(of_subject[together], minlength=int(last.sum()))
    doubled = np.nonzero(times > 1)[0]
    return rows[last], doubled, times[doubled]


def _order(axes: Axes) -> Int64s | None:
    """Give the order by subject, start and record; None where rows lie in it.

    Files are in order each, so that few subjects are out of it.
    """
    keys = (axes.recorded, axes.starts, axes.subject)
    if _in_order(axes):
        return None
    order = np.argsort(axes.subject, kind="stable")
    subject = axes.subject[order]
    same = subject[1:] == subject[:-1]
    several = np.nonzero(np.append(same, False) | np.append(False, same))[0]
    part = order[several]
    order[several] = part[np.lexsort(tuple(key[part] for key in keys))]
    return order


def _in_order(axes: Axes) -> bool:
    step = axes.subject[1:] - axes.subject[:-1]
    if (step > 0).all():
        return True
    if (step < 0).any():
        return False
    start = axes.starts[1:].astype(np.int64) - axes.starts[:-1]
    rising = (axes.recorded[1:] >= axes.recorded[:-1]) | (start > 0)
    return bool(((step > 0) | ((start >= 0) & rising)).all())


def _newest(axes: Axes) -> npt.NDArray[np.bool_] | None:
    """Tell which of the rows, in order, were not replaced; None: none was.

    A later record of the same subject and start replaces the earlier one; rows recorded together
    stay, and show as an overlap.
    """
    same = (axes.subject[1:] == axes.subject[:-1]) & (axes.starts[1:] == axes.starts[:-1])
    if not same.any():
        return None
    first = np.append(True, ~same)
    group = np.cumsum(first) - 1
    newest = axes.recorded[np.append(~same, True)]
    return np.asarray(axes.recorded == newest[group])


def _rows_of(subject: Int64s, among: Int64s) -> Int64s:
    """Give the rows of some subjects, in order."""
    first, last = (np.searchsorted(subject, among, side) for side in ("left", "right"))
    count = last - first
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.asarray(np.repeat(first, count) + within, np.int64)


def _gone(axes: Axes, at: int) -> Int64s:
    """List the subjects with rows before and after a day and none that holds it."""
    lies = axes.starts < axes.ends
    before = np.unique(axes.subject[lies & (axes.ends <= at)])
    after = np.unique(axes.subject[lies & (axes.starts > at)])
    between = np.intersect1d(before, after)
    if not len(between):
        return between
    holds = (axes.starts <= at) & (at < axes.ends)
    return between[~np.isin(between, axes.subject[holds])]
