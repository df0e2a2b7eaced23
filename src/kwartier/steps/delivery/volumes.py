"""Delivered quarter volumes → their market day and position → rows.

They stand for themselves, and may come of some points only. Within one delivery a volume stated
twice is kept once, and volumes that contradict each other are not used.
Source: domain §5; decisions §4, §5, §19.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kwartier import codes, findings, periods
from kwartier.arrays import NOT_READ, Bools, Delivered, Int64s, place_in
from kwartier.findings import Records
from kwartier.parameters import Parameters
from kwartier.steps.delivery.judging import Doubts, judge


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
    judged = judge(number, period_start, ends, rule, recorded_at, known, parameters)
    day, rule = judged.day.astype(np.int64), judged.rule
    fine = np.nonzero(rule < 0)[0]
    for d in np.unique(day[fine]).tolist():
        rows = fine[day[fine] == d]
        on = periods.day_of_number(d)
        held = deliverable_on(on)
        index = place_in(held.number, number[rows])
        there = index >= 0
        index = index[there]
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
