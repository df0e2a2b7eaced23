"""The readings of rows with something odd: what was read, what is missing, what contradicts.

`reading` is (rows, periods + 1) [Wh], NOT_READ where not read. What is found of positions that
follow each other comes out as runs, int64 (n, 4): row, first position, last position, what was
observed at the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.arrays import NOT_READ
from kwartier.kernels.compiled import compiled, run_of

_MOST = np.int64(np.iinfo(np.int64).max)


@compiled
def next_unread(reading: Any, row: int, p: int) -> int:
    """Give the first position from `p` on without a reading; past the last one if there is none."""
    while p < reading.shape[1] and reading[row, p] != NOT_READ:
        p += 1
    return p


@compiled
def next_read(reading: Any, row: int, p: int) -> int:
    """Give the first position from `p` on with a reading; past the last one if there is none."""
    while p < reading.shape[1] and reading[row, p] == NOT_READ:
        p += 1
    return p


@compiled
def any_read(reading: Any) -> Any:
    """Tell which rows have a reading."""
    some = np.zeros(reading.shape[0], np.bool_)
    for row in range(reading.shape[0]):
        for p in range(reading.shape[1]):
            if reading[row, p] != NOT_READ:
                some[row] = True
                break
    return some


@compiled
def multiplied(
    reading: Any, status: Any, rejecting: int, multiplier: Any, rolls_at: Any, usable: Any
) -> Any:
    """Multiply what was read, leave out what the meter itself calls invalid, and count on.

    Parameters
    ----------
    reading, status : whole numbers (rows, periods + 1); status has no rows where no meter
        reported any.
    rejecting : the status bits of an invalid reading.
    multiplier, rolls_at : (rows), rolls_at [Wh], 0 where not known.
    usable : int64 (rows, periods + 1), filled. Where readings lie more than half of `rolls_at`
        apart, it is added to those below half of it.

    Returns
    -------
    known : (rows), how many were read, invalid or not; rolled : (rows), whether any may have
    rolled over; invalid : runs of invalid readings, with their status.
    """
    rows, positions = reading.shape
    known = np.empty(rows, np.int64)
    rolled = np.zeros(rows, np.bool_)
    invalid = np.empty((0, 4), np.int64)
    made = 0
    for row in range(rows):
        count = 0
        highest, lowest = -_MOST, _MOST
        for p in range(positions):
            wh = np.int64(reading[row, p])
            if wh != NOT_READ:
                count += 1
                wh *= multiplier[row]
                highest = max(highest, wh)
                lowest = min(lowest, wh)
            usable[row, p] = wh
        known[row] = count
        if status.shape[0]:
            bits = 0
            for p in range(positions):
                bits |= status[row, p]
            if bits & rejecting:
                highest, lowest = -_MOST, _MOST
                open_run = False
                for p in range(positions):
                    if usable[row, p] != NOT_READ and status[row, p] & rejecting:
                        usable[row, p] = NOT_READ
                        if not open_run:
                            invalid = run_of(invalid, made, row, p, p, status[row, p])
                            made += 1
                        invalid[made - 1, 2] = p
                        open_run = True
                    else:
                        open_run = False
                        if usable[row, p] != NOT_READ:
                            highest = max(highest, usable[row, p])
                            lowest = min(lowest, usable[row, p])
        size = rolls_at[row]
        if size > 0 and highest >= lowest and 2 * (highest - lowest) > size:
            rolled[row] = True
            for p in range(positions):
                if usable[row, p] != NOT_READ and 2 * usable[row, p] < size:
                    usable[row, p] += size
    return known, rolled, invalid[:made]


@compiled
def _unread_by_all(
    reading: Any, p: int, row: int, end: int, alone: bool, register: Any, asked: Any
) -> bool:
    """Tell whether none of the rows from `row` on of the same register was read at a moment."""
    if reading[row, p] != NOT_READ:
        return False
    if not alone:
        for other in range(row + 1, end):
            if asked[other] and register[other] == register[row] and reading[other, p] != NOT_READ:
                return False
    return True


@compiled
def not_read(number: Any, register: Any, reading: Any, asked: Any, known: Any) -> Any:
    """Find where no meter of a point was read, register by register.

    Parameters
    ----------
    number, register : (rows), the rows of a point together.
    asked : (rows), whether a row counts. known : (rows), how many of its readings there are.

    Returns
    -------
    runs, of the first row of the point and register; observed is how many were not read.
    """
    rows, positions = reading.shape
    runs = np.empty((0, 4), np.int64)
    made = 0
    begin = 0
    for row in range(rows):
        if number[row] != number[begin]:
            begin = row
        if not asked[row] or known[row] == positions:
            continue
        end = row + 1
        alone = True
        while end < rows and number[end] == number[row]:
            alone = alone and not (asked[end] and register[end] == register[row])
            end += 1
        earlier = False
        for other in range(begin, row):
            earlier = earlier or (asked[other] and register[other] == register[row])
        if earlier:
            continue
        p = next_unread(reading, row, 0)
        while p < positions:
            first = p
            while p < positions and _unread_by_all(reading, p, row, end, alone, register, asked):
                p += 1
            if p > first:
                runs = run_of(runs, made, row, first, p - 1, p - first)
                made += 1
            p = next_unread(reading, row, max(p, first + 1))
    return runs[:made]


@compiled
def hold_together(accepted: Any, rows: Any, rolls_at: Any, tolerance: int) -> Any:
    """Take out, in place, the readings at which total and tariffs contradict each other.

    Parameters
    ----------
    accepted : (rows, periods + 1) [Wh]. rows : (lanes, 3), of the total and both tariffs.
    rolls_at : (lanes) [Wh]; where it is above 0 they are compared modulo it.
    tolerance : how far the total may be from the sum of its tariffs [Wh].

    Returns
    -------
    drift : (lanes), how much further they are apart at the end of the day than at its start [Wh],
    0 where one is not known; runs, of lanes, with how far they are apart [Wh].
    """
    lanes, positions = rows.shape[0], accepted.shape[1]
    drift = np.zeros(lanes, np.int64)
    runs = np.empty((0, 4), np.int64)
    made = 0
    for lane in range(lanes):
        total, one, two = rows[lane, 0], rows[lane, 1], rows[lane, 2]
        size = rolls_at[lane]
        start = np.int64(0)
        started = False
        open_run = False
        for p in range(positions):
            together = (
                accepted[total, p] != NOT_READ
                and accepted[one, p] != NOT_READ
                and accepted[two, p] != NOT_READ
            )
            off = np.int64(0)
            if together:
                off = accepted[total, p] - accepted[one, p] - accepted[two, p]
                if size > 0:
                    off = (off + size // 2) % size - size // 2
                if p == 0:
                    start, started = off, True
                elif p == positions - 1 and started:
                    drift[lane] = off - start
            wrong: Any = abs(off) > tolerance
            if wrong:
                accepted[total, p] = NOT_READ
                accepted[one, p] = NOT_READ
                accepted[two, p] = NOT_READ
                if not open_run:
                    runs = run_of(runs, made, lane, p, p, off)
                    made += 1
                runs[made - 1, 2] = p
            open_run = wrong
    return drift, runs[:made]
