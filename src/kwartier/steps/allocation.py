"""Volumes → sums per grid area, BRP, supplier, group, direction and origin, and their coverage.

Sums per quarter-hour of at least one market party and area cannot be traced to a customer by
themselves; no accounting point is in any table made here.
Source: FAQ; SD030 N102, N111, N121, N132, N142; domain §6; decisions §13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from kwartier import codes, periods, tables
from kwartier.arrays import Cell, Covered, Int64s, Line, Volumes


def metered(
    cells: Sequence[Cell],
    counted: Int64s,
    measured: Volumes,
    calculated: Mapping[str, Volumes],
) -> list[Line]:
    """Sum smart meters per BRP and supplier: always all four series of each pair.

    Parameters
    ----------
    counted : (cells), how many points of the smart-meter group each cell has.
    measured, calculated : what was measured, and what was calculated by each method.
    """
    pairs = sorted({(c.brp, c.supplier) for c, n in zip(cells, counted, strict=True) if n})
    place = {pair: i for i, pair in enumerate(pairs)}
    pair = np.array([place.get((c.brp, c.supplier), -1) for c in cells], np.int64)
    first = np.searchsorted(pair[pair >= 0], np.arange(len(pairs)))
    none = np.zeros(measured.volume.shape, np.int64)
    by_origin = (
        (codes.MEASURED, measured.volume, measured.points),
        (
            codes.CALCULATED,
            sum((v.volume for v in calculated.values()), none),
            sum((v.points for v in calculated.values()), none),
        ),
    )
    lines = []
    for origin, *of_cells in by_origin:
        # Cells are in the order of their pairs.
        volume, points = (
            np.add.reduceat(values[pair >= 0], first) if pairs else values[:0]
            for values in of_cells
        )
        lines += [
            Line(*key, codes.SMART_METER, "", "", d, origin, volume[p, d], points[p, d])
            for p, key in enumerate(pairs)
            for d in range(2)
        ]
    return lines


def profiled(cells: Sequence[Cell], points: Int64s, offtake: Int64s, infeed: Int64s) -> list[Line]:
    """Give the series of the profiled points, both directions of each kind.

    Parameters
    ----------
    points : (cells, 2), with offtake and with infeed; offtake, infeed : (cells, periods) [Wh].
    """
    behind = np.ones(offtake.shape[1], np.int64)
    return [
        Line(
            cells[c].brp,
            cells[c].supplier,
            codes.PROFILE,
            cells[c].profile_category,
            cells[c].consumption_type,
            d,
            codes.CALCULATED,
            volume[c],
            points[c, d] * behind,
        )
        for c in np.nonzero(points[:, 0])[0].tolist()
        for d, volume in enumerate((offtake, infeed))
    ]


def _key(line: Line) -> tuple[object, ...]:
    origin = codes.DELIVERED_ORIGINS.index(line.origin)
    return (*line[:3], line.category, line.type, line.direction, origin)


def allocate(day: date, grid_area: str, lines: Sequence[Line]) -> pa.Table:
    """Make the allocation of a grid area.

    Returns
    -------
    tables.ALLOCATION, by BRP, supplier, group, kind, direction, origin and position.
    """
    lines = sorted(lines, key=_key)
    n, rows = periods.count(day), len(lines)

    def repeated(words: list[str | None]) -> pa.Array:
        index = pa.array(np.repeat(np.arange(rows), n))
        return pa.array(words, pa.string()).take(index)

    def values(name: str) -> pa.Array:
        columns = [getattr(line, name) for line in lines]
        return pa.array(np.concatenate([np.empty(0, np.int64), *columns]))

    columns = {
        **tables.period_columns(day, rows),
        "grid_area": repeated([grid_area] * rows),
        "brp": repeated([line.brp for line in lines]),
        "supplier": repeated([line.supplier for line in lines]),
        "group": repeated([line.group for line in lines]),
        "profile_category": repeated([line.category or None for line in lines]),
        "consumption_type": repeated([line.type or None for line in lines]),
        "direction": repeated([codes.DIRECTIONS[line.direction] for line in lines]),
        "origin": repeated([line.origin for line in lines]),
        "volume_wh": values("volume"),
        "points": values("points"),
        "withdrawn": pa.array(np.zeros(rows * n, bool)),
    }
    return pa.table(columns, schema=tables.ALLOCATION.schema)


def cover_metered(
    cells: Sequence[Cell],
    counted: Int64s,
    measured: Volumes,
    calculated: Mapping[str, Volumes],
) -> list[Covered]:
    """Say how much of the smart meters' series was measured and how the rest was made."""
    ways = [(codes.MEASURED, "", measured)]
    ways += [(codes.CALCULATED, method, way) for method, way in calculated.items()]
    made: list[Covered] = []
    for origin, method, way in ways:
        periods, volume = way.points.sum(axis=2), way.volume.sum(axis=2)
        given = (way.any > 0) | (origin == codes.MEASURED)
        at = np.nonzero(given & (counted > 0)[:, None])
        told = (*at, way.any[at], periods[at], volume[at])
        made += [
            Covered(
                *(cells[c].brp, cells[c].supplier, codes.SMART_METER, d, origin, method),
                way.status[c][d] if way.status else "",
                *sums,
            )
            for c, d, *sums in zip(*(column.tolist() for column in told), strict=True)
        ]
    return made


def cover_profiled(
    cells: Sequence[Cell],
    points: Int64s,
    offtake: Int64s,
    infeed: Int64s,
    status: Sequence[Sequence[str]],
) -> list[Covered]:
    """Say how much was allocated by profile, and where its fractions come from."""
    return [
        Covered(
            *(cells[c].brp, cells[c].supplier, codes.PROFILE, d, codes.CALCULATED, ""),
            status[c][d],
            int(points[c, d]),
            int(points[c, d]) * offtake.shape[1],
            int(volume[c].sum()),
        )
        for c in np.nonzero(points[:, 0])[0].tolist()
        for d, volume in enumerate((offtake, infeed))
        if points[c, d]
    ]


def cover(day: date, grid_area: str, covered: Sequence[Covered]) -> pa.Table:
    """Make the coverage of a grid area; what is alike is added up.

    Returns
    -------
    tables.COVERAGE, by its key.
    """
    sums: dict[tuple[str | int, ...], tuple[int, int, int]] = {}
    for one in covered:
        points, periods_, volume = sums.get(one[:7], (0, 0, 0))
        sums[one[:7]] = (points + one.points, periods_ + one.periods, volume + one.volume)
    ordered = sorted(sums)
    words = [list(column) for column in zip(*ordered, strict=True)] or [[]] * 7
    words[3] = [codes.DIRECTIONS[int(d)] for d in words[3]]
    texts = [pa.array([word or None for word in column], pa.string()) for column in words]
    counts = [pa.array([sums[key][i] for key in ordered], pa.int64()) for i in range(3)]
    return pa.table(
        [
            pa.array([day] * len(ordered), pa.date32()),
            pa.array([grid_area] * len(ordered), pa.string()),
            *texts,
            *counts,
        ],
        schema=tables.COVERAGE.schema,
    )
