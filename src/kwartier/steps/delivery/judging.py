"""Delivered rows → their market day and position, and which of them may not be kept.

Source: domain §5; decisions §4, §5, §19.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kwartier import findings, periods
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
    quarter = (stamp + periods.SECONDS // 2) // periods.SECONDS
    off = np.abs(stamp - quarter * periods.SECONDS)
    # Rows share few quarter-hours, so each is located once.
    first, last = (int(quarter.min()), int(quarter.max())) if len(quarter) else (0, 0)
    days, seconds = periods.locate(np.arange(first, last + 1) * periods.SECONDS)
    quarter -= first
    day = days.astype(np.int32)[quarter]
    position = (seconds // periods.SECONDS).astype(np.uint8)[quarter]
    taken_in = int(periods.locate(np.array([recorded_at], np.int64))[0][0])
    observed, limit = np.zeros(len(number), np.int64), np.zeros(len(number), np.int64)
    rule = rule.copy()
    most, oldest = parameters.off_quarter_seconds, taken_in - parameters.too_old_days
    broken: Bools
    for name, broken, seen, allowed in (
        ("unknown_point", ~_among(number, known), lambda rows: 0, 0),
        ("in_future", complete > recorded_at, lambda rows: complete[rows] - recorded_at, 0),
        ("off_quarter", off > most, lambda rows: off[rows], most),
        ("too_old", day < oldest, lambda rows: taken_in - day[rows], parameters.too_old_days),
    ):
        if broken.any():
            rows = np.flatnonzero(broken & (rule < 0))
            rule[rows] = findings.RULE_INDEX[name]
            observed[rows] = seen(rows)
            limit[rows] = allowed
    return Judged(day, position, rule, observed, limit)


def _among(number: Int64s, known: Int64s) -> Bools:
    """Tell which numbers are known; those that follow each other are looked up once."""
    first = np.flatnonzero(differs(number))
    there = place_in(known, number[first]) >= 0
    if there.all():
        return np.ones(len(number), bool)
    return np.repeat(there, np.diff(first, append=len(number)))


def differs(*keys: npt.NDArray[Any]) -> Bools:
    """Tell which rows differ from the one before; the first does."""
    differs = np.ones(len(keys[0]), bool)
    differs[1:] = keys[0][1:] != keys[0][:-1]
    for key in keys[1:]:
        differs[1:] |= key[1:] != key[:-1]
    return differs
