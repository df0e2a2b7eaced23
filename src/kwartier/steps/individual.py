"""Points that are exchanged individually → their table: telemetry, grid losses, unmetered.

A point of a small customer, read by its smart meter or allocated by profile, is never in it.
Source: SD030 N101, N131, N141; domain §8.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from kwartier import codes, tables
from kwartier.arrays import NOT_READ, AreaPoints, Own


def table(day: date, grid_area: str, points: AreaPoints, own: Sequence[Own]) -> pa.Table:
    """Make tables.INDIVIDUAL of a grid area, by point and direction."""
    own = sorted(own, key=lambda one: (points.number[one.point], one.direction))
    at = [one.point for one in own]

    def words(known: Sequence[str], name: str) -> pa.Array:
        held = pa.array([None, *known], pa.string())
        index = np.concatenate([np.empty(0, np.int8), *(getattr(one, name) for one in own)])
        return _lists(own, held.take(pa.array(index)))

    volume = np.concatenate([np.empty(0, np.int64), *(one.volume for one in own)])
    return pa.table(
        {
            "market_day": pa.array([day] * len(own), pa.date32()),
            "grid_area": pa.array([grid_area] * len(own), pa.string()),
            "accounting_point": points.number[np.array(at, np.int64)],
            "brp": pa.array([points.brp[i] for i in at], pa.string()),
            "supplier": pa.array([points.supplier[i] for i in at], pa.string()),
            "group": pa.array([points.group[i] for i in at], pa.string()),
            "direction": pa.array([codes.DIRECTIONS[one.direction] for one in own], pa.string()),
            "volume_wh": _lists(own, pa.array(volume, mask=volume == NOT_READ)),
            "origin": words(codes.DELIVERED_ORIGINS, "origin"),
            "validation_status": words(codes.VALIDATION_STATUSES, "validation"),
            "method": words(codes.METHODS, "method"),
            "withdrawn": pa.array(np.zeros(len(own), bool)),
        },
        schema=tables.INDIVIDUAL.schema,
    )


def _lists(own: Sequence[Own], values: pa.Array) -> pa.Array:
    ends = np.cumsum([0, *(len(one.volume) for one in own)]).astype(np.int32)
    return pa.ListArray.from_arrays(ends, values)
