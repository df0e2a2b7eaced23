"""Gaps at the edge of a day → the readings around them on other days, where they close it.

A gap that runs over midnight, or a whole day unread, has its readings in the days before and after.
Each day is judged by its own rules; a reading that the day itself did not accept closes nothing.
Source: domain §5 (the brackets may lie in the days before and after); decisions §11.
"""

from __future__ import annotations

from collections.abc import Callable
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
    Bools,
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


class Closed(NamedTuple):
    """Gaps at the edge of a day whose readings on both sides are known.

    `opens` and `closes` (gaps) are the moments of the two readings, in quarter-hours since 1970;
    `difference` (gaps) what the register counted between them [Wh].
    """

    gaps: Gaps
    opens: Int64s
    closes: Int64s
    difference: Int64s

    def days(self) -> list[date]:
        """List the market days that the gaps lie on."""
        spans = np.unique(np.stack(days_over(self.opens, self.closes)), axis=1).T.tolist()
        held = sorted({day for first, last in spans for day in range(first, last + 1)})
        return [periods.day_of_number(day) for day in held]


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
) -> tuple[Closed, Gaps, Records]:
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
    opening = periods.day_start(day) // periods.SECONDS
    head, tail, whole = (gaps["kind"] == kind for kind in (HEAD, TAIL, WHOLE))
    own = _own(gaps, points, opening + np.where(head, gaps["last"], gaps["first"]))
    search = _Search(day, points, ask, parameters)
    # On the day of an exchange the gaps at both ends of a series are of different meters.
    before = search.nearest(own, ~tail, head, last=True)
    # A whole day unread has the meter of the reading before it, and without one needs no other.
    known_before = before["number"] >= 0
    like = np.where(tail, own, before)
    after = search.nearest(like, tail | (whole & known_before), tail | whole, last=False)
    left, right = np.where(tail, own, before), np.where(head, own, after)

    elapsed = right["moment"] - left["moment"]
    fits = (left["number"] >= 0) & (right["number"] >= 0)
    first, last = days_over(left["moment"][fits], right["moment"][fits])
    # Every day of the gap must find both readings, or its parts would not close.
    fits[fits] = (elapsed[fits] <= parameters.bracket_periods) & (
        last - first <= parameters.bracket_days
    )
    difference = right["reading"] - left["reading"]
    connected = points.connected(gaps["point"])
    allowed = connected.limit * elapsed
    # A register that could have begun again more than once tells nothing by a fall.
    rolls_at = connected.rolls_at
    rolls = fits & (rolls_at > allowed)
    difference[rolls] %= rolls_at[rolls]
    possible = fits & (difference >= 0) & (difference <= allowed)
    broken = fits & ~possible
    found = findings.records(
        "broken_bracket",
        points.number[gaps["point"][broken]],
        register=np.array(findings.OF_DIRECTION)[gaps["direction"][broken]],
        first_period=gaps["first"][broken] + 1,
        last_period=gaps["last"][broken],
        observed=difference[broken],
        limit=allowed[broken],
    )
    closed = Closed(
        gaps[possible],
        left["moment"][possible],
        right["moment"][possible],
        difference[possible],
    )
    return closed, gaps[~possible], found


def _own(gaps: Gaps, points: Points, moment: Int64s) -> Ends:
    """Give the reading that the day itself knows at one side of each gap."""
    made = np.zeros(len(gaps), END)
    made["number"] = points.number[gaps["point"]]
    made["moment"] = moment
    for name in ("direction", "reading", "meter", "total"):
        made[name] = gaps[name]
    return made


class _Search(NamedTuple):
    """Looks for readings on the days around a day."""

    day: date
    points: Points
    ask: AskDay
    parameters: Parameters

    def nearest(self, like: Ends, wanted: Bools, of_meter: Bools, *, last: bool) -> Ends:
        """Find the reading nearest to the day, before it (last) or after it, of some series.

        No difference is taken between meters, nor between a total and a sum of tariffs.

        Parameters
        ----------
        like : (gaps), the series of each, and the meter that its reading must be of.
        wanted : (gaps), of which a reading is looked for; of a series at most one is.
        of_meter : (gaps), whether it must be of that meter; of any where not.

        Returns
        -------
        (gaps), number -1 where there is none.
        """
        found = np.zeros(len(like), END)
        found["number"] = -1
        order = np.nonzero(wanted)[0]
        key = _series(self.points, like["number"][order], like["direction"][order])
        order, key = order[np.argsort(key)], np.sort(key)
        for away in range(1, self.parameters.bracket_days + 1):
            if not len(order):
                break
            other = self.day + timedelta(days=-away if last else away)
            ends = self.ask(other, np.unique(like["number"][order]), last)
            ends = ends[np.argsort(ends["moment"] * (-1 if last else 1), kind="stable")]
            of_end = _series(self.points, ends["number"], ends["direction"])
            at = np.minimum(np.searchsorted(key, of_end), len(key) - 1)
            asked = like[order[at]]
            same = (asked["meter"] == ends["meter"]) & (asked["total"] == ends["total"])
            fits = np.nonzero((key[at] == of_end) & (same | ~of_meter[order[at]]))[0]
            taken, nearest = np.unique(at[fits], return_index=True)
            found[order[taken]] = ends[fits[nearest]]
            left = np.ones(len(order), bool)
            left[taken] = False
            order, key = order[left], key[left]
        return found


def _series(points: Points, number: Int64s, direction: Int64s) -> Int64s:
    return np.asarray(np.searchsorted(points.number, number) * 2 + direction, np.int64)


def days_over(opens: Int64s, closes: Int64s) -> tuple[Int64s, Int64s]:
    """Give the numbers of the first and the last market day of what lies between moments."""
    first, _ = periods.locate(opens * periods.SECONDS)
    last, _ = periods.locate((closes - 1) * periods.SECONDS)
    return first, last
