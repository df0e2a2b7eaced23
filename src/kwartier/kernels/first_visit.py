"""The first visit: most points have every reading and nothing odd, and are summed in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.kernels.compiled import compiled

_LARGEST = np.int32(np.iinfo(np.int32).max)


@compiled
def _span(row: Any) -> Any:
    """Give the lowest and the highest step between readings that follow each other.

    Whole readings are from 0 to the largest int32, so no step leaves int32; sixteen go at once.
    """
    lowest, highest = _LARGEST, np.int32(-_LARGEST)
    for t in range(row.size - 1):
        step = np.int32(row[t + 1] - row[t])
        lowest = min(lowest, step)
        highest = max(highest, step)
    return np.int64(lowest), np.int64(highest)


@compiled
def _span_of_two(reading: Any, one: int, two: int) -> Any:
    """Give the lowest and the highest step of the sum of two registers."""
    lowest, highest = np.int64(_LARGEST), -np.int64(_LARGEST)
    for t in range(reading.shape[1] - 1):
        step = np.int64(reading[one, t + 1] - reading[one, t])
        step += np.int64(reading[two, t + 1] - reading[two, t])
        lowest = min(lowest, step)
        highest = max(highest, step)
    return lowest, highest


@compiled
def _agree(reading: Any, total: int, one: int, two: int, tolerance: int, day_sum: int) -> Any:
    """Tell whether a total is the sum of its tariffs, at every moment and over the day."""
    positions = reading.shape[1]
    highest = lowest = first = last = np.int64(0)
    for t in range(positions):
        off = np.int64(reading[total, t]) - np.int64(reading[one, t]) - np.int64(reading[two, t])
        highest = max(highest, off)
        lowest = min(lowest, off)
        if t == 0:
            first = off
        last = off
    return highest <= tolerance and -lowest <= tolerance and abs(last - first) <= day_sum


@compiled
def _stands_still(reading: Any, rows: Any, periods: int) -> bool:
    """Tell whether none of up to four rising rows rises in so many periods on end.

    rows : (2, 2), -1: none, but the first of all is there.
    """
    one, two = reading[rows[0, 0]], reading[max(rows[0, 0], rows[0, 1])]
    three, four = reading[max(rows[0, 0], rows[1, 0])], reading[max(rows[0, 0], rows[1, 1])]
    still = False
    # Without a branch, so that sixteen are looked at at once.
    for t in range(one.size - periods):
        still |= (
            (one[t] == one[t + periods])
            & (two[t] == two[t + periods])
            & (three[t] == three[t + periods])
            & (four[t] == four[t + periods])
        )
    return still


@compiled
def _add_steps(row: Any, into: Any) -> None:
    for t in range(row.size - 1):
        into[t] += np.int32(row[t + 1] - row[t])


@compiled
def first_visit(
    number: Any,
    register: Any,
    reading: Any,
    points: Any,
    cell: Any,
    connection: Any,
    limits: Any,
    multiplier: Any,
    with_infeed: Any,
    annual: Any,
    thresholds: Any,
    full_volume: Any,
    full_points: Any,
    full_annual: Any,
    read: Any,
    doubtful: Any,
) -> int:
    """Sum the points whose readings are beyond doubt; give the others out for the second look.

    Parameters
    ----------
    number, register, reading : the rows of a block, sorted by point and register: the point, the
        index in `codes.REGISTERS`, the readings (rows, periods + 1), int32, from 0, all of them
        read.
    points, cell, connection, with_infeed, annual : the area's points on the day, sorted: number,
        cell (-1: not to be used), which connection, whether it must have infeed, annual offtake
        and infeed (points, 2) [Wh].
    limits, multiplier : (connections), physical limit [Wh], what readings are multiplied by.
    thresholds : tariff tolerance, day sum tolerance, largest span of volumes without a look for
        outliers, both directions large [Wh], zero run [periods].
    full_volume, full_points, full_annual : sums, (cells, 2, periods), (cells, 2), (cells, 2):
        added to.
    read : (points), set where the point was summed.
    doubtful : (rows), filled with the rows of the points that were not summed.

    Returns
    -------
    How many rows of `doubtful` were filled.
    """
    tolerance, day_sum, span, both, zeros = thresholds
    quiet = min(max(zeros, 1), reading.shape[1] - 1)
    at = np.zeros(6, np.int64)
    summed = np.zeros((2, 2), np.int64)  # of each direction the total, or both tariffs; -1: none
    floor = np.zeros(2, np.int64)
    top = np.zeros(2, np.int64)
    filled = 0
    index = 0
    row = 0
    while row < number.size:
        last = row
        while last + 1 < number.size and number[last + 1] == number[row]:
            last += 1
        # Most points of the area have rows, so the next one is near.
        near = 0
        while near < 8 and index < points.size and points[index] < number[row]:
            index += 1
            near += 1
        if near == 8:
            index += np.searchsorted(points[index:], number[row])
        if index < points.size and points[index] == number[row] and cell[index] >= 0:
            at[:] = -1
            for r in range(row, last + 1):
                at[register[r]] = r
            limit = limits[connection[index]]
            good = multiplier[connection[index]] == 1
            for d in range(2):
                total, one, two = at[3 * d], at[3 * d + 1], at[3 * d + 2]
                summed[d, 0], summed[d, 1] = total, -1
                floor[d], top[d] = 0, 0
                if total < 0 and one < 0 and two < 0:
                    good = good and d == 1 and not with_infeed[index]
                    continue
                if one >= 0 or two >= 0:
                    good = good and one >= 0 and two >= 0
                    if not good:
                        break
                    for tariff in (one, two):
                        low, high = _span(reading[tariff])
                        good = good and low >= 0 and high <= limit
                    if total < 0:
                        summed[d, 0], summed[d, 1] = one, two
                        floor[d], top[d] = _span_of_two(reading, one, two)
                    else:
                        good = good and _agree(reading, total, one, two, tolerance, day_sum)
                if total >= 0:
                    floor[d], top[d] = _span(reading[total])
                good = good and floor[d] >= 0 and top[d] <= limit
                good = good and top[d] - floor[d] <= span
                if not good:
                    break
            good = good and min(top[0], top[1]) <= both
            # Both directions stand still where each register that is summed does.
            if good and floor[0] == 0 and floor[1] == 0:
                good = not _stands_still(reading, summed, quiet)
            if good:
                read[index] = True
                c = cell[index]
                for d in range(2):
                    if summed[d, 0] >= 0:
                        full_points[c, d] += 1
                        full_annual[c, d] += annual[index, d]
                        if top[d] > 0:
                            for k in range(2):
                                if summed[d, k] >= 0:
                                    _add_steps(reading[summed[d, k]], full_volume[c, d])
            else:
                for r in range(row, last + 1):
                    doubtful[filled] = r
                    filled += 1
        row = last + 1
    return filled
