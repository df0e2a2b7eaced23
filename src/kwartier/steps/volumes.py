"""Registers → volume per period.

`volume(period) = multiplier × Σ registers of the direction (reading at end − reading at start)`.
Offtake and infeed stay apart; a total and its own tariff registers are never summed together.
Source: FAQ; domain §5; decisions §8, §10.
"""

from __future__ import annotations

import numpy as np

from kwartier import findings, kernels
from kwartier.arrays import NOT_READ, Counters, Int64s, Lanes, Series
from kwartier.findings import Records


def combine(point: Int64s, meter: Int64s, accepted: Int64s, lanes: Lanes) -> Counters:
    """Sum the registers of each meter and direction.

    The total where it was read at all that day, else both tariffs together: one tariff alone is
    not the energy of the point.

    Parameters
    ----------
    point, meter : (rows), index of the point and code of the meter.
    accepted : (rows, periods + 1) [Wh].
    lanes : the rows by point, meter and direction.
    """
    none = np.full((1, accepted.shape[1]), NOT_READ)
    padded = np.concatenate([accepted, none])  # row -1 is a register that is not there
    total, one, two = (padded[lanes.rows[:, part]] for part in range(3))
    by_total = (total != NOT_READ).any(axis=1)
    both = (one != NOT_READ) & (two != NOT_READ)
    tariffs = np.where(both, np.where(both, one, 0) + np.where(both, two, 0), NOT_READ)
    order = np.lexsort((meter[lanes.first], lanes.direction, point[lanes.first]))
    return Counters(
        point=point[lanes.first][order],
        direction=lanes.direction[order],
        meter=meter[lanes.first][order],
        total=by_total[order],
        reading=np.where(by_total[:, None], total, tariffs)[order],
    )


def steps(reading: Int64s) -> Int64s:
    """Derive the volume of each period from the readings at its two ends.

    Parameters
    ----------
    reading : int64 (counters, periods + 1) [Wh], rising.

    Returns
    -------
    volume : int64 (counters, periods) [Wh]; NOT_READ where either end is.
    """
    start, end = reading[:, :-1], reading[:, 1:]
    known = (start != NOT_READ) & (end != NOT_READ)
    return np.where(known, np.where(known, end, 0) - np.where(known, start, 0), NOT_READ)


def derive(number: Int64s, counters: Counters) -> tuple[Series, Records]:
    """Derive the measured volumes of each point and direction.

    A period counts the meter that was read at both of its ends; where two meters of one point were,
    neither is believed.

    Parameters
    ----------
    number : (points), what findings name the point by.

    Returns
    -------
    series, found : two_meters_at_once.
    """
    volume = steps(counters.reading)
    starts = np.ones(len(counters.point), bool)
    starts[1:] = (counters.point[1:] != counters.point[:-1]) | (
        counters.direction[1:] != counters.direction[:-1]
    )
    first = np.nonzero(starts)[0]
    count = np.diff(np.append(first, len(starts)))
    point, direction = counters.point[first], counters.direction[first]
    if len(first) == len(starts):
        measured = (volume != NOT_READ).astype(np.int64)
        series = Series(point, direction, first, count, measured, volume)
        return series, np.empty(0, findings.RECORD)

    known = volume != NOT_READ
    measured = np.add.reduceat(known.astype(np.int64), first, axis=0)
    summed = np.add.reduceat(np.where(known, volume, 0), first, axis=0)
    series = Series(
        point, direction, first, count, measured, np.where(measured == 1, summed, NOT_READ)
    )
    row, start, end = kernels.runs_of(measured > 1)
    found = findings.records(
        "two_meters_at_once",
        number[point[row]],
        register=np.array(findings.OF_DIRECTION)[direction[row]],
        first_period=start + 1,
        last_period=end + 1,
        observed=measured[row, start],
        limit=1,
    )
    return series, found
