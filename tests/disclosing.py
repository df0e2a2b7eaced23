"""What tests of disclosure share: the allocation of an area and day, and who are behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from kwartier import parameters, periods, tables
from kwartier.steps.disclosure import Before, Disclosed, Run

DAY = date(2026, 3, 28)
AREA = "871685900000056162"
BRP, OTHER_BRP = "8712345000011", "8712345000028"
MARKET = parameters.load(DAY)
N = periods.count(DAY)


@dataclass(frozen=True)
class Sum:
    """A sum of an allocation, and who are behind it; each holder alike where `largest` is None."""

    supplier: str
    holders: int
    brp: str = BRP
    group: str = "SMA"
    direction: str = "E17"
    origin: str = "MSR"
    category: str | None = None
    type: str | None = None
    points: int | None = None
    shared: int = 0
    largest: float | None = None
    weight: int | None = None
    volume: int | None = None  # of the first period; the others follow from it

    def but(self, **changes: Any) -> Sum:
        return replace(self, **changes)


def volumes_of(one: Sum) -> np.ndarray:
    first = one.holders * 100 + len(one.supplier) if one.volume is None else one.volume
    return first + (np.arange(N, dtype=np.int64) % 7 if first else np.zeros(N, np.int64))


def given(*sums: Sum) -> Run:
    """Make the allocation and the privacy table of some sums."""
    allocation, privacy = [], []
    starts = periods.starts(DAY)
    for one in sums:
        points = one.holders if one.points is None else one.points
        words = {
            "market_day": DAY,
            "grid_area": AREA,
            "brp": one.brp,
            "supplier": one.supplier,
            "group": one.group,
            "profile_category": one.category,
            "consumption_type": one.type,
            "direction": one.direction,
        }
        for t, wh in enumerate(volumes_of(one).tolist()):
            allocation.append(
                words
                | {
                    "position": t + 1,
                    "period_start": int(starts[t]),
                    "origin": one.origin,
                    "volume_wh": wh,
                    "points": points,
                    "withdrawn": False,
                }
            )
        if one.holders and one.origin == "MSR":
            share = 1 / one.holders if one.largest is None else one.largest
            weight = one.holders * 10**6 if one.weight is None else one.weight
            privacy.append(
                words
                | {
                    "points": max(points, one.holders),
                    "holders": one.holders,
                    "shared_holders": one.shared,
                    "dominant_share": -int(-share * 10**6 // 1),
                    "weight": weight,
                }
            )
    return Run(
        pa.Table.from_pylist(allocation, schema=tables.ALLOCATION.schema),
        pa.Table.from_pylist(privacy, schema=tables.PRIVACY.schema),
    )


def before(run: Run, made: Disclosed) -> Before:
    """Give a run as the next one reads it: from its tables."""
    return Before.of(run.allocation, run.privacy, made.report)


def named(made: Disclosed, brp: str = BRP) -> list[str]:
    """List the suppliers that are told of a BRP."""
    rows = made.allocation.to_pylist()
    return sorted({row["supplier"] for row in rows if row["brp"] == brp and not row["withdrawn"]})


def merged(made: Disclosed, brp: str = BRP) -> set[str]:
    """List the suppliers of a BRP that are told as other."""
    return {supplier for of, supplier in made.partition.merged if of == brp}


def reported(made: Disclosed, column: str, **where: str) -> dict[str, Any]:
    """Give a column of the report by supplier, of one group and direction."""
    where = {"brp": BRP, "group": "SMA", "direction": "E17"} | where
    return {
        row["supplier"]: row[column]
        for row in made.report.to_pylist()
        if row["supplier"] and all(row[name] == value for name, value in where.items())
    }


def totals(allocation: pa.Table) -> dict[tuple[Any, ...], int]:
    """Sum an allocation per BRP, group, direction and period."""
    keys = ["brp", "group", "direction", "position"]
    summed = allocation.group_by(keys).aggregate([("volume_wh", "sum")]).to_pylist()
    return {tuple(row[key] for key in keys): row["volume_wh_sum"] for row in summed}
