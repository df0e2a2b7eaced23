"""The narrow half of the way: what an area's points add up to → its closed allocation.

narrow() runs once per grid area and day, in process, on small tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from kwartier import codes, findings, periods, tables
from kwartier.arrays import (
    HEAD,
    MEASURABLE,
    NO_CURRENT,
    PROFILED,
    TAIL,
    WHOLE,
    WITHIN,
    AreaPoints,
    Cell,
    Couplings,
    Covered,
    Delivered,
    Gaps,
    Int64s,
    Line,
    Points,
    Volumes,
    place_in,
)
from kwartier.findings import Records
from kwartier.pipeline.wide import Day, Partial
from kwartier.steps import (
    allocation,
    balance,
    brackets,
    estimation,
    individual,
    profiles,
    residual,
    telemetry,
    unmetered,
)


@dataclass(frozen=True)
class Area:
    """What a grid area has on a day beside its smart meters and profiled points.

    `delivered` holds the quarter volumes of its telemetry and loss points and of its couplings.
    """

    others: AreaPoints
    couplings: Couplings
    delivered: Delivered
    standards: profiles.Standards


@dataclass(frozen=True)
class Around:
    """What the days around a day are asked.

    Parameters
    ----------
    ends : the last or first accepted reading of some points on another day.
    read : which of some points another day accepted a reading of, by number.
    points_on : which of some points the area has on another day, as they are then.
    shapes_on : all areas' shapes on any day.
    reaches_back : whether anything was read in the area so many days before, or earlier.
    """

    ends: brackets.AskDay
    read: Callable[[date, Int64s], Int64s]
    points_on: Callable[[date, Int64s], Points]
    shapes_on: Callable[[date], profiles.Shapes]
    reaches_back: Callable[[int], bool]


@dataclass(frozen=True)
class Result:
    """What a run of one grid area and day gives.

    `tables` by name: all of tables.RESULTS, or only the findings where the area is `refused`,
    which says why.
    """

    tables: Mapping[str, pa.Table]
    refused: str | None = None


def narrow(
    day: Day, partial: Partial, area: Area, around: Around, found: Sequence[Records]
) -> Result:
    """Fill what was not measured, allocate by profile, close the area, and make its tables.

    Parameters
    ----------
    found : findings that were made before.

    Raises
    ------
    balance.NotConserved : an error of this program.
    """
    n = day.periods
    given = telemetry.give(area.others, area.delivered, n)
    exchange = telemetry.exchange(area.couplings, area.delivered, n)
    reckoned = unmetered.reckon(area.others, _ask(area.standards), n)
    day, unread, fell = _fall_back(day, partial, around)
    missing = [given.missing, exchange.missing, reckoned.missing]
    all_found = [*found, *partial.found, *missing, reckoned.found, unread, fell]
    if any(len(records) for records in missing):
        return _refused(day, missing, all_found)

    smart = _smart_meters(day, partial, around)
    profiled = profiles.profile(day.points, smart.fraction, smart.basis)
    lines = [*smart.lines, *given.lines, *reckoned.lines]
    closing = _close(
        day, lines, given.losses, exchange if len(area.couplings.number) else None, profiled
    )

    name, cells = (day.day, day.points.grid_area), day.points.cells
    by_profile = (cells, profiled.points, closing.offtake, profiled.infeed)
    allocated = allocation.allocate(*name, [*lines, *allocation.profiled(*by_profile)])
    if closing.sums is not None:
        balance.prove(closing.sums, allocated)
    covered = [*smart.covered, *given.covered, *reckoned.covered]
    covered += allocation.cover_profiled(*by_profile, smart.status)
    shapes = around.shapes_on(day.day)
    made = {
        "allocation": allocated,
        "coverage": allocation.cover(*name, covered),
        "findings": _table(day, [*all_found, *smart.found, closing.found]),
        "balance": closing.balance,
        "residual": closing.residual,
        "individual": individual.table(*name, area.others, [*given.own, *reckoned.own]),
        "fractions": profiles.table(
            *name, [_kind(cell) for cell in cells], lambda kind, d: shapes.of(name[1], kind, d)
        ),
    }
    return Result({table.name: made[table.name] for table in tables.RESULTS})


@dataclass(frozen=True)
class _Closing:
    """The profiled offtake (cells, periods) [Wh], and the balance that it closes.

    `sums` is None, and the tables are empty, where no coupling of the area is known.
    """

    offtake: Int64s
    sums: balance.Balance | None
    balance: pa.Table
    residual: pa.Table
    found: Records


def _close(
    day: Day,
    lines: Sequence[Line],
    losses: Mapping[str, Int64s],
    exchange: telemetry.Exchange | None,
    profiled: profiles.Profiled,
) -> _Closing:
    """Assign what is left of an area's energy to its profiled offtake."""
    if exchange is None:
        open_area = np.full(1, findings.OF_AREA, np.int64)
        return _Closing(
            residual.assume(profiled.weights),
            None,
            tables.BALANCE.empty(),
            tables.RESIDUAL.empty(),
            findings.records(
                "area_not_closed", open_area, first_period=1, last_period=day.periods, limit=1
            ),
        )
    name, infeed = (day.day, day.points.grid_area), profiled.infeed.sum(axis=0)
    sums = balance.add_up(lines, losses, exchange.into, exchange.out)
    sums[codes.PROFILE, 1] += infeed
    closed = residual.close(balance.missing_offtake(sums), profiled.weights, day.parameters)
    sums[codes.PROFILE, 0] += closed.offtake.sum(axis=0)
    sums[codes.UNASSIGNED, 0] += closed.unassigned
    return _Closing(
        closed.offtake,
        sums,
        balance.table(*name, sums),
        residual.table(*name, closed, infeed),
        closed.found,
    )


def _table(day: Day, found: Sequence[Records]) -> pa.Table:
    return findings.table(np.concatenate(found), periods.number(day.day), day.points.grid_area)


def _refused(day: Day, missing: Sequence[Records], found: Sequence[Records]) -> Result:
    """Give the findings of an area that cannot be closed, and say why it cannot."""
    rules = np.concatenate(missing)
    words = []
    for rule, what in (
        ("missing_volumes", "quarter volumes are missing of {} points or couplings, {:,} periods"),
        ("missing_profile", "dimensioned profiles are missing of {} unmetered points"),
    ):
        mine = rules[rules["rule"] == findings.RULE_INDEX[rule]]
        if len(mine):
            points = len(np.unique(mine["accounting_point"]))
            words.append(what.format(points, int(mine["observed"].sum())))
    return Result({"findings": _table(day, found)}, "; ".join(words) + "; its findings tell which")


def _ask(standards: profiles.Standards) -> unmetered.Ask:
    def ask(profile: str, category: str, type_: str, direction: int) -> unmetered.Asked:
        if not profile:
            return standards.of(category, type_, direction)
        # A dimensioned profile has no directions of its own.
        return standards.loaded(profile, "", 0)

    return ask


def _fall_back(day: Day, partial: Partial, around: Around) -> tuple[Day, Records, Records]:
    """Find the unread smart meters, and allocate those by profile that were unread for long.

    Returns
    -------
    day : with those points as profiled; unread_point; fell_back_to_profile.
    """
    points, allowed = day.points, day.parameters.unread_days_to_profile
    silent = np.nonzero((points.state == MEASURABLE) & ~partial.seen & ~partial.read)[0]
    unread = findings.records(
        "unread_point",
        points.number[silent],
        first_period=1,
        last_period=day.periods,
        limit=day.periods + 1,
    )
    left = np.nonzero((points.state == MEASURABLE) & ~partial.read)[0]
    if len(left) and not around.reaches_back(allowed):
        left = left[:0]
    for away in range(1, allowed + 1):
        if not len(left):
            break
        other = day.day - timedelta(days=away)
        numbers = points.number[left]
        on = around.points_on(other, numbers)
        readable = np.isin(numbers, on.number[on.state == MEASURABLE])
        left = left[readable]
        if len(left):
            left = left[~np.isin(points.number[left], around.read(other, points.number[left]))]
    fell = findings.records(
        "fell_back_to_profile",
        points.number[left],
        first_period=1,
        last_period=day.periods,
        observed=allowed + 1,
        limit=allowed,
    )
    state = points.state.copy()
    state[left] = PROFILED
    return replace(day, points=points._replace(state=state)), unread, fell


@dataclass(frozen=True)
class _SmartMeters:
    """The series of the smart meters, and the fractions of the day for each cell."""

    lines: list[Line]
    covered: list[Covered]
    found: list[Records]
    fraction: Int64s
    basis: Int64s
    status: list[list[str]]


def _smart_meters(day: Day, partial: Partial, around: Around) -> _SmartMeters:
    """Fill what the smart meters did not measure, and sum them."""
    points, n = day.points, day.periods
    gaps = np.concatenate([*partial.gaps, _unread(day, partial)])
    gaps = gaps[points.state[gaps["point"]] == MEASURABLE]
    edge = np.isin(gaps["kind"], (HEAD, TAIL, WHOLE))
    closed, rest, broken = brackets.close(day.day, points, gaps[edge], around.ends, day.parameters)
    within = gaps[gaps["kind"] == WITHIN]
    rest = np.concatenate([gaps[~edge & (gaps["kind"] != WITHIN)], rest])

    shapes = {other: around.shapes_on(other) for other in {day.day, *closed.days()}}
    of = _of_cells(day, shapes[day.day])
    across = _across(day, closed, around.points_on, shapes)
    calculated = {
        codes.FROM_REGISTERS: estimation.from_registers(
            points, n, within, across, of.shape, of.status
        ),
        codes.FROM_ANNUAL: estimation.from_annual(
            points, n, rest, of.fraction, of.basis, of.status
        ),
        codes.FROM_NO_CURRENT: estimation.from_no_current(points, n),
    }
    measured = Volumes(
        partial.full_volume + partial.part_volume,
        partial.full_points[:, :, None] + partial.part_points,
        partial.full_points + partial.part_any,
        (),
    )
    counted = np.zeros(len(points.cells), np.int64)
    np.add.at(counted, points.cell[points.state != PROFILED], 1)
    by_default = estimation.without_annual(points, n, rest, points.state == PROFILED)
    return _SmartMeters(
        allocation.metered(points.cells, counted, measured, calculated),
        allocation.cover_metered(points.cells, counted, measured, calculated),
        [broken, by_default],
        of.fraction,
        of.basis,
        of.status,
    )


def _unread(day: Day, partial: Partial) -> Gaps:
    """List the smart meters of which nothing came that day, as gaps of a whole day."""
    points = day.points
    unread = (points.state == MEASURABLE) & ~partial.seen & ~partial.read
    silent = np.nonzero(unread)[0]
    gaps = [
        estimation.gaps_of(WHOLE, part, d, 0, day.periods)
        for d, part in enumerate((silent, silent[points.with_infeed[silent]]))
    ]
    return np.concatenate(gaps)


@dataclass(frozen=True)
class _OfCells:
    """(cells, 2, periods): shape [mWh], fraction [1e-8], its basis; (cells, 2): the status."""

    shape: Int64s
    fraction: Int64s
    basis: Int64s
    status: list[list[str]]


def _of_cells(day: Day, shapes: profiles.Shapes) -> _OfCells:
    area = day.points.grid_area
    # Cells are many and kinds few.
    place: dict[profiles.OfKind, int] = {}
    at = np.array([place.setdefault(_kind(c), len(place)) for c in day.points.cells], np.int64)
    of = [[shapes.of(area, kind, d) for d in range(2)] for kind in place]
    size = (len(of), 2, day.periods)
    shape, fraction, basis = (
        np.array([[getattr(s, name) for s in pair] for pair in of], np.int64).reshape(size)[at]
        for name in ("shape", "fraction", "basis")
    )
    status = [[s.status for s in pair] for pair in of]
    return _OfCells(shape, fraction, basis, [status[i] for i in at.tolist()])


def _kind(cell: Cell) -> profiles.OfKind:
    return cell.profile_category, cell.consumption_type


def _across(
    day: Day,
    closed: brackets.Closed,
    points_on: Callable[[date, Int64s], Points],
    shapes: Mapping[date, profiles.Shapes],
) -> estimation.Across:
    """Give gaps over several days the shape that each day has for the point as it was then."""
    number = day.points.number[closed.gaps["point"]]
    own = day.points.cell[closed.gaps["point"]]
    direction = closed.gaps["direction"]
    first_day, last_day = brackets.days_over(closed.opens, closed.closes)
    weights: list[Int64s] = []
    row_of: dict[tuple[date, profiles.OfKind, int], int] = {}
    pieces = []
    for other in closed.days():
        on, opening = periods.number(other), periods.day_start(other) // periods.SECONDS
        over = np.nonzero((first_day <= on) & (on <= last_day))[0]
        points = points_on(other, np.unique(number[over]))
        at = place_in(points.number, number[over])
        there = at >= 0
        cells = [*day.points.cells, *points.cells]
        cell = own[over].copy()
        cell[there] = len(day.points.cells) + points.cell[at[there]]
        shape = np.empty(len(over), np.int64)
        for key in np.unique(cell * 2 + direction[over]).tolist():
            kind, d = _kind(cells[key // 2]), key % 2
            if (other, kind, d) not in row_of:
                row_of[other, kind, d] = len(weights)
                weights.append(shapes[other].of(day.points.grid_area, kind, d).shape)
            shape[cell * 2 + direction[over] == key] = row_of[other, kind, d]
        # A day without current has its zeros, so all of the difference is of the other days.
        dead = there.copy()
        dead[there] = points.state[at[there]] == NO_CURRENT
        shape[dead] = -1
        length = periods.count(other)
        start = np.maximum(closed.opens[over] - opening, 0)
        end = np.minimum(closed.closes[over] - opening, length)
        pieces.append((over, shape, start, end, np.full(len(over), other == day.day)))
    none = (np.empty(0, np.int64),) * 4 + (np.empty(0, bool),)
    gap, shape, start, end, mine = map(np.concatenate, zip(none, *pieces, strict=True))
    order = np.argsort(gap, kind="stable")
    widths = np.zeros((len(weights), max(map(len, weights), default=0)), np.int64)
    for row, weight in enumerate(weights):
        widths[row, : len(weight)] = weight
    return estimation.Across(
        closed.gaps,
        closed.difference,
        np.searchsorted(gap[order], np.arange(len(closed.gaps) + 1)),
        shape[order],
        start[order],
        end[order],
        mine[order],
        widths,
    )
