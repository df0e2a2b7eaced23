"""The wide half of the way: day rows → what batches of points add up to.

wide() runs on batches of points, on any engine, and does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np

from kwartier import findings, kernels, periods
from kwartier.arrays import (
    MEASURABLE,
    WHOLE,
    Bools,
    Counters,
    Ends,
    Gaps,
    Int32s,
    Int64s,
    Points,
    Rows,
    Series,
    joined,
    lanes_of,
    place_in,
)
from kwartier.findings import Records
from kwartier.parameters import Parameters
from kwartier.steps import brackets, estimation, profiles, validation, volumes

_TOGETHER = 8_192  # rows that are enough for a second look


@dataclass(frozen=True)
class Day:
    """All that wide() needs to know of a grid area on a market day."""

    day: date
    points: Points
    parameters: Parameters

    @cached_property
    def periods(self) -> int:
        """How many periods the day has."""
        return periods.count(self.day)

    def between(self, first: int, last: int) -> tuple[Day, int]:
        """Give the day with the points from one number to another only, and where they begin."""
        points, start = self.points.between(first, last)
        return Day(self.day, points, self.parameters), start

    @cached_property
    def usable_cell(self) -> Int32s:
        """The cell of each point whose readings are used, -1 of every other."""
        usable = self.points.state == MEASURABLE
        return np.where(usable, self.points.cell, np.int32(-1))


@dataclass
class Partial:
    """What batches of points add up to; partials of different batches add up to the area's."""

    full_volume: Int64s  # cells, 2, periods: points measured the whole day
    full_points: Int64s  # cells, 2
    full_annual: Int64s  # cells, 2
    part_volume: Int64s  # cells, 2, periods: the measured periods of other points
    part_points: Int64s  # cells, 2, periods
    part_any: Int64s  # cells, 2
    seen: Bools  # points of which rows came
    read: Bools  # points of which a reading was accepted
    gaps: list[Gaps] = field(default_factory=list)
    found: list[Records] = field(default_factory=list)

    @classmethod
    def nothing(cls, day: Day) -> Partial:
        """Begin with no points."""
        cells, n = len(day.points.cells), day.periods
        return cls(
            *(np.zeros((cells, 2, n), np.int64), np.zeros((cells, 2), np.int64)),
            np.zeros((cells, 2), np.int64),
            *(np.zeros((cells, 2, n), np.int64), np.zeros((cells, 2, n), np.int64)),
            np.zeros((cells, 2), np.int64),
            np.zeros(len(day.points.number), bool),
            np.zeros(len(day.points.number), bool),
        )

    def add(self, other: Partial, start: int = 0) -> None:
        """Add what other points add up to; whole numbers, so the order does not matter.

        start : where the points of the other begin among these.
        """
        self.full_volume += other.full_volume
        self.full_points += other.full_points
        self.full_annual += other.full_annual
        self.part_volume += other.part_volume
        self.part_points += other.part_points
        self.part_any += other.part_any
        part = slice(start, start + len(other.seen))
        self.seen[part] |= other.seen
        self.read[part] |= other.read
        for gaps in other.gaps:
            moved = gaps.copy()
            moved["point"] += start
            self.gaps.append(moved)
        self.found += other.found


def wide(batches: Iterable[Rows], day: Day, into: Partial) -> None:
    """Sum the volumes of batches of points, and carry out what is doubtful or not measured.

    Points whose readings are all there and beyond doubt are summed in one pass; the others take
    the way of validation, volumes and gaps, those of several batches together: it has many steps.

    batches : of different points, their numbers rising from one to the next.
    """
    waiting: list[Rows] = []
    for rows in batches:
        waiting.append(_first_visit(rows, day, into) if rows.complete else rows)
        del rows  # so that what it was read into can be used again
        if sum(len(rows.number) for rows in waiting) >= _TOGETHER:
            _second_look(waiting, day, into)
            waiting = []
    _second_look(waiting, day, into)


def _first_visit(rows: Rows, day: Day, into: Partial) -> Rows:
    """Sum the points of a batch that are beyond doubt, and give the rows of the others."""
    points, parameters = day.points, day.parameters
    doubtful = np.empty(len(rows.number), np.int64)
    filled = kernels.first_visit(
        rows.number,
        rows.register,
        rows.reading,
        points.number,
        day.usable_cell,
        points.connection,
        points.connections.limit,
        points.connections.multiplier,
        points.with_infeed,
        points.annual,
        (
            parameters.tariff_tolerance_wh,
            parameters.day_sum_tolerance_wh,
            parameters.outlier_factor * parameters.outlier_floor_wh,
            parameters.both_directions_wh,
            parameters.zero_run_periods,
        ),
        into.full_volume,
        into.full_points,
        into.full_annual,
        into.read,
        doubtful,
    )
    return rows.take(doubtful[:filled])


def _second_look(waiting: Sequence[Rows], day: Day, into: Partial) -> None:
    waiting = [rows for rows in waiting if len(rows.number)]
    if not waiting:
        return
    counters, found = _judge(joined(waiting), day)
    if not len(counters.point):
        into.found.append(found)
        return
    number = day.points.number
    series, together = volumes.derive(number, counters)
    warned = validation.warn(number[series.point], series.direction, series.volume, day.parameters)
    lacking, absent = _unread_directions(series, day)
    into.found.append(findings.joined(found, together, warned, absent))
    into.gaps += [estimation.find_gaps(counters, series), lacking]
    into.seen[series.point] = True
    into.read[counters.point[kernels.any_read(counters.reading)]] = True
    _sum(series, day.points, into)


def _judge(rows: Rows, day: Day) -> tuple[Counters, Records]:
    """Validate the readings of a batch and sum them per meter and direction."""
    points = day.points
    point = place_in(points.number, rows.number)
    usable = point >= 0
    usable[usable] = points.state[point[usable]] == MEASURABLE
    rows, point = rows.take(usable), point[usable]
    lanes = lanes_of(point, rows.meter, rows.register)
    connected = points.connected(point)
    accepted, found = validation.accept(
        rows.number,
        rows.meter,
        rows.register,
        rows.reading,
        rows.status,
        lanes,
        limit=connected.limit,
        multiplier=connected.multiplier,
        rolls_at=connected.rolls_at,
        parameters=day.parameters,
    )
    counters = volumes.combine(point, rows.meter, accepted, lanes)
    # Each register kept its limit; the sum of two must keep it too.
    summed = np.nonzero(~counters.total)[0]
    reading = counters.reading[summed]
    above = validation.chain(
        points.number[counters.point[summed]],
        np.array(findings.OF_DIRECTION)[counters.direction[summed]],
        reading,
        points.connected(counters.point[summed]).limit,
    )
    counters.reading[summed] = reading
    return counters, findings.joined(found, above)


def _unread_directions(series: Series, day: Day) -> tuple[Gaps, Records]:
    """Find the directions that a read point should have and of which no register came."""
    points = np.unique(series.point)
    has = [np.isin(points, series.point[series.direction == d]) for d in range(2)]
    lacking = [points[~has[0]], points[~has[1] & day.points.with_infeed[points]]]
    gaps = [estimation.gaps_of(WHOLE, lack, d, 0, day.periods) for d, lack in enumerate(lacking)]
    found = [
        findings.records(
            "missing_readings",
            day.points.number[lack],
            register=findings.OF_DIRECTION[d],
            first_period=1,
            last_period=day.periods,
            observed=day.periods + 1,
        )
        for d, lack in enumerate(lacking)
    ]
    return np.concatenate(gaps), findings.joined(*found)


def _sum(series: Series, points: Points, into: Partial) -> None:
    kernels.add_volumes(
        points.cell[series.point],
        series.direction,
        series.volume,
        points.annual[series.point, series.direction],
        (
            into.full_volume,
            into.full_points,
            into.full_annual,
            into.part_volume,
            into.part_points,
            into.part_any,
        ),
    )


def measured_of(day: Day, partial: Partial) -> dict[profiles.OfKind, profiles.Measured]:
    """Give what an area's fully measured points add up to, from which shapes are made."""
    return profiles.measured(
        day.points.cells, partial.full_volume, partial.full_points, partial.full_annual
    )


def ends_of(rows: Rows, day: Day, *, last: bool, but_edge: bool) -> Ends:
    """Give the last (or first) accepted reading of each series in a batch of another day."""
    counters, _ = _judge(rows, day)
    opens = periods.day_start(day.day) // periods.SECONDS
    return brackets.ends(day.points.number, counters, opens, last=last, but_edge=but_edge)


def read_of(rows: Rows, day: Day) -> Int64s:
    """List the points of a batch of another day of which it accepted a reading, by number."""
    counters, _ = _judge(rows, day)
    some = kernels.any_read(counters.reading)
    return np.unique(day.points.number[counters.point[some]])
