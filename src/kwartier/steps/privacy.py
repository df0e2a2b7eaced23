"""Points of an area → how many holders are behind each sum, and how large the largest is.

No energy is looked at: what is kept small is known before the day, by the register alone, so it
tells nothing of the day. Source: domain §10; decisions §33.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from kwartier import codes, tables
from kwartier.arrays import NO_CURRENT, PROFILED, AreaPoints, Int64s, Points

_DAYS = 365
SHARE, WEIGHT = 10**6, 10**12  # a share is a count of 1e-6, a weight one of 1e-12

# BRP, supplier, group, profile category, consumption type.
_Sum = tuple[str, str, str, str, str]


class _Held(NamedTuple):
    """Points with a direction: the sum each is in, who holds it, and its annual volume [Wh]."""

    sum: Int64s
    holder: Int64s
    annual: Int64s


def count(day: date, points: Points, others: AreaPoints, delivered: Int64s) -> pa.Table:
    """Count the holders behind each sum of a grid area and day.

    Parameters
    ----------
    delivered : what was delivered of the others, (others, 2) [Wh]; below 0 where nothing was.

    Returns
    -------
    tables.PRIVACY, by its key; sums without points are not in it.
    """
    place: dict[_Sum, int] = {}
    of_cells = np.array(
        [
            [
                place.setdefault((cell.brp, cell.supplier, codes.SMART_METER, "", ""), len(place)),
                place.setdefault((*cell[:2], codes.PROFILE, *cell[2:]), len(place)),
            ]
            for cell in points.cells
        ],
        np.int64,
    ).reshape(-1, 2)
    of_others = np.array(
        [
            place.setdefault((brp, supplier, group, "", ""), len(place))
            for brp, supplier, group in zip(others.brp, others.supplier, others.group, strict=True)
        ],
        np.int64,
    )
    given = np.array([group in codes.BY_VOLUMES for group in others.group], bool)
    due = np.array([type_ == codes.WITH_INFEED for type_ in others.consumption_type], bool)
    feeds_in = due | (given & (delivered[:, 1] >= 0))
    feeds_in &= np.array([group != codes.GRID_LOSS for group in others.group], bool)
    # The register need not know how large it is; then the day itself must tell.
    guessed = given[:, None] & ~others.annual_known
    annual = np.where(guessed, np.maximum(delivered, 0) * _DAYS, others.annual)
    # Without current there is no energy to hide behind.
    live = points.state != NO_CURRENT
    with_offtake = np.ones(len(others.number), bool)
    by_profile = (points.state == PROFILED).astype(np.int64)
    in_sum = of_cells[points.cell, by_profile]
    counted = []
    for d in range(2):
        mine = live if d == 0 else live & points.with_infeed
        also = (with_offtake, feeds_in)[d]
        own, theirs = (
            held.number if held.holder is None else held.holder for held in (points, others)
        )
        held = _Held(
            np.concatenate([in_sum[mine], of_others[also]]),
            np.concatenate([own[mine], theirs[also]]),
            np.concatenate([points.annual[mine, d], annual[also, d]]),
        )
        counted.append(_count(held, len(place)))
    return _table(day, points.grid_area, place, counted)


class _Counted(NamedTuple):
    """Of each sum: points, holders, those of them in other sums too; annual volumes [Wh]."""

    points: Int64s
    holders: Int64s
    shared: Int64s
    total: Int64s
    largest: Int64s


def _count(held: _Held, sums: int) -> _Counted:
    def zeros() -> Int64s:
        return np.zeros(sums, np.int64)

    points = np.bincount(held.sum, minlength=sums)
    total, largest, shared = zeros(), zeros(), zeros()
    np.add.at(total, held.sum, held.annual)
    # Points that are held apart count for themselves; the others are put together first.
    named = held.holder < 0
    alone = ~named
    holders = np.bincount(held.sum[alone], minlength=sums)
    np.maximum.at(largest, held.sum[alone], held.annual[alone])
    if named.any():
        order = np.lexsort((held.sum[named], held.holder[named]))
        holder, in_sum = held.holder[named][order], held.sum[named][order]
        first = np.ones(len(order), bool)
        first[1:] = (holder[1:] != holder[:-1]) | (in_sum[1:] != in_sum[:-1])
        start = np.nonzero(first)[0]
        together = np.add.reduceat(held.annual[named][order], start)
        holders = holders + np.bincount(in_sum[start], minlength=sums)
        np.maximum.at(largest, in_sum[start], together)
        of = holder[start]
        several = np.zeros(len(of), bool)
        several[1:] |= of[1:] == of[:-1]
        several[:-1] |= of[1:] == of[:-1]
        shared = np.bincount(in_sum[start][several], minlength=sums)
    return _Counted(points, holders, shared, total, largest)


def _table(
    day: date, grid_area: str, place: dict[_Sum, int], counted: Sequence[_Counted]
) -> pa.Table:
    rows = []
    whole = [int(of.total.sum()) for of in counted]
    for key, at in sorted(place.items()):
        for d, of in enumerate(counted):
            if not of.points[at]:
                continue
            total, largest = int(of.total[at]), int(of.largest[at])
            brp, supplier, group, category, type_ = key
            rows.append(
                {
                    "market_day": day,
                    "grid_area": grid_area,
                    "brp": brp,
                    "supplier": supplier,
                    "group": group,
                    "profile_category": category or None,
                    "consumption_type": type_ or None,
                    "direction": codes.DIRECTIONS[d],
                    "points": int(of.points[at]),
                    "holders": int(of.holders[at]),
                    "shared_holders": int(of.shared[at]),
                    "dominant_share": -(-largest * SHARE // total) if total else None,
                    "weight": max(1, total * WEIGHT // whole[d]) if total else 0,
                }
            )
    return pa.Table.from_pylist(rows, schema=tables.PRIVACY.schema)
