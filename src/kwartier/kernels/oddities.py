"""Volumes that are possible but odd.

`volume` is int64 (series, periods) [Wh], NOT_READ where not measured. What is found of periods that
follow each other comes out as runs, int64 (n, 4): row, first column, last column, what was observed
in the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.arrays import NOT_READ
from kwartier.kernels.compiled import compiled, run_of, with_room

_MOST = np.int64(np.iinfo(np.int64).max)


@compiled
def still(volume: Any, starts: Any, least: int) -> Any:
    """Find the periods without energy in any series of a point, `least` or more on end.

    Parameters
    ----------
    starts : (points + 1), the first series of each point, and how many series there are.
    least : above 0.

    Returns
    -------
    runs, of points; observed is how many periods.
    """
    periods = volume.shape[1]
    runs = np.empty((0, 4), np.int64)
    made = 0
    for point in range(starts.size - 1):
        # So many periods on end hold at least one of every so many.
        at_all = False
        for t in range(least - 1, periods, least):
            quiet: Any = True
            for s in range(starts[point], starts[point + 1]):
                quiet = quiet and volume[s, t] == 0
            at_all = at_all or quiet
        if not at_all:
            continue
        length = 0
        for t in range(periods + 1):
            quiet = t < periods
            if quiet:
                for s in range(starts[point], starts[point + 1]):
                    quiet = quiet and volume[s, t] == 0
            if quiet:
                length += 1
            else:
                if length >= least:
                    runs = run_of(runs, made, point, t - length, t - 1, length)
                    made += 1
                length = 0
    return runs[:made]


@compiled
def both_above(volume: Any, pairs: Any, least: int) -> Any:
    """Find the periods in which two series are above `least` [Wh].

    Parameters
    ----------
    pairs : the first of two series that follow each other.

    Returns
    -------
    runs, of pairs; observed is the smaller of the volumes [Wh].
    """
    runs = np.empty((0, 4), np.int64)
    made = 0
    for pair in range(pairs.size):
        s = pairs[pair]
        highest = np.int64(NOT_READ)
        for t in range(volume.shape[1]):
            highest = max(highest, min(volume[s, t], volume[s + 1, t]))
        if highest <= least:
            continue
        open_run = False
        for t in range(volume.shape[1]):
            smaller = min(volume[s, t], volume[s + 1, t])
            if smaller > least:
                if not open_run:
                    runs = run_of(runs, made, pair, t, t, smaller)
                    made += 1
                runs[made - 1, 2] = t
            open_run = smaller > least
    return runs[:made]


@compiled
def _twice_median(values: Any, count: int) -> Any:
    """Put the first `count` values in order, at least one, and give twice their median."""
    for k in range(1, count):
        value = values[k]
        slot = k
        while slot > 0 and values[slot - 1] > value:
            values[slot] = values[slot - 1]
            slot -= 1
        values[slot] = value
    return values[count // 2] + values[(count - 1) // 2]


@compiled
def far_from_median(volume: Any, factor: int, floor: int) -> Any:
    """Find the volumes further than factor × max(1.4826 × MAD, floor) from the median of the day.

    Returns
    -------
    runs : int64 (n, 5): as other runs, observed being how far from the median [Wh], and how far is
        allowed [Wh].
    """
    periods = volume.shape[1]
    values = np.empty(periods, np.int64)
    runs = np.empty((0, 5), np.int64)
    made = 0
    for s in range(volume.shape[0]):
        highest, lowest = -_MOST, _MOST
        for t in range(periods):
            wh = volume[s, t]
            if wh != NOT_READ:
                highest = max(highest, wh)
                lowest = min(lowest, wh)
        # No volume is further from the median than the span of all of them.
        if highest < lowest or highest - lowest <= factor * floor:
            continue
        count = 0
        for t in range(periods):
            if volume[s, t] != NOT_READ:
                values[count] = volume[s, t]
                count += 1
        twice_median = _twice_median(values, count)
        for k in range(count):
            values[k] = abs(2 * values[k] - twice_median)
        four_mad = _twice_median(values, count)
        # 1.4826 in ten-thousandths, and the medians' factors of two, keep it whole.
        allowed = factor * max(14_826 * four_mad, 40_000 * floor)
        open_run = False
        for t in range(periods):
            wh = volume[s, t]
            beyond = wh != NOT_READ and 20_000 * abs(2 * wh - twice_median) > allowed
            if beyond:
                if not open_run:
                    runs = with_room(runs, made)
                    runs[made, 0] = s
                    runs[made, 1] = t
                    runs[made, 3] = (2 * wh - twice_median) // 2
                    runs[made, 4] = allowed // 40_000
                    made += 1
                runs[made - 1, 2] = t
            open_run = beyond
    return runs[:made]
