"""Delivered readings and volumes → their market day and position, which may not be kept → rows.

A reading at local midnight serves both days. The values of points that may not be read are not
kept, only the fact. Within one delivery a reading stated twice is kept once, and readings that
contradict each other are not used; so it is with quarter volumes, which stand for themselves.
Source: FAQ; domain §5; decisions §4, §5, §19.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kwartier import codes, findings, periods
from kwartier.arrays import NOT_READ, Bools, Delivered, Int64s, Rows, joined
from kwartier.findings import Records
from kwartier.parameters import Parameters


class Readable(NamedTuple):
    """The points of all areas on a market day, sorted: number, index of the area, may be read."""

    number: Int64s
    area: Int64s
    readable: Bools


class Placed(NamedTuple):
    """Where readings go. A reading at midnight is here twice, first for the day that it ends.

    `row` is its index in the batch; `counts` is set once for each reading, so that rows add up.
    Readings that follow each other of one point, meter, register and day are a strip: it begins
    at `first` of them, and `day` and `area` are those of each strip.
    """

    row: Int64s
    position: npt.NDArray[np.uint8]
    counts: Bools
    first: Int64s
    day: Int64s
    area: Int64s


class Doubts(NamedTuple):
    """Rows that are not kept: rule (index in findings.RULE_NAMES), point, day, observed, limit."""

    rule: Int64s
    number: Int64s
    day: Int64s
    observed: Int64s
    limit: Int64s


class _Judged(NamedTuple):
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


def _judge(
    number: Int64s,
    stamp: Int64s,
    complete: Int64s,
    rule: npt.NDArray[np.int16],
    recorded_at: int,
    known: Int64s,
    parameters: Parameters,
) -> _Judged:
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
    return _Judged(day, position, rule, observed, limit)


def _among(number: Int64s, known: Int64s) -> Bools:
    """Tell which numbers are known; those that follow each other are looked up once."""
    first = np.flatnonzero(_differs(number))
    at = np.searchsorted(known, number[first])
    there = at < len(known)
    there[there] = known[at[there]] == number[first[there]]
    if there.all():
        return np.ones(len(number), bool)
    return np.repeat(there, np.diff(first, append=len(number)))


def _differs(*keys: npt.NDArray[Any]) -> Bools:
    """Tell which rows differ from the one before; the first does."""
    differs = np.ones(len(keys[0]), bool)
    differs[1:] = keys[0][1:] != keys[0][:-1]
    for key in keys[1:]:
        differs[1:] |= key[1:] != key[:-1]
    return differs


def place(
    number: Int64s,
    meter: Int64s,
    register: npt.NDArray[np.signedinteger],
    read_at: Int64s,
    rule: npt.NDArray[np.int16],
    *,
    recorded_at: int,
    known: Int64s,
    readable_on: Callable[[date], Readable],
    parameters: Parameters,
) -> tuple[Placed, Doubts]:
    """Find the market day and position of each reading, and the readings that may not be kept.

    Parameters
    ----------
    number, meter, register, read_at : the point, meter, register and moment [s UTC] of each
        reading.
    rule : what the door found doubtful about the row (index in findings.RULE_NAMES), -1 nothing.
    recorded_at : the moment of taking in [s UTC].
    known : the points that the register knows on any day, sorted.
    readable_on : gives the points that may be read on a day.
    """
    judged = _judge(number, read_at, read_at, rule, recorded_at, known, parameters)
    rule = judged.rule
    fine = np.flatnonzero(rule < 0)
    midnight = np.flatnonzero(judged.position[fine] == 0)
    # Of the two of a reading at midnight the first is the last of the day before.
    closing = midnight + np.arange(len(midnight))
    own = np.ones(len(fine) + len(midnight), bool)
    own[closing] = False
    row = fine[np.cumsum(own) - own]
    day, position = judged.day[row], judged.position[row]
    day[closing] -= 1
    for d in np.unique(day[closing]).tolist():
        position[closing[day[closing] == d]] = periods.count(periods.day_of_number(d))

    differs = _differs(number, meter, register)
    starts = _differs(np.cumsum(differs, dtype=np.int32)[row], day)
    first = np.flatnonzero(starts)
    on, of = day[first].astype(np.int64), number[row[first]]
    area = np.full(len(first), -1, np.int64)
    for d in np.unique(on).tolist():
        of_day = np.flatnonzero(on == d)
        points = readable_on(periods.day_of_number(d))
        if len(points.number):
            slot = np.minimum(np.searchsorted(points.number, of[of_day]), len(points.number) - 1)
            may = (points.number[slot] == of[of_day]) & points.readable[slot]
            area[of_day] = np.where(may, points.area[slot], -1)

    counts = np.ones(len(row), bool)
    if (area >= 0).all():
        counts[closing] = False
    else:
        kept = np.repeat(area >= 0, np.diff(first, append=len(row)))
        counts[closing] = ~kept[closing + 1]
        anywhere = np.zeros(len(number), bool)
        anywhere[row[kept]] = True
        rule[(rule < 0) & ~anywhere] = findings.RULE_INDEX["not_eligible"]
        row, position, counts = row[kept], position[kept], counts[kept]
        first = np.flatnonzero(starts[kept])
        on, area = on[area >= 0], area[area >= 0]
    placed = Placed(row, position, counts, first, on, area)
    return placed, judged.doubts(number)


class Built(NamedTuple):
    """Day rows of one area and day; what contradicted itself; how many readings are in the rows."""

    rows: Rows
    found: Records
    kept: int


def build(
    periods_of_day: int,
    number: Int64s,
    meter: Int64s,
    register: Int64s,
    first: Int64s,
    position: npt.NDArray[np.uint8],
    reading: Int64s,
    status: npt.NDArray[np.int32] | None,
    counts: Bools,
) -> Built:
    """Build the day rows of one area and day from its readings.

    Parameters
    ----------
    number, meter, register, first : of each strip of readings, sorted by number, meter and
        register, and where it begins.
    position, reading, status, counts : of each reading, in any order within a row; status is None
        where no meter reported any.

    Returns
    -------
    built : rows (rows, periods + 1) with NOT_READ where nothing was delivered; found:
        duplicate_reading and conflicting_readings; kept: how many readings are in the rows.
    """
    starts = _differs(number, meter, register)
    rows = np.flatnonzero(starts)
    width = periods_of_day + 1
    row = np.repeat(np.cumsum(starts) - 1, np.diff(first, append=len(position)))
    cell = row * width + position.astype(np.int64)
    matrix = np.full(len(rows) * width, NOT_READ)
    matrix[cell] = reading
    bitmap = None
    if status is not None:
        bitmap = np.zeros(len(matrix), np.int64)
        bitmap[cell] = status
    found = np.empty(0, findings.RECORD)
    lost = 0
    if np.count_nonzero(matrix != NOT_READ) < len(cell):
        several = _several(cell, reading, status, counts)
        matrix[several.cell[several.conflict]] = NOT_READ
        if bitmap is not None:
            bitmap[several.cell] = np.where(several.conflict, 0, several.bits)
        found, lost = _found(several, number[rows], register[rows], periods_of_day)
    made = Rows(
        number[rows],
        meter[rows],
        register[rows].astype(np.int64),
        matrix.reshape(-1, width),
        None if bitmap is None else bitmap.reshape(-1, width),
        False,
    )
    some = made.reading.max(axis=1) != NOT_READ
    return Built(made.take(some), found, int(np.count_nonzero(counts)) - lost)


class _Several(NamedTuple):
    """The cells that were delivered more than once: times, rows that count, bits put together."""

    cell: Int64s
    times: Int64s
    counted: Int64s
    bits: Int64s
    conflict: Bools


def _several(
    cell: Int64s, reading: Int64s, status: npt.NDArray[np.int32] | None, counts: Bools
) -> _Several:
    order = np.argsort(cell, kind="stable")
    first = np.flatnonzero(_differs(cell[order]))
    reading = reading[order]
    times = np.diff(first, append=len(cell))
    bits = np.zeros(len(cell), np.int64) if status is None else status[order].astype(np.int64)
    found = _Several(
        cell[order[first]],
        times,
        np.add.reduceat(counts[order].astype(np.int64), first),
        np.bitwise_or.reduceat(bits, first),
        np.minimum.reduceat(reading, first) != np.maximum.reduceat(reading, first),
    )
    more = times > 1
    return _Several(
        found.cell[more],
        found.times[more],
        found.counted[more],
        found.bits[more],
        found.conflict[more],
    )


def _found(
    several: _Several, number: Int64s, register: Int64s, periods_of_day: int
) -> tuple[Records, int]:
    """Make the findings of cells that were delivered more than once; count the rows they lose.

    Parameters
    ----------
    number, register : of each row of the day.
    """
    row, position = np.divmod(several.cell, periods_of_day + 1)
    extra = np.where(several.conflict, 0, several.counted - (several.counted > 0))
    found = []
    for name, where, lost in (
        ("duplicate_reading", (extra > 0), extra),
        # At midnight both days lose the reading, and both say so; its rows count on one of them.
        ("conflicting_readings", several.conflict, several.counted),
    ):
        found.append(
            findings.records(
                name,
                number[row[where]],
                register=register[row[where]],
                first_period=np.maximum(position[where], 1),
                last_period=np.minimum(position[where] + 1, periods_of_day),
                observed=several.times[where],
                limit=1,
                rows=lost[where],
            )
        )
    together = np.concatenate(found)
    return together, int(together["rows"].sum())


def merge(old: Rows, new: Rows) -> Rows:
    """Lay newly delivered day rows over the kept ones of the same points.

    Returns
    -------
    merged : all rows of the points that change, sorted by point, meter and register; a new reading
        goes before the old one, and what is not delivered anew stays.
    """
    source = np.repeat([0, 1], [len(old.number), len(new.number)])
    both = joined([old, new])
    order = np.lexsort((source, both.register, both.meter, both.number))
    rows = both.take(order)
    number, meter, register = rows.number, rows.meter, rows.register
    reading, status = rows.reading, rows.bits()
    rows = rows._replace(status=status)
    source = source[order]
    late = np.flatnonzero(~_differs(number, meter, register))
    absent = reading[late] == NOT_READ
    merged = np.where(absent, reading[late - 1], reading[late])
    bits = np.where(absent, status[late - 1], status[late])
    # A row that adds nothing leaves its point as it was.
    changed = source == 1
    changed[late] = ((merged != reading[late - 1]) | (bits != status[late - 1])).any(axis=1)
    reading[late], status[late] = merged, bits
    # Whole points are kept: all rows of a point of which one changed.
    first = np.flatnonzero(_differs(number))
    keep = np.repeat(np.logical_or.reduceat(changed, first), np.diff(first, append=len(number)))
    keep[late - 1] = False
    return rows.take(keep)


class Deliverable(NamedTuple):
    """The points and couplings that hold on a market day, sorted by number.

    `area` is the index of the area; `by_volumes` whether its quarter volumes are delivered,
    `telemetry` whether as telemetry, `loss` whether as grid loss, which is offtake.
    """

    number: Int64s
    area: Int64s
    by_volumes: Bools
    telemetry: Bools
    loss: Bools


class PlacedVolumes(NamedTuple):
    """Where volumes go: index in the batch, number of the day, position from 1."""

    row: Int64s
    day: Int64s
    position: Int64s


_WORDS = 8  # more than any of the code lists has, and none


def pack(origin: Int64s, validation: Int64s, method: Int64s) -> Int64s:
    """Give what volumes say of themselves as one number each; counted as in arrays.Delivered."""
    return (origin * _WORDS + validation) * _WORDS + method


def _allowed(parameters: Parameters) -> Int64s:
    lists = (codes.DELIVERED_ORIGINS, codes.VALIDATION_STATUSES, codes.METHODS)
    counted = [
        [("", *words).index(word) for word, words in zip(triple, lists, strict=True)]
        for triple in parameters.telemetry_triples
    ]
    return pack(*np.array(counted, np.int64).reshape(-1, len(lists)).T)


def place_volumes(
    number: Int64s,
    direction: Int64s,
    period_start: Int64s,
    said: Int64s,
    rule: npt.NDArray[np.int16],
    *,
    recorded_at: int,
    known: Int64s,
    deliverable_on: Callable[[date], Deliverable],
    parameters: Parameters,
    parameters_on: Callable[[date], Parameters],
) -> tuple[PlacedVolumes, Doubts]:
    """Find the market day and position of each volume, and the volumes that may not be kept.

    Parameters
    ----------
    number, direction, period_start : the point or coupling, 0 offtake or 1 infeed, and the start
        of the period [s UTC] of each volume.
    said : what the volume says of itself, packed.
    rule : what the door found doubtful about the row (index in findings.RULE_NAMES), -1 nothing.
    recorded_at : the moment of taking in [s UTC].
    known : the points and couplings that are known on any day, sorted.
    parameters : those of the day of taking in.
    """
    ends = period_start + periods.SECONDS
    judged = _judge(number, period_start, ends, rule, recorded_at, known, parameters)
    day, rule = judged.day.astype(np.int64), judged.rule
    fine = np.nonzero(rule < 0)[0]
    for d in np.unique(day[fine]).tolist():
        rows = fine[day[fine] == d]
        on = periods.day_of_number(d)
        held = deliverable_on(on)
        place = np.searchsorted(held.number, number[rows])
        there = place < len(held.number)
        there[there] = held.number[place[there]] == number[rows[there]]
        index = place[there]
        wrong_way = held.loss[index] & (direction[rows[there]] == 1)
        there[there] = held.by_volumes[index] & ~wrong_way
        together = np.isin(said[rows], _allowed(parameters_on(on)))
        rule[rows[~there]] = findings.RULE_INDEX["not_by_volumes"]
        rule[rows[~together]] = findings.RULE_INDEX["triple_not_allowed"]
    kept = np.nonzero(rule < 0)[0]
    return PlacedVolumes(
        kept, day[kept], judged.position[kept].astype(np.int64) + 1
    ), judged.doubts(number)


class BuiltVolumes(NamedTuple):
    """The volumes of a day; what contradicted itself; how many volumes are in the rows."""

    rows: Delivered
    found: Records
    kept: int


def build_volumes(
    periods_of_day: int,
    number: Int64s,
    direction: Int64s,
    position: Int64s,
    volume: Int64s,
    said: Int64s,
) -> BuiltVolumes:
    """Build the rows of one day from its volumes.

    Parameters
    ----------
    number … said : one value each volume, sorted by number, direction and position.

    Returns
    -------
    built : rows with NOT_READ where nothing was delivered; found: duplicate_volume and
        conflicting_volumes.
    """
    starts = np.ones(len(number), bool)
    starts[1:] = (number[1:] != number[:-1]) | (direction[1:] != direction[:-1])
    cells = starts.copy()
    cells[1:] |= position[1:] != position[:-1]
    first = np.nonzero(cells)[0]
    times = np.diff(np.append(first, len(cells)))
    conflict = np.zeros(len(first), bool)
    for values in (volume, said):
        conflict |= np.minimum.reduceat(values, first) != np.maximum.reduceat(values, first)

    rows = np.nonzero(starts)[0]
    good = first[~conflict]
    row, column = (np.cumsum(starts) - 1)[good], position[good] - 1
    matrix = np.full((len(rows), periods_of_day), NOT_READ)
    matrix[row, column] = volume[good]
    words = np.zeros((3, *matrix.shape), np.int8)
    words[:, row, column] = (
        said[good] // _WORDS**2,
        said[good] // _WORDS % _WORDS,
        said[good] % _WORDS,
    )

    found = []
    for name, where, lost in (
        ("duplicate_volume", (times > 1) & ~conflict, times - 1),
        ("conflicting_volumes", conflict, times),
    ):
        at = first[where]
        found.append(
            findings.records(
                name,
                number[at],
                register=np.array(findings.OF_DIRECTION)[direction[at]],
                first_period=position[at],
                last_period=position[at],
                observed=times[where],
                limit=1,
                rows=lost[where],
            )
        )
    some = (matrix != NOT_READ).any(axis=1)
    made = Delivered(number[rows], direction[rows], matrix, *words)
    return BuiltVolumes(
        Delivered(*(array[some] for array in made)), np.concatenate(found), len(good)
    )


def late(
    number: Int64s,
    day: date,
    taken_in: date,
    held: Deliverable,
    holidays: Container[date],
    parameters: Parameters,
) -> Records:
    """Find the telemetry that came after its last moment of correction; it is kept all the same.

    A day that is no working day counts as the next one that is.

    Parameters
    ----------
    number : the points of which volumes of the day are kept, sorted.
    taken_in : the local day of taking in.
    held : what holds on the market day.

    Source
    ------
    ST22.
    """
    allowed = parameters.telemetry_correction_working_days
    telemetry = np.intersect1d(number, held.number[held.telemetry])
    observed = 0
    # So many days hold no more working days, so they need not be counted.
    if len(telemetry) and (taken_in - day).days > allowed:
        before = taken_in - timedelta(days=1)
        observed = periods.working_days_between(day, before, holidays) + 1
    if observed <= allowed:
        telemetry = telemetry[:0]
    return findings.records("late_telemetry", telemetry, observed=observed, limit=allowed)
