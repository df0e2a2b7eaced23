"""The allocation of an area and day, as sums of BRP, supplier, group and direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier.arrays import Int64s
from kwartier.steps.disclosure.holders import Cell


class Run(NamedTuple):
    """What a run of an area and day says of its parties: tables.ALLOCATION and PRIVACY."""

    allocation: pa.Table
    privacy: pa.Table


class Told(NamedTuple):
    """A sum of a day: energy (periods) [Wh], points of each origin, all origins and kinds."""

    volume: Int64s
    points: Int64s
    withdrawn: bool
    # Of each profile category and type: the points of each origin, (origins, periods).
    by_origin: Mapping[tuple[str | None, str | None], Mapping[str, Int64s]]


def told_of(allocation: pa.Table) -> dict[Cell, Told]:
    """Sum an allocation, whose series follow one another, per cell."""
    n = int(pc.max(allocation["position"]).as_py() or 1)
    heads = allocation.take(pa.array(np.arange(0, allocation.num_rows, n)))
    volume = allocation["volume_wh"].to_numpy().reshape(-1, n)
    points = allocation["points"].to_numpy().reshape(-1, n)
    made: dict[Cell, Told] = {}
    names = ("brp", "supplier", "group", "direction", "profile_category", "consumption_type")
    words = heads.select([*names, "origin", "withdrawn"]).to_pylist()
    for row, own_volume, own_points in zip(words, volume, points, strict=True):
        cell: Cell = (row["brp"], row["supplier"], row["group"], row["direction"])
        held = made.get(cell) or Told(np.zeros(n, np.int64), np.zeros(n, np.int64), True, {})
        kind = (row["profile_category"], row["consumption_type"])
        made[cell] = Told(
            held.volume + own_volume,
            held.points + own_points,
            held.withdrawn and row["withdrawn"],
            {
                **held.by_origin,
                kind: {**held.by_origin.get(kind, {}), row["origin"]: own_points},
            },
        )
    return made
