"""Registers → volume per period.

`volume(period) = multiplier × Σ registers of the direction (reading at end − reading at start)`.
Offtake and infeed stay apart; a total and its own tariff registers are never summed together.
Source: FAQ; domain §5; decisions §8, §10.
"""

from __future__ import annotations

import numpy as np

from kwartier import findings, kernels
from kwartier.arrays import Counters, Int64s, Lanes, Series
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
    # Lanes are in order by point and meter, and lie in that order within point and direction.
    order = np.argsort(point[lanes.first] * 2 + lanes.direction, kind="stable")
    first, rows = lanes.first[order], lanes.rows[order]
    total = (rows[:, 0] >= 0) & kernels.any_read(accepted)[rows[:, 0]]
    return Counters(
        point=point[first],
        direction=lanes.direction[order],
        meter=meter[first],
        total=total,
        reading=kernels.counted(accepted, rows, total),
    )


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
    starts = np.ones(len(counters.point), bool)
    starts[1:] = (counters.point[1:] != counters.point[:-1]) | (
        counters.direction[1:] != counters.direction[:-1]
    )
    first = np.nonzero(starts)[0]
    count = np.diff(np.append(first, len(starts)))
    point, direction = counters.point[first], counters.direction[first]
    volume, at_once = kernels.measured_volumes(counters.reading, first, count)
    row, start, end, meters = at_once.T
    found = findings.records(
        "two_meters_at_once",
        number[point[row]],
        register=np.array(findings.OF_DIRECTION)[direction[row]],
        first_period=start + 1,
        last_period=end + 1,
        observed=meters,
        limit=1,
    )
    return Series(point, direction, first, count, volume), found
