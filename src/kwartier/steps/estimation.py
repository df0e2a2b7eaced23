"""Gaps → estimated volumes, marked so.

The ladder: `CMR` the register difference around a gap is spread over it and closes exactly; `GMR`
no closing register: annual volume × fraction of the day; `NCD` no current: zeros. The rung that ran
is recorded; everything made here has origin CLC; missing is never 0.
Source: domain §5; Elhub VEE (distribution on the register difference); decisions §10, §11.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kwartier import findings, kernels, shares
from kwartier.arrays import (
    GAP,
    HEAD,
    LOOSE,
    NO_CURRENT,
    NOT_READ,
    TAIL,
    WHOLE,
    WITHIN,
    Bools,
    Counters,
    Gaps,
    Int64s,
    Points,
    Series,
    Volumes,
    runs_of,
)
from kwartier.findings import Records


class Across(NamedTuple):
    """Gaps that run over several days, and the pieces that each has on them, in order of time.

    `gaps`, `difference` (gaps) the part of each on this day, and what the register counted over all
    of it [Wh]; `pieces` (gaps + 1) where the pieces of each begin. `shape`, `first`, `last`, `mine`
    (pieces): a row of `weights` (shapes, periods), -1 on a day without current, the piece of it,
    and whether it is this day's.
    """

    gaps: Gaps
    difference: Int64s
    pieces: Int64s
    shape: Int64s
    first: Int64s
    last: Int64s
    mine: Bools
    weights: Int64s


def gaps_of(
    kind: Int64s | int,
    point: Int64s,
    direction: Int64s | int,
    first: Int64s | int,
    last: Int64s | int,
    reading: Int64s | int = 0,
    meter: Int64s | int = 0,
    total: Int64s | Bools | int = 0,
) -> Gaps:
    """Make gaps from whole columns."""
    made = np.zeros(len(point), GAP)
    made["kind"] = kind
    made["point"], made["direction"] = point, direction
    made["first"], made["last"] = first, last
    made["reading"], made["meter"], made["total"] = reading, meter, total
    return made


def find_gaps(counters: Counters, series: Series) -> Gaps:
    """List what is not measured of each series, with what is known around it."""
    alone = series.first[series.meters == 1]
    row, kind, first, last, reading = kernels.around_gaps(counters.reading, alone).T
    # The one reading of a gap at the edge of the day is of this meter and these registers.
    edge = (kind == HEAD) | (kind == TAIL)
    found = [
        gaps_of(
            kind,
            counters.point[row],
            counters.direction[row],
            first,
            last,
            reading,
            np.where(edge, counters.meter[row], 0),
            edge & counters.total[row],
        )
    ]
    found.extend(
        _gaps_of_exchange(counters, series, int(i)) for i in np.nonzero(series.meters > 1)[0]
    )
    return np.concatenate(found)


def _gaps_of_exchange(counters: Counters, series: Series, index: int) -> Gaps:
    """List the gaps of a series with more than one meter: no difference is taken between meters."""
    lanes = range(series.first[index], series.first[index] + series.meters[index])
    point, direction = series.point[index : index + 1], int(series.direction[index])
    periods = series.volume.shape[1]
    open_ = series.volume[index] == NOT_READ
    read = counters.reading[lanes.start : lanes.stop] != NOT_READ
    measured = (read[:, :-1] & read[:, 1:]).any(axis=0)
    known = {lane: np.nonzero(one)[0] for lane, one in zip(lanes, read, strict=True)}
    known = {lane: at for lane, at in known.items() if len(at)}
    if not known:
        return gaps_of(WHOLE, point, direction, 0, periods)
    found = [np.empty(0, GAP)]
    for lane, at in known.items():
        reading = counters.reading[lane]
        for a, b in zip(at[:-1].tolist(), at[1:].tolist(), strict=True):
            if b - a > 1 and open_[a:b].all() and not measured[a:b].any():
                found.append(gaps_of(WITHIN, point, direction, a, b, reading[b] - reading[a]))
                open_[a:b] = False
    earliest = min(known, key=lambda lane: (known[lane][0], lane))
    latest = max(known, key=lambda lane: (known[lane][-1], lane))
    for kind, lane, at, start, end in (
        (HEAD, earliest, known[earliest][0], 0, known[earliest][0]),
        (TAIL, latest, known[latest][-1], known[latest][-1], periods),
    ):
        if end > start:
            found.append(
                gaps_of(
                    kind,
                    point,
                    direction,
                    start,
                    end,
                    counters.reading[lane, at],
                    counters.meter[lane],
                    int(counters.total[lane]),
                )
            )
            open_[start:end] = False
    _, first, last = runs_of(open_[None, :])
    found.extend(
        gaps_of(LOOSE, point, direction, int(a), int(b) + 1)
        for a, b in zip(first, last, strict=True)
    )
    return np.concatenate(found)


def from_registers(
    points: Points,
    periods_of_day: int,
    within: Gaps,
    across: Across,
    shape: Int64s,
    status: Sequence[Sequence[str]],
) -> Volumes:
    """Close gaps on the register difference around them (CMR).

    Parameters
    ----------
    within : gaps of kind WITHIN.
    across : gaps that run over several days.
    shape : (cells, 2, periods) [mWh per point].
    """
    result = empty(points, periods_of_day, status)
    kernels.spread_gaps(
        points.cell[within["point"]],
        within["direction"],
        within["first"],
        within["last"],
        within["reading"],
        shape,
        result.volume,
        result.points,
    )
    kernels.spread_across(
        points.cell[across.gaps["point"]],
        across.gaps["direction"],
        across.gaps["first"],
        across.difference,
        across.pieces,
        (across.shape, across.first, across.last, across.mine, across.weights),
        result.volume,
        result.points,
    )
    _count_distinct(points, np.concatenate([within, across.gaps]), result.any)
    return result


def from_annual(
    points: Points,
    periods_of_day: int,
    gaps: Gaps,
    fraction: Int64s,
    basis: Int64s,
    status: Sequence[Sequence[str]],
) -> Volumes:
    """Estimate gaps without a closing register: annual volume × fraction of the day (GMR).

    The estimate is linear in the annual volume, so a cell is estimated as a whole.

    Parameters
    ----------
    gaps : of any kind but WITHIN.
    fraction, basis : (cells, 2, periods) [1e-8], and of which annual volume each is.
    """
    result = empty(points, periods_of_day, status)
    # What starts at one period and ends at another is summed as a step up and a step down.
    used, cell = np.unique(points.cell[gaps["point"]], return_inverse=True)
    shape = (len(used), 2, periods_of_day + 1)
    total, low, count = (np.zeros(shape, np.int64) for _ in range(3))
    direction = gaps["direction"]
    for at, sign in ((gaps["first"], 1), (gaps["last"], -1)):
        where = (cell, direction, at)
        np.add.at(total, where, sign * points.annual[gaps["point"], direction])
        np.add.at(low, where, sign * points.annual_low[gaps["point"], direction])
        np.add.at(count, where, sign)
    result.points[used] = np.cumsum(count, axis=2)[:, :, :-1]
    total, low = (np.cumsum(steps, axis=2)[:, :, :-1] for steps in (total, low))
    annual = shares.by_tariff(basis[used], total, low)
    for c, d in zip(*np.nonzero(annual.any(axis=2)), strict=True):
        result.volume[used[c], d] = shares.of_annual(annual[c, d], fraction[used[c], d])
    _count_distinct(points, gaps, result.any)
    return result


def without_annual(points: Points, periods_of_day: int, gaps: Gaps, profiled: Bools) -> Records:
    """Find the points that need an annual volume which the register does not give.

    Parameters
    ----------
    gaps : estimated from the annual volume; profiled : (points), allocated by profile.
    """
    by_profile = np.nonzero(profiled)[0]
    fed_in = by_profile[points.with_infeed[by_profile]]
    keys = [gaps["point"] * 2 + gaps["direction"], by_profile * 2, fed_in * 2 + 1]
    key = np.unique(np.concatenate(keys))
    point, direction = key // 2, key % 2
    unknown = ~points.annual_known[point, direction]
    point, direction = point[unknown], direction[unknown]
    return findings.records(
        "no_annual_volume",
        points.number[point],
        register=np.array(findings.OF_DIRECTION)[direction],
        first_period=1,
        last_period=periods_of_day,
        observed=points.annual[point, direction],
    )


def from_no_current(points: Points, periods_of_day: int) -> Volumes:
    """Give the points without current their zeros (NCD)."""
    result = empty(points, periods_of_day, ())
    dead = np.nonzero(points.state == NO_CURRENT)[0]
    for d, part in enumerate((dead, dead[points.with_infeed[dead]])):
        np.add.at(result.any[:, d], points.cell[part], 1)
    result.points[:] = result.any[:, :, None]
    return result


def empty(points: Points, periods_of_day: int, status: Sequence[Sequence[str]]) -> Volumes:
    """Begin with no volumes."""
    shape = (len(points.cells), 2, periods_of_day)
    return Volumes(
        np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape[:2], np.int64), status
    )


def _count_distinct(points: Points, gaps: Gaps, into: Int64s) -> None:
    distinct = np.unique(gaps["point"] * 2 + gaps["direction"])
    np.add.at(into, (points.cell[distinct // 2], distinct % 2), 1)
