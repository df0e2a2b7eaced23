"""What is delivered, long rows one after another: their quarter-hours, strips and day rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.arrays import NOT_READ
from kwartier.kernels.compiled import compiled
from kwartier.periods import SECONDS


@compiled
def to_quarters(stamp: Any, first: int, day_of: Any, position_of: Any) -> Any:
    """Find the day and position of each moment, by the quarter-hour that it is nearest to.

    Parameters
    ----------
    stamp : moments [s UTC].
    first : the lowest quarter-hour among them, in quarter-hours since 1970.
    day_of, position_of : the day and the position of that one and those after it.

    Returns
    -------
    day, position : int32, uint8; off : how far from its quarter-hour the furthest moment is [s].
    """
    day, position = np.empty(stamp.size, np.int32), np.empty(stamp.size, np.uint8)
    furthest = np.int64(0)
    for i in range(stamp.size):
        quarter = (stamp[i] + SECONDS // 2) // SECONDS
        furthest = max(furthest, abs(stamp[i] - quarter * SECONDS))
        day[i] = day_of[quarter - first]
        position[i] = position_of[quarter - first]
    return day, position, furthest


@compiled
def are_known(number: Any, known: Any) -> bool:
    """Tell whether all numbers are among some that are sorted; runs are looked up once."""
    if number.size and not known.size:
        return False
    for i in range(number.size):
        if i and number[i] == number[i - 1]:
            continue
        at = np.searchsorted(known, number[i])
        if at == known.size or known[at] != number[i]:
            return False
    return True


@compiled
def to_strips(number: Any, meter: Any, register: Any, rule: Any, day: Any, position: Any) -> Any:
    """Part readings into strips: of one point, meter, register and day, one after another.

    A reading at midnight is in two of them, first in that of the day that it ends.

    Parameters
    ----------
    number, meter, register, rule, day, position : of each reading; one whose rule is not below 0
        is left out.

    Returns
    -------
    row, position, closing : of each that is left, its index, its position, whether it ends a day:
        then its position is still 0; first, day : of each strip, where it begins, its day.
    """
    count = 0
    for i in range(rule.size):
        if rule[i] < 0:
            count += 2 if position[i] == 0 else 1
    row, closing = np.empty(count, np.int64), np.zeros(count, np.bool_)
    at = np.empty(count, np.uint8)
    first, on = np.empty(count, np.int64), np.empty(count, np.int64)
    made = strips = 0
    last = np.int64(0)  # the day of the strip that goes on
    other = True
    for i in range(rule.size):
        if i and not other:
            other = (
                number[i] != number[i - 1]
                or register[i] != register[i - 1]
                or meter[i] != meter[i - 1]
            )
        if rule[i] >= 0:
            continue
        for ends in range(1 if position[i] == 0 else 0, -1, -1):
            of = np.int64(day[i]) - ends
            if other or of != last:
                first[strips], on[strips] = made, of
                strips += 1
            row[made], closing[made], at[made] = i, ends == 1, position[i]
            made += 1
            last, other = of, False
    return row, at, closing, first[:strips].copy(), on[:strips].copy()


@compiled
def lay_strips(row: Any, first: Any, slot: Any, reading: Any, into: Any) -> Any:
    """Lay the readings of strips in their rows, each at its position.

    Parameters
    ----------
    row, first : the row of each strip, and where it begins.
    slot, reading : of each reading: twice its position, and 1 more where it counts; Wh.
    into : (rows, periods + 1), filled.

    Returns
    -------
    apart, counted : whether no position was filled twice; how many readings count.
    """
    apart = True
    counted = np.int64(0)
    for s in range(row.size):
        end = first[s + 1] if s + 1 < row.size else slot.size
        for k in range(first[s], end):
            p = slot[k] >> 1
            apart = apart and into[row[s], p] == NOT_READ
            into[row[s], p] = reading[k]
            counted += slot[k] & 1
    return apart, counted
