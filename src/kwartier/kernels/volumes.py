"""Readings → volumes, sums per cell, and gaps.

`reading` is int64 (rows, periods + 1) [Wh], `volume` (series, periods) [Wh], NOT_READ where there
is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.arrays import HEAD, NOT_READ, TAIL, WHOLE, WITHIN
from kwartier.kernels.compiled import compiled, run_of, with_room
from kwartier.kernels.readings import next_read, next_unread


@compiled
def counted(accepted: Any, rows: Any, by_total: Any) -> Any:
    """Give what lanes counted: the total, or else both tariffs where both were read.

    Parameters
    ----------
    accepted : (rows, periods + 1) [Wh]. rows : (lanes, 3), of the total and both tariffs, -1: none.
    by_total : (lanes), whether the total is taken.

    Returns
    -------
    reading : (lanes, periods + 1) [Wh].
    """
    reading = np.empty((rows.shape[0], accepted.shape[1]), np.int64)
    for lane in range(rows.shape[0]):
        total, one, two = rows[lane, 0], rows[lane, 1], rows[lane, 2]
        if by_total[lane]:
            for p in range(accepted.shape[1]):
                reading[lane, p] = accepted[total, p]
        elif one < 0 or two < 0:
            for p in range(accepted.shape[1]):
                reading[lane, p] = NOT_READ
        else:
            for p in range(accepted.shape[1]):
                both = accepted[one, p] != NOT_READ and accepted[two, p] != NOT_READ
                reading[lane, p] = accepted[one, p] + accepted[two, p] if both else NOT_READ
    return reading


@compiled
def measured_volumes(reading: Any, first: Any, count: Any) -> Any:
    """Derive the volume of each period from the readings at its two ends.

    Parameters
    ----------
    reading : (counters, periods + 1) [Wh], rising.
    first, count : (series), the counters that each series is made of.

    Returns
    -------
    volume : (series, periods) [Wh], where just one of its counters was read at both ends.
    runs, of series, of periods that more than one measured, with how many.
    """
    periods = reading.shape[1] - 1
    volume = np.empty((first.size, periods), np.int64)
    runs = np.empty((0, 4), np.int64)
    made = 0
    for s in range(first.size):
        begin, end = first[s], first[s] + count[s]
        if count[s] == 1:
            for t in range(periods):
                start, stop = reading[begin, t], reading[begin, t + 1]
                whole = start != NOT_READ and stop != NOT_READ
                volume[s, t] = stop - start if whole else NOT_READ
            continue
        open_run = False
        for t in range(periods):
            wh = np.int64(NOT_READ)
            measured = 0
            for counter in range(begin, end):
                start, stop = reading[counter, t], reading[counter, t + 1]
                if start != NOT_READ and stop != NOT_READ:
                    wh = stop - start
                    measured += 1
            volume[s, t] = wh if measured == 1 else NOT_READ
            if measured > 1:
                if not open_run:
                    runs = run_of(runs, made, s, t, t, measured)
                    made += 1
                runs[made - 1, 2] = t
            open_run = measured > 1
    return volume, runs[:made]


@compiled
def around_gaps(reading: Any, rows: Any) -> Any:
    """List what is not measured in some rows of readings, with what is known around it.

    Returns
    -------
    gaps : int64 (n, 5): row, kind, first and last position, and the register difference (WITHIN) or
        the one known reading (HEAD, TAIL) [Wh].
    """
    positions = reading.shape[1]
    gaps = np.empty((0, 5), np.int64)
    made = 0
    for k in range(rows.size):
        row = rows[k]
        after = next_unread(reading, row, 0)
        while after < positions:
            before = after - 1
            after = next_read(reading, row, after)
            gaps = with_room(gaps, made)
            gaps[made, 0] = row
            gaps[made, 2] = max(before, 0)
            gaps[made, 3] = min(after, positions - 1)
            if before < 0 and after == positions:
                gaps[made, 1] = WHOLE
                gaps[made, 4] = 0
            elif before < 0:
                gaps[made, 1] = HEAD
                gaps[made, 4] = reading[row, after]
            elif after == positions:
                gaps[made, 1] = TAIL
                gaps[made, 4] = reading[row, before]
            else:
                gaps[made, 1] = WITHIN
                gaps[made, 4] = reading[row, after] - reading[row, before]
            made += 1
            after = next_unread(reading, row, after)
    return gaps[:made]


@compiled
def add_volumes(cell: Any, direction: Any, volume: Any, annual: Any, into: Any) -> None:
    """Add the measured volumes of series to their cells.

    Parameters
    ----------
    cell, direction, annual : (series), annual [Wh].
    into : the arrays of full_volume, full_points, full_annual (series measured the whole day),
        part_volume, part_points, part_any (others), (cells, 2) and (cells, 2, periods): added to.
    """
    full_volume, full_points, full_annual, part_volume, part_points, part_any = into
    for s in range(cell.size):
        c, d = cell[s], direction[s]
        known = 0
        for t in range(volume.shape[1]):
            known += volume[s, t] != NOT_READ
        if known == volume.shape[1]:
            full_points[c, d] += 1
            full_annual[c, d] += annual[s]
            for t in range(volume.shape[1]):
                full_volume[c, d, t] += volume[s, t]
        elif known:
            for t in range(volume.shape[1]):
                measured = volume[s, t] != NOT_READ
                part_volume[c, d, t] += volume[s, t] if measured else 0
                part_points[c, d, t] += measured
            part_any[c, d] += 1
