"""Gaps at the edge of a day → the readings around them on other days, where they close it.

A gap that runs over midnight, or a whole day unread, has its readings in the days before and after.
Each day is judged by its own rules; a reading that the day itself did not accept closes nothing.
Source: domain §5 (the brackets may lie in the days before and after); decisions §11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from kwartier import findings, periods
from kwartier.arrays import (
    END,
    HEAD,
    NOT_READ,
    TAIL,
    WHOLE,
    Counters,
    Ends,
    Gaps,
    Int64s,
    Points,
)
from kwartier.findings import Records
from kwartier.parameters import Parameters

# Asks another day for the last (True) or the first reading of some points, given by number.
AskDay = Callable[[date, Int64s, bool], Ends]
_OfSeries = tuple[int, int]  # point and direction
_Meter = tuple[int, int]  # its code, and whether the total was read


class Bracket(NamedTuple):
    """A gap at the edge of a day whose readings on both sides are known.

    `opens` and `closes` are the moments of the two readings, in quarter-hours since 1970.
    """

    gap: np.void
    opens: int
    closes: int
    difference: int


def ends(number: Int64s, counters: Counters, opening: int, *, last: bool, but_edge: bool) -> Ends:
    """Give the last (or first) known reading of each point, direction and meter on a day.

    Parameters
    ----------
    number : (points), the number of each point.
    opening : the moment of position 0, in quarter-hours since 1970.
    last : the last reading, else the first.
    but_edge : leave out the reading at the midnight towards the day that asks: it shares that
        moment and did not accept it.
    """
    reading = counters.reading
    read = reading != NOT_READ
    if but_edge:
        read[:, -1 if last else 0] = False
    some = np.nonzero(read.any(axis=1))[0]
    read = read[some]
    at = read.shape[1] - 1 - read[:, ::-1].argmax(axis=1) if last else read.argmax(axis=1)
    made = np.zeros(len(some), END)
    made["number"] = number[counters.point[some]]
    made["direction"] = counters.direction[some]
    made["moment"] = opening + at
    made["reading"] = reading[some, at]
    made["meter"] = counters.meter[some]
    made["total"] = counters.total[some]
    return made


def close(
    day: date, points: Points, gaps: Gaps, ask: AskDay, parameters: Parameters
) -> tuple[list[Bracket], Gaps, Records]:
    """Look around the day for the readings that close the gaps at its edges.

    Parameters
    ----------
    gaps : of kind HEAD, TAIL or WHOLE.
    ask : gives the readings of other days; a day without readings gives none.

    Returns
    -------
    closed : the gaps that can be spread on a register difference; rest : those that cannot;
    found : broken_bracket.
    """
    series = _series(gaps)
    kinds = gaps["kind"].tolist()
    own = zip(gaps["meter"].tolist(), gaps["total"].tolist(), strict=True)
    # On the day of an exchange the gaps at both ends of a series are of different meters.
    meters: dict[int, dict[_OfSeries, _Meter]] = {HEAD: {}, TAIL: {}, WHOLE: {}}
    for one, kind, meter in zip(series, kinds, own, strict=True):
        meters[kind][one] = meter
    open_before = {s for s, kind in zip(series, kinds, strict=True) if kind != TAIL}
    before = _search(day, points, open_before, meters[HEAD], ask, parameters, last=True)
    # A whole day unread has the meter of the reading before it, and without one needs no other.
    like_before = {s: _meter(end) for s, end in before.items()} | meters[TAIL]
    open_after = {
        s
        for s, kind in zip(series, kinds, strict=True)
        if kind == TAIL or (kind == WHOLE and s in before)
    }
    after = _search(day, points, open_after, like_before, ask, parameters, last=False)
    opening = periods.day_start(day) // periods.SECONDS
    closed: list[Bracket] = []
    rest: list[int] = []
    found = [np.empty(0, findings.RECORD)]
    for index, ((point, direction), kind) in enumerate(zip(series, kinds, strict=True)):
        rest.append(index)
        gap = gaps[index]
        left, right = before.get((point, direction)), after.get((point, direction))
        if kind == TAIL:
            left = _own(gap, opening + int(gap["first"]))
        elif kind == HEAD:
            right = _own(gap, opening + int(gap["last"]))
        if left is None or right is None:
            continue
        elapsed = int(right["moment"] - left["moment"])
        days = days_over(int(left["moment"]), int(right["moment"]))
        # Every day of the gap must find both readings, or its parts would not close.
        if elapsed > parameters.bracket_periods or len(days) - 1 > parameters.bracket_days:
            continue
        difference = int(right["reading"] - left["reading"])
        allowed = int(points.limit[point]) * elapsed
        # A register that could have begun again more than once tells nothing by a fall.
        if points.rolls_at[point] > allowed:
            difference %= int(points.rolls_at[point])
        if 0 <= difference <= allowed:
            closed.append(Bracket(gap, int(left["moment"]), int(right["moment"]), difference))
            rest.pop()
        else:
            found.append(
                findings.records(
                    "broken_bracket",
                    points.number[point : point + 1],
                    register=findings.OF_DIRECTION[direction],
                    first_period=int(gap["first"]) + 1,
                    last_period=int(gap["last"]),
                    observed=difference,
                    limit=allowed,
                )
            )
    return closed, gaps[np.array(rest, np.int64)], np.concatenate(found)


def _series(gaps: Gaps) -> list[_OfSeries]:
    return list(zip(gaps["point"].tolist(), gaps["direction"].tolist(), strict=True))


def _meter(end: np.void) -> _Meter:
    return int(end["meter"]), int(end["total"])


def _own(gap: np.void, moment: int) -> np.void:
    """Give the reading that the day itself knows at one side of the gap."""
    made = np.zeros(1, END)
    made["moment"] = moment
    for name in ("reading", "meter", "total"):
        made[name] = gap[name]
    own: np.void = made[0]
    return own


def _search(
    day: date,
    points: Points,
    open_series: set[_OfSeries],
    like: Mapping[_OfSeries, _Meter],
    ask: AskDay,
    parameters: Parameters,
    *,
    last: bool,
) -> dict[_OfSeries, np.void]:
    """Find the reading nearest to the day, before it (last) or after it, of each open series.

    No difference is taken between meters, nor between a total and a sum of tariffs: `like` says of
    which the reading must be; any where it says nothing.
    """
    nearest: dict[_OfSeries, np.void] = {}
    wanted = set(open_series)
    for away in range(1, parameters.bracket_days + 1):
        if not wanted:
            break
        other = day + timedelta(days=-away if last else away)
        index = np.array(sorted({point for point, _ in wanted}), np.int64)
        found = ask(other, points.number[index], last)
        found = found[np.argsort(found["moment"] * (-1 if last else 1), kind="stable")]
        at = np.searchsorted(points.number, found["number"])
        for point, end in zip(at.tolist(), found, strict=True):
            series = (point, int(end["direction"]))
            if series in wanted and like.get(series, _meter(end)) == _meter(end):
                nearest[series] = end
                wanted.discard(series)
    return nearest


def days_over(opens: int, closes: int) -> list[date]:
    """List the market days that the periods between two moments lie on."""
    edges = np.array([opens, closes - 1], np.int64) * periods.SECONDS
    first, last = periods.locate(edges)[0].tolist()
    return periods.between(periods.day_of_number(first), periods.day_of_number(last))


def days_of(closed: Sequence[Bracket]) -> set[date]:
    """Give the market days whose shapes are needed to spread the gaps."""
    return {day for one in closed for day in days_over(one.opens, one.closes)}
