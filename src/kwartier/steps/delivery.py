"""Delivered readings and volumes → their market day and position, which may not be kept → rows.

A reading at local midnight serves both days. The values of points that may not be read are not
kept, only the fact. Within one delivery a reading stated twice is kept once, and readings that
contradict each other are not used; so it is with quarter volumes, which stand for themselves.
Source: FAQ; domain §5; decisions §4, §5, §19.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from kwartier import codes, findings, periods
from kwartier.arrays import NOT_READ, Bools, Delivered, Int64s, Rows
from kwartier.findings import Records
from kwartier.parameters import Parameters


class Readable(NamedTuple):
    """The points of all areas on a market day, sorted: number, index of the area, may be read."""

    number: Int64s
    area: Int64s
    readable: Bools


class Placed(NamedTuple):
    """Where readings go. A reading at midnight is here twice, once for each day.

    `row` is its index in the batch; `counts` is set once for each reading, so that rows add up.
    """

    row: Int64s
    day: Int64s
    area: Int64s
    position: Int64s
    counts: Bools


class Doubts(NamedTuple):
    """Rows that are not kept: rule (index in findings.RULE_NAMES), point, day, observed, limit."""

    rule: Int64s
    number: Int64s
    day: Int64s
    observed: Int64s
    limit: Int64s


class _Judged(NamedTuple):
    """The day and position of rows, and the first rule that each comes under, -1 none."""

    day: Int64s
    position: Int64s
    rule: Int64s
    observed: Int64s
    limit: Int64s

    def doubts(self, number: Int64s) -> Doubts:
        """Give the rows that come under a rule; number is the point of each row."""
        out = np.nonzero(self.rule >= 0)[0]
        return Doubts(
            self.rule[out], number[out], self.day[out], self.observed[out], self.limit[out]
        )


def _judge(
    number: Int64s,
    stamp: Int64s,
    complete: Int64s,
    rule: Int64s,
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
    moment = (stamp + periods.SECONDS // 2) // periods.SECONDS * periods.SECONDS
    day, seconds = periods.locate(moment)
    taken_in = int(periods.locate(np.array([recorded_at], np.int64))[0][0])
    observed, limit = np.ones(len(number), np.int64), np.zeros(len(number), np.int64)
    rule = rule.copy()
    for name, broken, seen, allowed in (
        ("unknown_point", ~np.isin(number, known), observed, 0),
        ("in_future", complete > recorded_at, complete - recorded_at, 0),
        (
            "off_quarter",
            np.abs(stamp - moment) > parameters.off_quarter_seconds,
            np.abs(stamp - moment),
            parameters.off_quarter_seconds,
        ),
        (
            "too_old",
            taken_in - day > parameters.too_old_days,
            taken_in - day,
            parameters.too_old_days,
        ),
    ):
        new = broken & (rule < 0)
        rule[new] = findings.RULE_INDEX[name]
        observed = np.where(new, seen, observed)
        limit = np.where(new, allowed, limit)
    return _Judged(day, seconds // periods.SECONDS, rule, observed, limit)


def place(
    number: Int64s,
    read_at: Int64s,
    rule: Int64s,
    *,
    recorded_at: int,
    known: Int64s,
    readable_on: Callable[[date], Readable],
    parameters: Parameters,
) -> tuple[Placed, Doubts]:
    """Find the market day and position of each reading, and the readings that may not be kept.

    Parameters
    ----------
    number, read_at : the point and the moment [s UTC] of each reading.
    rule : what the door found doubtful about the row (index in findings.RULE_NAMES), -1 nothing.
    recorded_at : the moment of taking in [s UTC].
    known : the points that the register knows on any day, sorted.
    readable_on : gives the points that may be read on a day.
    """
    judged = _judge(number, read_at, read_at, rule, recorded_at, known, parameters)
    day, position, rule = judged.day, judged.position, judged.rule
    fine = np.nonzero(rule < 0)[0]
    midnight = fine[position[fine] == 0]
    before = day[midnight] - 1
    closing = np.zeros(len(midnight), np.int64)
    for d in np.unique(before).tolist():
        closing[before == d] = periods.count(periods.day_of_number(d))
    row = np.concatenate([fine, midnight])
    on = np.concatenate([day[fine], before])
    at = np.concatenate([position[fine], closing])
    area = np.full(len(row), -1, np.int64)
    for d in np.unique(on).tolist():
        of_day = np.nonzero(on == d)[0]
        points = readable_on(periods.day_of_number(d))
        if len(points.number):
            slot = np.minimum(
                np.searchsorted(points.number, number[row[of_day]]), len(points.number) - 1
            )
            may = (points.number[slot] == number[row[of_day]]) & points.readable[slot]
            area[of_day] = np.where(may, points.area[slot], -1)
    kept = area >= 0
    counts = np.ones(len(row), bool)
    counts[len(fine) :] = ~kept[np.searchsorted(fine, midnight)]
    anywhere = np.zeros(len(number), bool)
    anywhere[row[kept]] = True
    refused = (rule < 0) & ~anywhere
    rule[refused] = findings.RULE_INDEX["not_eligible"]
    placed = Placed(row[kept], on[kept], area[kept], at[kept], counts[kept])
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
    position: Int64s,
    reading: Int64s,
    status: Int64s,
    counts: Int64s,
) -> Built:
    """Build the day rows of one area and day from its readings.

    Parameters
    ----------
    number … counts : one value each reading, sorted by number, meter, register and position.

    Returns
    -------
    built : rows (rows, periods + 1) with NOT_READ where nothing was delivered; found:
        duplicate_reading and conflicting_readings; kept: how many readings are in the rows.
    """
    starts = np.ones(len(number), bool)
    starts[1:] = (
        (number[1:] != number[:-1]) | (meter[1:] != meter[:-1]) | (register[1:] != register[:-1])
    )
    cells = starts.copy()
    cells[1:] |= position[1:] != position[:-1]
    first = np.nonzero(cells)[0]
    times = np.diff(np.append(first, len(cells)))
    conflict = np.minimum.reduceat(reading, first) != np.maximum.reduceat(reading, first)
    counted = np.add.reduceat(counts, first)
    bits = np.bitwise_or.reduceat(status, first)

    rows = np.nonzero(starts)[0]
    row = np.cumsum(starts)[first] - 1
    matrix = np.full((len(rows), periods_of_day + 1), NOT_READ)
    bitmap = np.zeros(matrix.shape, np.int64)
    good = ~conflict
    matrix[row[good], position[first[good]]] = reading[first[good]]
    bitmap[row[good], position[first[good]]] = bits[good]

    found = []
    extra = np.where(conflict, 0, counted - (counted > 0))
    for name, where, lost in (
        ("duplicate_reading", (extra > 0), extra),
        # At midnight both days lose the reading, and both say so; its rows count on one of them.
        ("conflicting_readings", conflict, counted),
    ):
        at = first[where]
        found.append(
            findings.records(
                name,
                number[at],
                register=register[at],
                first_period=np.maximum(position[at], 1),
                last_period=np.minimum(position[at] + 1, periods_of_day),
                observed=times[where],
                limit=1,
                rows=lost[where],
            )
        )
    some = (matrix != NOT_READ).any(axis=1)
    made = Rows(number[rows], meter[rows], register[rows], matrix, bitmap, False)
    kept = int(counted[good].sum() - extra[good].sum())
    return Built(made.take(some), np.concatenate(found), kept)


def merge(old: Rows, new: Rows) -> Rows:
    """Lay newly delivered day rows over the kept ones of the same points.

    Returns
    -------
    merged : all rows of the points that change, sorted by point, meter and register; a new reading
        goes before the old one, and what is not delivered anew stays.
    """
    source = np.repeat([0, 1], [len(old.number), len(new.number)])
    both = old.followed_by(new)
    order = np.lexsort((source, both.register, both.meter, both.number))
    joined = both.take(order)
    number, meter, register = joined.number, joined.meter, joined.register
    reading, status = joined.reading, joined.bits()
    joined = joined._replace(status=status)
    source = source[order]
    twin = np.zeros(len(source), bool)
    twin[1:] = (
        (number[1:] == number[:-1]) & (meter[1:] == meter[:-1]) & (register[1:] == register[:-1])
    )
    late = np.nonzero(twin)[0]
    absent = reading[late] == NOT_READ
    merged = np.where(absent, reading[late - 1], reading[late])
    bits = np.where(absent, status[late - 1], status[late])
    # A row that adds nothing leaves its point as it was.
    changed = source == 1
    changed[late] = ((merged != reading[late - 1]) | (bits != status[late - 1])).any(axis=1)
    reading[late], status[late] = merged, bits
    keep = np.ones(len(source), bool)
    keep[late - 1] = False
    keep &= np.isin(number, np.unique(number[changed]))
    return joined.take(keep)


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
    rule: Int64s,
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
    day, rule = judged.day, judged.rule
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
    return PlacedVolumes(kept, day[kept], judged.position[kept] + 1), judged.doubts(number)


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
