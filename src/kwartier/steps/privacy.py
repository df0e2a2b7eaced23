"""Points of an area → how many holders are behind each sum, and how large the largest is.

No energy is looked at: what is kept small is known before the day, by the register alone, so it
tells nothing of the day. Source: domain §10; decisions §33.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from kwartier import codes, kernels, tables
from kwartier.arrays import NO_CURRENT, PROFILED, AreaPoints, Bools, Int64s, Points

_DAYS = 365
SHARE, WEIGHT = 10**6, 10**12  # a share is a count of 1e-6, a weight one of 1e-12

_Sum = tuple[str, str, str, str, str]
_WORDS = ("brp", "supplier", "group", "profile_category", "consumption_type")  # of a sum


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
    by_name = np.zeros(len(live), bool) if points.holder is None else live & (points.holder < 0)
    in_sum = of_cells[points.cell[by_name], (points.state[by_name] == PROFILED).astype(np.int64)]
    made = _Counted.nothing(len(place))
    kernels.count_held(
        (points.state, points.cell, points.with_infeed, points.annual),
        (NO_CURRENT, PROFILED),
        of_cells,
        np.empty(0, bool) if points.holder is None else points.holder >= 0,
        made.points,
        made.holders,
        made.total,
        made.largest,
    )
    of_holder = others.number if others.holder is None else others.holder
    for d, also in enumerate((np.ones(len(others.number), bool), feeds_in)):
        theirs = _Held(of_others[also], of_holder[also], annual[also, d])
        _add(theirs, made, d)
        held = [theirs.take(theirs.holder < 0)]
        if points.holder is not None:
            mine = points.with_infeed[by_name] | (d == 0)
            of_named = _Held(in_sum, points.holder[by_name], points.annual[by_name, d])
            held.append(of_named.take(mine))
        _add_named(_Held(*map(np.concatenate, zip(*held, strict=True))), made, d)
    return _table(day, points.grid_area, place, made)


class _Held(NamedTuple):
    """Points with a direction: the sum each is in, who holds it, and its annual volume [Wh].

    `holder` is the number of the point where it is held apart, below 0 where a holder is named.
    """

    sum: Int64s
    holder: Int64s
    annual: Int64s

    def take(self, index: Bools) -> _Held:
        """Keep some of the points."""
        return _Held(self.sum[index], self.holder[index], self.annual[index])


class _Counted(NamedTuple):
    """Of each direction and sum: points, holders, those of them in other sums too; annual volumes.

    (2, sums) each; the volumes are in all, and the largest of a holder [Wh].
    """

    points: Int64s
    holders: Int64s
    shared: Int64s
    total: Int64s
    largest: Int64s

    @classmethod
    def nothing(cls, sums: int) -> _Counted:
        """Begin with no points."""
        return cls(*np.zeros((5, 2, sums), np.int64))


def _add(held: _Held, into: _Counted, direction: int) -> None:
    """Add points; those that are held apart count as holders."""
    np.add.at(into.points[direction], held.sum, 1)
    np.add.at(into.total[direction], held.sum, held.annual)
    alone = held.take(held.holder >= 0)
    np.add.at(into.holders[direction], alone.sum, 1)
    np.maximum.at(into.largest[direction], alone.sum, alone.annual)


def _add_named(held: _Held, into: _Counted, direction: int) -> None:
    """Add the holders that are named: all points of one in a sum are put together."""
    if not len(held.sum):
        return
    sums = into.points.shape[1]
    order = np.lexsort((held.sum, held.holder))
    holder, in_sum = held.holder[order], held.sum[order]
    first = np.ones(len(order), bool)
    first[1:] = (holder[1:] != holder[:-1]) | (in_sum[1:] != in_sum[:-1])
    start = np.nonzero(first)[0]
    together = np.add.reduceat(held.annual[order], start)
    into.holders[direction] += np.bincount(in_sum[start], minlength=sums)
    np.maximum.at(into.largest[direction], in_sum[start], together)
    of = holder[start]
    several = np.zeros(len(of), bool)
    several[1:] |= of[1:] == of[:-1]
    several[:-1] |= of[1:] == of[:-1]
    into.shared[direction] += np.bincount(in_sum[start][several], minlength=sums)


def _table(day: date, grid_area: str, place: dict[_Sum, int], counted: _Counted) -> pa.Table:
    whole = counted.total.sum(axis=1).tolist()
    ordered = sorted(place.items())
    at = np.array([n for _, n in ordered], np.int64)
    row, direction = np.nonzero(counted.points.T[at])
    keys = [ordered[n][0] for n in row.tolist()]
    told = [of[direction, at[row]].tolist() for of in counted]
    dominant, weight = [], []
    for d, total, largest in zip(direction.tolist(), told[3], told[4], strict=True):
        dominant.append(-(-largest * SHARE // total) if total else None)
        weight.append(max(1, total * WEIGHT // whole[d]) if total else 0)
    columns = [
        [day] * len(keys),
        [grid_area] * len(keys),
        *([words[n] or None for words in keys] for n in range(len(_WORDS))),
        [codes.DIRECTIONS[d] for d in direction.tolist()],
        *told[:3],
        dominant,
        weight,
    ]
    schema = tables.PRIVACY.schema
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.table(arrays, schema=schema)
