"""Delivered readings → their market day and position → day rows.

A reading at local midnight serves both days. The values of points that may not be read are not
kept, only the fact. Within one delivery a reading stated twice is kept once, and readings that
contradict each other are not used. Source: FAQ; domain §5; decisions §4, §5.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kwartier import findings, kernels, periods
from kwartier.arrays import NOT_READ, Bools, Int64s, Rows, joined, place_in
from kwartier.findings import Records
from kwartier.parameters import Parameters
from kwartier.steps.delivery.judging import Doubts, differs, judge


class Readable(NamedTuple):
    """The points of all areas on a market day, sorted: number, index of the area, may be read."""

    number: Int64s
    area: Int64s
    readable: Bools


class Placed(NamedTuple):
    """Where readings go. A reading at midnight is here twice, first for the day that it ends.

    `row` is its index in the batch; `counts` is set once for each reading, so that rows add up.
    Readings that follow each other of one point, meter, register and day are a strip: it begins
    at `first` of them, and `day` and `area` are those of each strip.
    """

    row: Int64s
    position: npt.NDArray[np.uint8]
    counts: Bools
    first: Int64s
    day: Int64s
    area: Int64s


def place(
    number: Int64s,
    meter: Int64s,
    register: npt.NDArray[np.signedinteger],
    read_at: Int64s,
    rule: npt.NDArray[np.int16],
    *,
    recorded_at: int,
    known: Int64s,
    readable_on: Callable[[date], Readable],
    parameters: Parameters,
) -> tuple[Placed, Doubts]:
    """Find the market day and position of each reading, and the readings that may not be kept.

    Parameters
    ----------
    number, meter, register, read_at : the point, meter, register and moment [s UTC] of each
        reading.
    rule : what the door found doubtful about the row (index in findings.RULE_NAMES), -1 nothing.
    recorded_at : the moment of taking in [s UTC].
    known : the points that the register knows on any day, sorted.
    readable_on : gives the points that may be read on a day.
    """
    judged = judge(number, read_at, read_at, rule, recorded_at, known, parameters)
    rule = judged.rule
    row, position, ends, first, on = kernels.to_strips(
        number, meter, register, rule, judged.day, judged.position
    )
    # A day that ends does so with the last reading of its strip.
    closing = np.flatnonzero(ends)
    of_strip = np.searchsorted(first, closing, "right") - 1
    for d in np.unique(on[of_strip]).tolist():
        position[closing[on[of_strip] == d]] = periods.count(periods.day_of_number(d))

    of = number[row[first]]
    area = np.full(len(first), -1, np.int64)
    for d in np.unique(on).tolist():
        of_day = np.flatnonzero(on == d)
        points = readable_on(periods.day_of_number(d))
        slot = place_in(points.number, of[of_day])
        may = slot >= 0
        may[may] = points.readable[slot[may]]
        area[of_day[may]] = points.area[slot[may]]

    counts = np.ones(len(row), bool)
    if (area >= 0).all():
        counts[closing] = False
    else:
        kept = np.repeat(area >= 0, np.diff(first, append=len(row)))
        counts[closing] = ~kept[closing + 1]
        anywhere = np.zeros(len(number), bool)
        anywhere[row[kept]] = True
        rule[(rule < 0) & ~anywhere] = findings.RULE_INDEX["not_eligible"]
        row, position, counts = row[kept], position[kept], counts[kept]
        starts = np.zeros(len(kept), bool)
        starts[first] = True
        first = np.flatnonzero(starts[kept])
        on, area = on[area >= 0], area[area >= 0]
    placed = Placed(row, position, counts, first, on, area)
    return placed, judged.doubts(number)


class Built(NamedTuple):
    """Day rows of one area and day; what contradicted itself; how many readings are in the rows."""

    rows: Rows
    found: Records
    kept: int


def build(
    periods_of_day: int,
    number: Int64s,
    meter: Int64s,
    register: Int64s,
    first: Int64s,
    slot: npt.NDArray[np.uint8],
    reading: Int64s,
    status: npt.NDArray[np.int32] | None,
) -> Built:
    """Build the day rows of one area and day from its readings.

    Parameters
    ----------
    number, meter, register, first : of each strip of readings, sorted by number, meter and
        register, and where it begins.
    slot, reading, status : of each reading, in any order within a row: twice its position, and 1
        more where it counts; status is None where no meter reported any.

    Returns
    -------
    built : rows (rows, periods + 1) with NOT_READ where nothing was delivered; found:
        duplicate_reading and conflicting_readings; kept: how many readings are in the rows.
    """
    starts = differs(number, meter, register)
    rows = np.flatnonzero(starts)
    width = periods_of_day + 1
    row = np.cumsum(starts) - 1
    matrix = np.full(len(rows) * width, NOT_READ)
    apart, counted = kernels.lay_strips(row, first, slot, reading, matrix.reshape(-1, width))
    bitmap, cell = None, np.empty(0, np.int64)
    if status is not None or not apart:
        cell = np.repeat(row, np.diff(first, append=len(slot))) * width + (slot >> 1)
    if status is not None:
        bitmap = np.zeros(len(matrix), np.int64)
        bitmap[cell] = status
    found = np.empty(0, findings.RECORD)
    lost = 0
    if not apart:
        several = _several(cell, reading, status, (slot & 1).astype(bool))
        matrix[several.cell[several.conflict]] = NOT_READ
        if bitmap is not None:
            bitmap[several.cell] = np.where(several.conflict, 0, several.bits)
        found, lost = _found(several, number[rows], register[rows], periods_of_day)
    made = Rows(
        number[rows],
        meter[rows],
        register[rows].astype(np.int64),
        matrix.reshape(-1, width),
        None if bitmap is None else bitmap.reshape(-1, width),
        False,
    )
    some = made.reading.max(axis=1) != NOT_READ
    return Built(made.take(some), found, int(counted) - lost)


class _Several(NamedTuple):
    """The cells that were delivered more than once: times, rows that count, bits put together."""

    cell: Int64s
    times: Int64s
    counted: Int64s
    bits: Int64s
    conflict: Bools


def _several(
    cell: Int64s, reading: Int64s, status: npt.NDArray[np.int32] | None, counts: Bools
) -> _Several:
    order = np.argsort(cell, kind="stable")
    first = np.flatnonzero(differs(cell[order]))
    reading = reading[order]
    times = np.diff(first, append=len(cell))
    bits = np.zeros(len(cell), np.int64) if status is None else status[order].astype(np.int64)
    found = _Several(
        cell[order[first]],
        times,
        np.add.reduceat(counts[order].astype(np.int64), first),
        np.bitwise_or.reduceat(bits, first),
        np.minimum.reduceat(reading, first) != np.maximum.reduceat(reading, first),
    )
    more = times > 1
    return _Several(
        found.cell[more],
        found.times[more],
        found.counted[more],
        found.bits[more],
        found.conflict[more],
    )


def _found(
    several: _Several, number: Int64s, register: Int64s, periods_of_day: int
) -> tuple[Records, int]:
    """Make the findings of cells that were delivered more than once; count the rows they lose.

    Parameters
    ----------
    number, register : of each row of the day.
    """
    row, position = np.divmod(several.cell, periods_of_day + 1)
    extra = np.where(several.conflict, 0, several.counted - (several.counted > 0))
    found = []
    for name, where, lost in (
        ("duplicate_reading", (extra > 0), extra),
        # At midnight both days lose the reading, and both say so; its rows count on one of them.
        ("conflicting_readings", several.conflict, several.counted),
    ):
        found.append(
            findings.records(
                name,
                number[row[where]],
                register=register[row[where]],
                first_period=np.maximum(position[where], 1),
                last_period=np.minimum(position[where] + 1, periods_of_day),
                observed=several.times[where],
                limit=1,
                rows=lost[where],
            )
        )
    together = np.concatenate(found)
    return together, int(together["rows"].sum())


def merge(old: Rows, new: Rows) -> Rows:
    """Lay newly delivered day rows over the kept ones of the same points.

    Returns
    -------
    merged : all rows of the points that change, sorted by point, meter and register; a new reading
        goes before the old one, and what is not delivered anew stays.
    """
    source = np.repeat([0, 1], [len(old.number), len(new.number)])
    both = joined([old, new])
    order = np.lexsort((source, both.register, both.meter, both.number))
    rows = both.take(order)
    number, meter, register = rows.number, rows.meter, rows.register
    reading, status = rows.reading, rows.bits()
    rows = rows._replace(status=status)
    source = source[order]
    late = np.flatnonzero(~differs(number, meter, register))
    absent = reading[late] == NOT_READ
    merged = np.where(absent, reading[late - 1], reading[late])
    bits = np.where(absent, status[late - 1], status[late])
    # A row that adds nothing leaves its point as it was.
    changed = source == 1
    changed[late] = ((merged != reading[late - 1]) | (bits != status[late - 1])).any(axis=1)
    reading[late], status[late] = merged, bits
    # Whole points are kept: all rows of a point of which one changed.
    first = np.flatnonzero(differs(number))
    keep = np.repeat(np.logical_or.reduceat(changed, first), np.diff(first, append=len(number)))
    keep[late - 1] = False
    return rows.take(keep)
