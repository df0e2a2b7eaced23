"""Volumes → sums per grid area, BRP, supplier, direction and origin, and how well they are covered.

Sums per quarter-hour of at least one market party and area cannot be traced to a customer by
themselves; no accounting point is in any table made here. Source: FAQ; SD030 N111; domain §6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from kwartier import codes, periods, tables
from kwartier.arrays import Cell, Int64s, Volumes


def _parties(cells: Sequence[Cell], counted: Int64s) -> tuple[list[tuple[str, str]], Int64s]:
    """List the BRP and supplier pairs with points of the group, and the pair of each cell."""
    pairs = sorted({(c.brp, c.supplier) for c, n in zip(cells, counted, strict=True) if n})
    place = {pair: i for i, pair in enumerate(pairs)}
    return pairs, np.array([place.get((c.brp, c.supplier), -1) for c in cells], np.int64)


def _summed(cell_values: Int64s, pair: Int64s, pairs: int) -> Int64s:
    total = np.zeros((pairs, *cell_values.shape[1:]), np.int64)
    np.add.at(total, pair[pair >= 0], cell_values[pair >= 0])
    return total


def allocate(
    day: date,
    grid_area: str,
    cells: Sequence[Cell],
    metered: Int64s,
    measured: Volumes,
    calculated: Mapping[str, Volumes],
) -> pa.Table:
    """Make the allocation of a grid area: always all four smart-meter series of each pair.

    Parameters
    ----------
    metered : (cells), how many points of the smart-meter group each cell has.
    measured, calculated : what was measured, and what was calculated by each method.

    Returns
    -------
    tables.ALLOCATION, by BRP, supplier, direction, origin and position.
    """
    pairs, pair = _parties(cells, metered)
    n = periods.count(day)
    shape = (len(cells), 2, n)
    volume = sum((v.volume for v in calculated.values()), np.zeros(shape, np.int64))
    points = sum((v.points for v in calculated.values()), np.zeros(shape, np.int64))
    by_origin = [
        (_summed(v, pair, len(pairs)), _summed(p, pair, len(pairs)))
        for v, p in ((measured.volume, measured.points), (volume, points))
    ]
    volumes = np.stack([v for v, _ in by_origin], axis=2)  # pairs, direction, origin, period
    counts = np.stack([p for _, p in by_origin], axis=2)
    rows = len(pairs) * 4

    def repeated(words: list[str], each: int, times: int) -> pa.Array:
        index = np.tile(np.repeat(np.arange(len(words)), each), times)
        return pa.array(words, pa.string()).take(pa.array(index))

    columns = {
        "market_day": pa.array(np.full(rows * n, periods.number(day), np.int32)).cast(pa.date32()),
        "position": pa.array(np.tile(np.arange(1, n + 1, dtype=np.int32), rows)),
        "period_start": pa.array(np.tile(periods.starts(day), rows)).cast(pa.timestamp("s", "UTC")),
        "grid_area": repeated([grid_area], rows * n, 1),
        "brp": repeated([brp for brp, _ in pairs], 4 * n, 1),
        "supplier": repeated([supplier for _, supplier in pairs], 4 * n, 1),
        "group": repeated([codes.SMART_METER], rows * n, 1),
        "profile_category": pa.nulls(rows * n, pa.string()),
        "consumption_type": pa.nulls(rows * n, pa.string()),
        "direction": repeated(list(codes.DIRECTIONS), 2 * n, len(pairs)),
        "origin": repeated(list(codes.ORIGINS), n, 2 * len(pairs)),
        "volume_wh": pa.array(volumes.reshape(-1)),
        "points": pa.array(counts.reshape(-1)),
        "withdrawn": pa.array(np.zeros(rows * n, bool)),
    }
    return pa.table(columns, schema=tables.ALLOCATION.schema)


def cover(
    day: date,
    grid_area: str,
    cells: Sequence[Cell],
    metered: Int64s,
    profiled: Int64s,
    measured: Volumes,
    calculated: Mapping[str, Volumes],
) -> pa.Table:
    """Say how much of each series was measured and how the rest was made.

    Parameters
    ----------
    profiled : (cells, 2), points that are allocated by profile; their energy is not in this run.

    Returns
    -------
    tables.COVERAGE; a series without calculated periods has only its measured row.
    """
    n = periods.count(day)
    rows: dict[tuple[str, ...], list[int]] = {}
    absent = ""

    def add(key: tuple[str, ...], points: int, count: int, volume: int) -> None:
        row = rows.setdefault(key, [0, 0, 0])
        for i, value in enumerate((points, count, volume)):
            row[i] += value

    for c, cell in enumerate(cells):
        for d, direction in enumerate(codes.DIRECTIONS):
            party = (cell.brp, cell.supplier)
            if metered[c]:
                key = (*party, codes.SMART_METER, direction, codes.MEASURED, absent, absent)
                add(
                    key,
                    int(measured.any[c, d]),
                    int(measured.points[c, d].sum()),
                    int(measured.volume[c, d].sum()),
                )
            for method, made in calculated.items():
                if made.any[c, d]:
                    status = made.status[c][d] if made.status else absent
                    key = (*party, codes.SMART_METER, direction, codes.CALCULATED, method, status)
                    add(
                        key,
                        int(made.any[c, d]),
                        int(made.points[c, d].sum()),
                        int(made.volume[c, d].sum()),
                    )
            if profiled[c, d]:
                key = (*party, codes.PROFILE, direction, codes.CALCULATED, absent, absent)
                add(key, int(profiled[c, d]), int(profiled[c, d]) * n, 0)

    ordered = sorted(rows)
    texts = [[key[i] or None for key in ordered] for i in range(7)]
    numbers = [[rows[key][i] for key in ordered] for i in range(3)]
    not_here = [key[2] == codes.PROFILE for key in ordered]
    return pa.table(
        [
            pa.array([day] * len(ordered), pa.date32()),
            pa.array([grid_area] * len(ordered), pa.string()),
            *[pa.array(column, pa.string()) for column in texts],
            pa.array(numbers[0], pa.int64()),
            pa.array(numbers[1], pa.int64()),
            pa.array(numbers[2], pa.int64(), mask=np.array(not_here, bool)),
        ],
        schema=tables.COVERAGE.schema,
    )
