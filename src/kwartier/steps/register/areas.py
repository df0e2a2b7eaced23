"""Rows of the register by grid area, so that an area can be asked by itself.

Which row counts is told by all rows of its point. So where a point lies in one area now and in
another then, each of them holds all its rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier.arrays import Bools, Int64s

_POINT, _AREA = "accounting_point", "grid_area"
_ORDER = [(_POINT, "ascending"), ("valid_from", "ascending")]


def moved(rows: pa.Table, held: Mapping[str, Int64s]) -> Int64s:
    """List the points of some rows that lie in more than one area, sorted.

    Parameters
    ----------
    rows : tables.REGISTER, that come now.
    held : the points that each area holds rows of.
    """
    number = _numbers(rows)
    area = rows[_AREA].combine_chunks().dictionary_encode()
    index, words = area.indices.to_numpy(), area.dictionary.to_pylist()
    several = [np.empty(0, np.int64)]
    order = np.argsort(number, kind="stable")
    other = (number[order][1:] == number[order][:-1]) & (index[order][1:] != index[order][:-1])
    several.append(number[order][1:][other])
    for grid_area, numbers in held.items():
        elsewhere = np.array([word != grid_area for word in words], bool)[index]
        several.append(number[elsewhere & np.isin(number, numbers)])
    return np.unique(np.concatenate(several))


def by_area(rows: pa.Table, points: Int64s, held: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Give each area the rows that it has to hold, in order of point and start.

    Parameters
    ----------
    rows : tables.REGISTER, that come now.
    points : those of them that lie in more than one area.
    held : the rows that each area holds of these points.
    """
    given: dict[str, list[pa.Table]] = {}
    for area in pc.unique(rows[_AREA]).to_pylist():
        given[area] = [rows.filter(pc.equal(rows[_AREA], area))]
    come = rows.filter(pa.array(np.isin(_numbers(rows), points)))
    # A row that was held lies in its own area once, whatever other areas hold it too.
    before = [table.filter(pc.equal(table[_AREA], area)) for area, table in held.items()]
    every = pa.concat_tables([come, *before])
    for area in sorted(set(pc.unique(every[_AREA]).to_pylist()) | set(held)):
        holds = _numbers(held[area]) if area in held else points[:0]
        lies = np.union1d(_numbers(every.filter(pc.equal(every[_AREA], area))), holds)
        given.setdefault(area, [])
        given[area].append(_elsewhere(come, area, np.isin(_numbers(come), lies)))
        for table in before:
            number = _numbers(table)
            given[area].append(
                _elsewhere(table, area, np.isin(number, lies) & ~np.isin(number, holds))
            )
    put = {area: pa.concat_tables(parts) for area, parts in sorted(given.items())}
    return {area: table.sort_by(_ORDER) for area, table in put.items() if len(table)}


def _elsewhere(rows: pa.Table, area: str, wanted: Bools) -> pa.Table:
    return rows.filter(pc.and_(pa.array(wanted), pc.not_equal(rows[_AREA], area)))


def _numbers(rows: pa.Table) -> Int64s:
    return np.asarray(rows[_POINT].to_numpy(), np.int64)
