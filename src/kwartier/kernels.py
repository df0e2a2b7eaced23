"""The hot loops and the array helpers that steps share: ndarray in, ndarray out.

Every kernel works on whole rows of a market day: `reading` is (rows, periods + 1) [Wh], NOT_READ
where there is no reading. Kernels release the GIL, so that threads can run them side by side, and
are compiled once per machine. All is integer arithmetic: no result depends on order or threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from kwartier.arrays import NOT_READ, Bools, Int64s

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def _compiled(kernel: _Kernel) -> _Kernel:
    return cast(_Kernel, numba.njit(nogil=True, cache=True)(kernel))


@_compiled
def _longest_zero_run(volume: Any, other: Any, use_other: bool) -> int:
    run = 0
    longest = 0
    for t in range(volume.size):
        if volume[t] == 0 and (not use_other or other[t] == 0):
            run += 1
            longest = max(longest, run)
        else:
            run = 0
    return longest


@_compiled
def _steps(reading: Any, row: int, volume: Any) -> Any:
    """Write the steps between readings that follow each other; give the lowest and the highest."""
    start, end = reading[row, :-1], reading[row, 1:]
    lowest = np.int64(end[0]) - np.int64(start[0])
    highest = lowest
    for t in range(volume.size):
        step = np.int64(end[t]) - np.int64(start[t])
        volume[t] = step
        lowest = min(lowest, step)
        highest = max(highest, step)
    return lowest, highest


@_compiled
def first_visit(
    number: Any,
    register: Any,
    reading: Any,
    points: Any,
    cell: Any,
    limit: Any,
    plain: Any,
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
        index in `codes.REGISTERS`, the readings (rows, periods + 1), all of them read.
    points, cell, limit, plain, with_infeed, annual : the area's points on the day, sorted: number,
        cell (-1: not to be used), physical limit [Wh], whether its readings need no multiplier,
        whether it must have infeed, annual offtake and infeed (points, 2) [Wh].
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
    periods = reading.shape[1] - 1
    tolerance, day_sum, span, both, zeros = thresholds
    volume = np.zeros((2, periods), np.int64)
    spare = np.zeros(periods, np.int64)
    at = np.zeros(6, np.int64)
    floor = np.zeros(2, np.int64)
    has = np.zeros(2, np.bool_)
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
            good = plain[index]
            top = 0
            floor[:] = 0
            has[:] = False
            for d in range(2):
                total, one, two = at[3 * d], at[3 * d + 1], at[3 * d + 2]
                if total < 0 and one < 0 and two < 0:
                    good = good and d == 1 and not with_infeed[index]
                    continue
                has[d] = True
                if one >= 0 and two >= 0:
                    low, high = _steps(reading, one, volume[d])
                    good = good and low >= 0 and high <= limit[index]
                    low, high = _steps(reading, two, spare)
                    good = good and low >= 0 and high <= limit[index]
                    for t in range(periods):
                        volume[d, t] += spare[t]
                    if total >= 0:
                        drift = np.int64(0)
                        for t in range(periods + 1):
                            off = (
                                np.int64(reading[total, t])
                                - np.int64(reading[one, t])
                                - np.int64(reading[two, t])
                            )
                            good = good and abs(off) <= tolerance
                            if t == 0:
                                drift = off
                        good = good and abs(off - drift) <= day_sum
                elif total < 0:
                    good = False
                if total >= 0:
                    good = good and (one < 0) == (two < 0)
                    low, high = _steps(reading, total, volume[d])
                else:
                    low, high = volume[d].min(), volume[d].max()
                good = good and low >= 0 and high <= limit[index] and high - low <= span
                top = int(high) if d == 0 else min(top, int(high))
                floor[d] = low
            if has[1]:
                good = good and top <= both
            if good and floor[0] == 0 and floor[1] == 0:
                run = _longest_zero_run(volume[0], volume[1], has[1])
                good = run < zeros and run < periods
            if good:
                read[index] = True
                for d in range(2):
                    if has[d]:
                        full_points[cell[index], d] += 1
                        full_annual[cell[index], d] += annual[index, d]
                        sums, measured = full_volume[cell[index], d], volume[d]
                        for t in range(periods):
                            sums[t] += measured[t]
            else:
                for r in range(row, last + 1):
                    doubtful[filled] = r
                    filled += 1
        row = last + 1
    return filled


@_compiled
def annual_volumes(rows: Any, given: Any, kind: Any, assumed: Any, most: Any) -> Any:
    """Take the annual volumes of points out of their rows; what is not given is assumed.

    Parameters
    ----------
    rows : the row of each point.
    given : four arrays (all rows): offtake in the normal and the low tariff, infeed likewise [Wh];
        below 0 where not given. A volume given for one tariff only is 0 in the other.
    kind : (all rows), an index in the next two.
    assumed, most : int64 (kinds, 2) and (kinds), what to assume and the highest possible [Wh]; 0:
        there is none.

    Returns
    -------
    total, low, known : (points, 2); above : how many are higher than possible.
    """
    total = np.empty((rows.size, 2), np.int64)
    low = np.empty((rows.size, 2), np.int64)
    known = np.empty((rows.size, 2), np.bool_)
    above = 0
    for d in range(2):
        in_normal, in_low = given[2 * d], given[2 * d + 1]
        for i in range(rows.size):
            row = rows[i]
            k = kind[row]
            known[i, d] = in_normal[row] >= 0 or in_low[row] >= 0
            if known[i, d]:
                low[i, d] = max(in_low[row], np.int64(0))
                total[i, d] = max(in_normal[row], np.int64(0)) + low[i, d]
            else:
                low[i, d] = assumed[k, d] // 2
                total[i, d] = assumed[k, d]
            above += most[k] > 0 and total[i, d] > most[k]
    return total, low, known, above


@_compiled
def longest_chains(reading: Any, limit: Any) -> Any:
    """Keep in each row the longest chain of readings that one meter could have made.

    Two readings fit when the later is not lower and at most `limit` per elapsed period higher. With
    u = reading and v = limit × position − reading that is u and v both not falling, so the longest
    chain is the longest run of not falling v among the readings ordered by u. Of equally long
    chains the one whose last reading is latest is kept, then whose last but one is, and so on.

    Parameters
    ----------
    reading : int64 (rows, positions) [Wh], NOT_READ where not read.
    limit : int64 (rows) [Wh per period], above 0.

    Returns
    -------
    kept : bool (rows, positions).
    """
    rows, positions = reading.shape
    kept = np.zeros((rows, positions), np.bool_)
    at = np.empty(positions, np.int64)
    order = np.empty(positions, np.int64)
    tail = np.empty(positions, np.int64)
    length = np.empty(positions, np.int64)
    for row in range(rows):
        known = 0
        fits = True
        for p in range(positions):
            if reading[row, p] != NOT_READ:
                if known:
                    step = reading[row, p] - reading[row, at[known - 1]]
                    fits = fits and 0 <= step <= limit[row] * (p - at[known - 1])
                at[known] = p
                known += 1
        if fits:
            for k in range(known):
                kept[row, at[k]] = True
            continue
        # Nearly in order already, so insertion is the quickest way to put it in order.
        for k in range(known):
            p = at[k]
            u = reading[row, p]
            slot = k
            while slot > 0:
                q = order[slot - 1]
                if reading[row, q] < u or (reading[row, q] == u and q < p):
                    break
                order[slot] = q
                slot -= 1
            order[slot] = p
        longest = 0
        for k in range(known):
            p = order[k]
            v = limit[row] * p - reading[row, p]
            low, high = 0, longest
            while low < high:
                middle = (low + high) // 2
                if tail[middle] <= v:
                    low = middle + 1
                else:
                    high = middle
            tail[low] = v
            length[p] = low + 1
            longest = max(longest, low + 1)
        wanted = longest
        following = np.int64(-1)
        for k in range(known - 1, -1, -1):
            p = at[k]
            if wanted and length[p] == wanted:
                step = 0 if following < 0 else reading[row, following] - reading[row, p]
                if following < 0 or 0 <= step <= limit[row] * (following - p):
                    kept[row, p] = True
                    following = p
                    wanted -= 1
    return kept


@_compiled
def why_rejected(reading: Any, kept: Any, limit: Any) -> Any:
    """Say of each reading outside the chain which neighbour in the chain it contradicts, and how.

    Returns
    -------
    reasons : int64 (n, 5): row, first position, last position, observed [Wh], limit [Wh]; readings
        that follow each other for the same reason make one. A fall has limit 0.
    """
    rows, positions = reading.shape
    most = 0
    for row in range(rows):
        for p in range(positions):
            if reading[row, p] != NOT_READ and not kept[row, p]:
                most += 1
    reasons = np.empty((most, 5), np.int64)
    made = 0
    for row in range(rows):
        before = -1
        after = -1
        open_rule = 0  # 1: the run before this reading fell, 2: it was above the limit
        for p in range(positions):
            if reading[row, p] == NOT_READ:
                open_rule = 0
                continue
            if kept[row, p]:
                before = p
                open_rule = 0
                continue
            if after < p:
                after = p + 1
                while after < positions and not kept[row, after]:
                    after += 1
            observed = np.int64(0)
            allowed = np.int64(-1)
            if before >= 0:
                step = reading[row, p] - reading[row, before]
                if step < 0:
                    observed, allowed = step, np.int64(0)
                elif step > limit[row] * (p - before):
                    observed, allowed = step, limit[row] * (p - before)
            if allowed < 0:
                step = reading[row, after] - reading[row, p]
                if step < 0:
                    observed, allowed = step, np.int64(0)
                else:
                    observed, allowed = step, limit[row] * (after - p)
            rule = 1 if allowed == 0 else 2
            if rule == open_rule:
                reasons[made - 1, 2] = p
            else:
                reasons[made, 0] = row
                reasons[made, 1] = p
                reasons[made, 2] = p
                reasons[made, 3] = observed
                reasons[made, 4] = allowed
                made += 1
                open_rule = rule
    return reasons[:made]


@_compiled
def known_pairs(reading: Any) -> Any:
    """List the pairs of readings that follow each other with unread positions between them.

    Returns
    -------
    pairs : int64 (n, 3): row, position before the gap, position after it.
    """
    rows, positions = reading.shape
    most = 0
    for row in range(rows):
        for p in range(1, positions):
            if reading[row, p] != NOT_READ and reading[row, p - 1] == NOT_READ:
                most += 1
    pairs = np.empty((most, 3), np.int64)
    made = 0
    for row in range(rows):
        before = -1
        for p in range(positions):
            if reading[row, p] != NOT_READ:
                if before >= 0 and p - before > 1:
                    pairs[made, 0] = row
                    pairs[made, 1] = before
                    pairs[made, 2] = p
                    made += 1
                before = p
    return pairs[:made]


@_compiled
def spread(total: int, weight: Any) -> Any:
    """Spread a whole number over weights so that the parts sum to it exactly (largest remainder).

    Parameters
    ----------
    total : [Wh], 0 or more.
    weight : int64 (n), 0 or more; all 0 counts as all alike. total × weight must fit in int64.

    Returns
    -------
    parts : int64 (n) [Wh]; what rounding leaves goes to the largest remainders, the lower position
        first among equal ones.
    """
    whole = np.int64(0)
    for w in weight:
        whole += w
    parts = np.empty(weight.size, np.int64)
    lacking = np.empty(weight.size, np.int64)
    left = np.int64(total)
    for i in range(weight.size):
        share = total * weight[i] if whole > 0 else np.int64(total)
        base = whole if whole > 0 else np.int64(weight.size)
        parts[i] = share // base
        lacking[i] = -(share - parts[i] * base)
        left -= parts[i]
    if left > 0:
        order = np.argsort(lacking, kind="mergesort")
        for i in range(left):
            parts[order[i]] += 1
    return parts


@_compiled
def spread_gaps(
    cell: Any,
    direction: Any,
    first: Any,
    last: Any,
    total: Any,
    shape: Any,
    volume: Any,
    points: Any,
) -> None:
    """Spread the register difference of each gap within the day over its periods.

    Parameters
    ----------
    cell, direction, first, last, total : (gaps): the cell and direction it belongs to, the
        positions of the readings around it, their difference [Wh].
    shape : int64 (cells, 2, periods), the weights.
    volume, points : int64 (cells, 2, periods): added to.
    """
    for g in range(cell.size):
        parts = spread(total[g], shape[cell[g], direction[g], first[g] : last[g]])
        for t in range(first[g], last[g]):
            volume[cell[g], direction[g], t] += parts[t - first[g]]
            points[cell[g], direction[g], t] += 1


@_compiled
def add_volumes(cell: Any, direction: Any, volume: Any, full: Any, annual: Any, into: Any) -> None:
    """Add the measured volumes of series to their cells.

    Parameters
    ----------
    cell, direction, annual : (series), annual [Wh].
    volume : (series, periods) [Wh], NOT_READ where not measured.
    full : (series), whether every period is measured.
    into : the arrays of full_volume, full_points, full_annual, part_volume, part_points, part_any,
        (cells, 2) and (cells, 2, periods): added to.
    """
    full_volume, full_points, full_annual, part_volume, part_points, part_any = into
    for s in range(cell.size):
        c, d = cell[s], direction[s]
        if full[s]:
            full_points[c, d] += 1
            full_annual[c, d] += annual[s]
            for t in range(volume.shape[1]):
                full_volume[c, d, t] += volume[s, t]
        else:
            some = 0
            for t in range(volume.shape[1]):
                if volume[s, t] != NOT_READ:
                    part_volume[c, d, t] += volume[s, t]
                    part_points[c, d, t] += 1
                    some = 1
            part_any[c, d] += some


def runs_of(mask: Bools) -> tuple[Int64s, Int64s, Int64s]:
    """Find the runs of true values in each row: row, first column, last column."""
    edge = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    edge[:, 1:-1] = mask
    change = np.diff(edge, axis=1)
    row, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1] - 1
    return row, first, last
