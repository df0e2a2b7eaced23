"""Delivered rows → their market day and position, and which of them may not be kept.

Source: domain §5; decisions §4, §5, §19.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kwartier import findings, kernels, periods
from kwartier.arrays import Bools, Int64s, place_in
from kwartier.parameters import Parameters


class Doubts(NamedTuple):
    """Rows that are not kept: rule (index in findings.RULE_NAMES), point, day, observed, limit."""

    rule: Int64s
    number: Int64s
    day: Int64s
    observed: Int64s
    limit: Int64s


class Judged(NamedTuple):
    """The day and position of rows, and the first rule that each comes under, -1 none.

    `observed` is 0 where what was observed is the row itself.
    """

    day: npt.NDArray[np.int32]
    position: npt.NDArray[np.uint8]
    rule: npt.NDArray[np.int16]
    observed: Int64s
    limit: Int64s

    def doubts(self, number: Int64s) -> Doubts:
        """Give the rows that come under a rule; number is the point of each row."""
        out = np.flatnonzero(self.rule >= 0)
        return Doubts(
            self.rule[out].astype(np.int64),
            number[out],
            self.day[out].astype(np.int64),
            np.maximum(self.observed[out], 1),
            self.limit[out],
        )


def judge(
    number: Int64s,
    stamp: Int64s,
    complete: Int64s,
    rule: npt.NDArray[np.int16],
    recorded_at: int,
    known: Int64s,
    parameters: Parameters,
) -> Judged:
    """Judge rows by their stamps; of several rules the first counts, and what came with the row.

    Parameters
    ----------
    stamp, complete : the moment that each row names, and the one at which it could be known.
    known : the points that are known on any day, sorted.
    """
    # Rows share few quarter-hours, so each is located once.
    ends = [stamp.min(), stamp.max()] if len(stamp) else [0, 0]
    first, last = (int(end + periods.SECONDS // 2) // periods.SECONDS for end in ends)
    days, seconds = periods.locate(np.arange(first, last + 1) * periods.SECONDS)
    day, position, furthest = kernels.to_quarters(
        stamp, first, days.astype(np.int32), (seconds // periods.SECONDS).astype(np.uint8)
    )
    taken_in = int(periods.locate(np.array([recorded_at], np.int64))[0][0])
    observed, limit = np.zeros(len(number), np.int64), np.zeros(len(number), np.int64)
    rule = rule.copy()
    off, oldest = parameters.off_quarter_seconds, parameters.too_old_days
    # Mostly none is broken, which is quicker to see than which are.
    rules: Sequence[tuple[str, bool, Callable[[], Int64s], int]] = (
        (
            "unknown_point",
            not kernels.are_known(number, known),
            lambda: (place_in(known, number) < 0).astype(np.int64),
            0,
        ),
        (
            "in_future",
            complete.max(initial=recorded_at) > recorded_at,
            lambda: complete - recorded_at,
            0,
        ),
        ("off_quarter", furthest > off, lambda: _off(stamp), off),
        ("too_old", taken_in - days[0] > oldest, lambda: taken_in - day.astype(np.int64), oldest),
    )
    for name, broken, of_row, most in rules:
        if broken:
            seen = of_row()
            rows = np.flatnonzero((seen > most) & (rule < 0))
            rule[rows] = findings.RULE_INDEX[name]
            observed[rows] = seen[rows]
            limit[rows] = most
    return Judged(day, position, rule, observed, limit)


def _off(stamp: Int64s) -> Int64s:
    """Tell how far each moment is from its quarter-hour [s]."""
    half = periods.SECONDS // 2
    return np.asarray(np.abs((stamp + half) % periods.SECONDS - half), np.int64)


def differs(*keys: npt.NDArray[Any]) -> Bools:
    """Tell which rows differ from the one before; the first does."""
    differs = np.ones(len(keys[0]), bool)
    differs[1:] = keys[0][1:] != keys[0][:-1]
    for key in keys[1:]:
        differs[1:] |= key[1:] != key[:-1]
    return differs
