"""The way on one page: from day rows to the allocation of a grid area.

wide() runs per batch of points, on any engine, and does no I/O. narrow() runs once per grid area
and day on small tables. Between them the points with a gap at the edge of the day are looked up in
the days around it. No narrow table holds an accounting point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from kwartier import codes, findings, kernels, periods
from kwartier.arrays import (
    HEAD,
    MEASURABLE,
    NO_CURRENT,
    NOT_READ,
    PROFILED,
    TAIL,
    WHOLE,
    WITHIN,
    Bools,
    Cell,
    Counters,
    Ends,
    Gaps,
    Int64s,
    Points,
    Rows,
    Series,
    Volumes,
    lanes_of,
)
from kwartier.findings import Records
from kwartier.parameters import Parameters
from kwartier.steps import allocation, brackets, estimation, profiles, validation, volumes


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

    @cached_property
    def usable_cell(self) -> Int64s:
        """The cell of each point whose readings are used, -1 of every other."""
        return np.where(self.points.state == MEASURABLE, self.points.cell, -1).astype(np.int64)

    @cached_property
    def plain(self) -> Bools:
        """Which points have readings that need no multiplier."""
        return np.asarray(self.points.multiplier == 1)


@dataclass
class Partial:
    """What batches of points add up to; partials of different batches add up to the area's."""

    full_volume: Int64s  # cells, 2, periods: points measured the whole day
    full_points: Int64s  # cells, 2
    full_annual: Int64s  # cells, 2
    part_volume: Int64s  # cells, 2, periods: the measured periods of other points
    part_points: Int64s  # cells, 2, periods
    part_any: Int64s  # cells, 2
    seen: Bools  # points
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
        )

    def add(self, other: Partial) -> None:
        """Add what other points add up to; whole numbers, so the order does not matter."""
        self.full_volume += other.full_volume
        self.full_points += other.full_points
        self.full_annual += other.full_annual
        self.part_volume += other.part_volume
        self.part_points += other.part_points
        self.part_any += other.part_any
        self.seen |= other.seen
        self.gaps += other.gaps
        self.found += other.found


def wide(rows: Rows, day: Day, into: Partial) -> None:
    """Sum the volumes of a batch of points, and carry out what is doubtful or not measured.

    Points whose readings are all there and beyond doubt are summed in one pass; the others take
    the way of validation, volumes and gaps.
    """
    points = day.points
    if rows.complete:
        doubtful = np.empty(len(rows.number), np.int64)
        parameters = day.parameters
        filled = kernels.first_visit(
            rows.number,
            rows.register,
            rows.reading,
            points.number,
            day.usable_cell,
            points.limit,
            day.plain,
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
            into.seen,
            doubtful,
        )
        if not filled:
            return
        rows = rows.take(doubtful[:filled])
    counters, found = _judge(rows, day)
    if not len(counters.point):
        into.found.append(found)
        return
    number = points.number
    series, together = volumes.derive(number, counters)
    warned = validation.warn(number[series.point], series.direction, series.volume, day.parameters)
    lacking, absent = _unread_directions(series, day)
    into.found += [found, together, warned, absent]
    into.gaps += [estimation.find_gaps(counters, series), lacking]
    into.seen[series.point] = True
    _sum(series, points, into)


def _judge(rows: Rows, day: Day) -> tuple[Counters, Records]:
    """Validate the readings of a batch and sum them per meter and direction."""
    points = day.points
    point = np.searchsorted(points.number, rows.number)
    usable = np.zeros(len(point), bool)
    inside = point < len(points.number)
    usable[inside] = points.number[point[inside]] == rows.number[inside]
    usable[usable] = points.state[point[usable]] == MEASURABLE
    rows, point = rows.take(usable), point[usable]
    reading = rows.reading.astype(np.int64)
    lanes = lanes_of(point, rows.meter, rows.register)
    accepted, found = validation.accept(
        rows.number,
        rows.meter,
        rows.register,
        reading,
        rows.bits(),
        lanes,
        limit=points.limit[point],
        multiplier=points.multiplier[point],
        rolls_at=points.rolls_at[point],
        parameters=day.parameters,
    )
    counters = volumes.combine(point, rows.meter, accepted, lanes)
    # Each register kept its limit; the sum of two must keep it too.
    summed, above = validation.chain(
        points.number[counters.point],
        np.array(findings.OF_DIRECTION)[counters.direction],
        counters.reading,
        points.limit[counters.point],
    )
    return counters._replace(reading=summed), np.concatenate([found, above])


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
    return np.concatenate(gaps), np.concatenate(found)


def _sum(series: Series, points: Points, into: Partial) -> None:
    kernels.add_volumes(
        points.cell[series.point],
        series.direction,
        series.volume,
        (series.volume != NOT_READ).all(axis=1),
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


class Result(NamedTuple):
    """What a run of one grid area and day gives."""

    allocation: pa.Table
    coverage: pa.Table
    findings: pa.Table


def narrow(
    day: Day,
    partial: Partial,
    ask: brackets.AskDay,
    day_on: Callable[[date], Day],
    shapes_on: Callable[[date], profiles.Shapes],
    found: Sequence[Records],
) -> Result:
    """Fill what was not measured, and make the area's tables.

    Parameters
    ----------
    ask : gives the readings of other days, to close gaps at the edge of this one.
    day_on, shapes_on : give the area's points, and all areas' shapes, of this day and of every
        other day that a gap runs over.
    found : findings that were made before.
    """
    points, n = day.points, day.periods
    unread, silent = _unread(day, partial)
    gaps = np.concatenate([*partial.gaps, unread])
    edge = np.isin(gaps["kind"], (HEAD, TAIL, WHOLE))
    closed, rest, broken = brackets.close(day.day, points, gaps[edge], ask, day.parameters)
    within = gaps[gaps["kind"] == WITHIN]
    rest = np.concatenate([gaps[~edge & (gaps["kind"] != WITHIN)], rest])

    shapes = {other: shapes_on(other) for other in {day.day} | brackets.days_of(closed)}
    shape, fraction, status = _of_cells(day, shapes[day.day])
    across = [_across(day, one, day_on, shapes) for one in closed]
    calculated = {
        codes.FROM_REGISTERS: estimation.from_registers(points, n, within, across, shape, status),
        codes.FROM_ANNUAL: estimation.from_annual(points, n, rest, fraction, status),
        codes.FROM_NO_CURRENT: estimation.from_no_current(points, n),
    }
    measured = Volumes(
        partial.full_volume + partial.part_volume,
        partial.full_points[:, :, None] + partial.part_points,
        partial.full_points + partial.part_any,
        (),
    )
    metered = np.zeros(len(points.cells), np.int64)
    profiled = np.zeros((len(points.cells), 2), np.int64)
    np.add.at(metered, points.cell[np.isin(points.state, (MEASURABLE, NO_CURRENT))], 1)
    by_profile = points.state == PROFILED
    np.add.at(profiled[:, 0], points.cell[by_profile], 1)
    np.add.at(profiled[:, 1], points.cell[by_profile & points.with_infeed], 1)

    of_area = (day.day, points.grid_area, points.cells, metered)
    by_default = estimation.without_annual(points, n, rest)
    all_found = [*found, *partial.found, silent, broken, by_default]
    return Result(
        allocation.allocate(*of_area, measured, calculated),
        allocation.cover(*of_area, profiled, measured, calculated),
        findings.table(np.concatenate(all_found), periods.number(day.day), points.grid_area),
    )


def _unread(day: Day, partial: Partial) -> tuple[Gaps, Records]:
    """List the points that should have been read and of which nothing came that day."""
    points = day.points
    silent = np.nonzero((points.state == MEASURABLE) & ~partial.seen)[0]
    gaps = [
        estimation.gaps_of(WHOLE, part, d, 0, day.periods)
        for d, part in enumerate((silent, silent[points.with_infeed[silent]]))
    ]
    found = findings.records(
        "unread_point",
        points.number[silent],
        first_period=1,
        last_period=day.periods,
        limit=day.periods + 1,
    )
    return np.concatenate(gaps), found


def _of_cells(day: Day, shapes: profiles.Shapes) -> tuple[Int64s, Int64s, list[list[str]]]:
    """Give the shape, the fraction and their status for each cell and direction."""
    area = day.points.grid_area
    of = [[shapes.of(area, _kind(cell), d) for d in range(2)] for cell in day.points.cells]
    size = (len(of), 2, day.periods)
    shape = np.array([[s.shape for s in pair] for pair in of], np.int64).reshape(size)
    fraction = np.array([[s.fraction for s in pair] for pair in of], np.int64).reshape(size)
    return shape, fraction, [[s.status for s in pair] for pair in of]


def _kind(cell: Cell) -> profiles.OfKind:
    return cell.profile_category, cell.consumption_type


def _across(
    day: Day,
    one: brackets.Bracket,
    day_on: Callable[[date], Day],
    shapes: Mapping[date, profiles.Shapes],
) -> estimation.Across:
    """Give a gap over several days the shape that each of them has for the point as it was then."""
    number = day.points.number[one.gap["point"]]
    own = day.points.cell[one.gap["point"]]
    days = brackets.days_over(one.opens, one.closes)
    weights, live = [], []
    for other in days:
        opening = periods.day_start(other) // periods.SECONDS
        points = day_on(other).points
        at = np.searchsorted(points.number, number)
        there = at < len(points.number) and points.number[at] == number and points.cell[at] >= 0
        cell = points.cells[points.cell[at]] if there else day.points.cells[own]
        shape = shapes[other].of(points.grid_area, _kind(cell), int(one.gap["direction"])).shape
        part = shape[max(one.opens - opening, 0) : one.closes - opening]
        # A day without current has its zeros, so all of the difference is of the other days.
        current = not (there and points.state[at] == NO_CURRENT)
        weights.append(part * current)
        live.append(np.full(len(part), int(current), np.int64))
    if not any(part.any() for part in weights):
        weights = live
    return estimation.Across(one.gap, one.difference, weights, days.index(day.day))
