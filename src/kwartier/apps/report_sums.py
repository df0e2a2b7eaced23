"""The sums that the report of a run shows: per BRP, per day, by method, against the truth.

Everything is added up in int64 Wh; no accounting point goes further than this file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods

# Edges of the error classes [% of the truth]; the plot only, no rule of the market.
ERROR_EDGES = (-20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20)

# The column that `of_method` adds.
BY_METHOD = "made"

_KEYS = ["market_day", "position", "grid_area", "brp", "supplier", "direction"]


class Run:
    """The tables, and the sums that more than one part of the page shows."""

    def __init__(
        self, allocation: pa.Table, coverage: pa.Table, findings: pa.Table, truth: pa.Table | None
    ) -> None:
        self.allocation, self.coverage, self.findings = allocation, coverage, findings
        self.days: list[date] = sorted(
            {*_values(allocation, "market_day"), *_values(coverage, "market_day")}
        )
        self.areas: list[str] = sorted(_values(allocation, "grid_area"))
        # [Wh] and [point-quarters] by BRP, direction and origin
        self.energy: dict[tuple[str, str, str], int] = defaultdict(int)
        self.point_quarters: dict[tuple[str, str, str], int] = defaultdict(int)
        for *key, volume, points in sums_by(
            allocation, ["brp", "direction", "origin"], ["volume_wh", "points"]
        ):
            self.energy[key[0], key[1], key[2]] = volume
            self.point_quarters[key[0], key[1], key[2]] = points
        brp_energy: dict[str, int] = defaultdict(int)
        for (brp, _, _), volume in self.energy.items():
            brp_energy[brp] += volume
        self.brps = sorted(brp_energy, key=lambda brp: (-brp_energy[brp], brp))
        self.compared: Compared | None = None if truth is None else Compared(allocation, truth)

    def of(self, direction: str, origin: str | None = None, brp: str | None = None) -> int:
        """Sum the energy of a direction [Wh], of one origin or BRP where given."""
        return pick(self.energy, direction, origin, brp)

    def points_by_day(
        self, keys: Sequence[str] = (), direction: str = codes.OFFTAKE
    ) -> dict[tuple[Any, ...], list[int]]:
        """Count the points with a smart meter and this direction on each day, by further keys.

        A point of a direction is in each of its quarters, measured or calculated, so the first
        has them all; every point has offtake.
        """
        first = self.allocation.filter(
            (pc.field("position") == 1)
            & (pc.field("direction") == direction)
            & (pc.field("group") == codes.SMART_METER)
        )
        counts: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for _, *key, points in sums_by(first, ["market_day", *keys], ["points"]):
            counts[tuple(key)].append(points)
        return counts


class Compared:
    """The smart-meter group held against the truth, on every cell and quarter that both know."""

    def __init__(self, allocation: pa.Table, truth: pa.Table) -> None:
        smart = allocation.filter(pc.field("group") == codes.SMART_METER)
        ours = smart.group_by(_KEYS).aggregate([("volume_wh", "sum")])
        # A truth that is unknown in part is unknown: a null is never counted as 0.
        strict = pc.ScalarAggregateOptions(skip_nulls=False)
        theirs = truth.group_by(_KEYS).aggregate([("volume_wh", "sum", strict)])
        theirs = theirs.rename_columns([*_KEYS, "truth"]).cast(
            pa.schema([*(ours.schema.field(key) for key in _KEYS), ("truth", pa.int64())])
        )
        both = ours.rename_columns([*_KEYS, "allocated"]).join(
            theirs, _KEYS, join_type="full outer"
        )
        without_truth = both.filter(pc.field("truth").is_null())
        without_ours = both.filter(pc.field("allocated").is_null() & pc.field("truth").is_valid())
        self.without_truth = without_truth.num_rows, _total(without_truth["allocated"])
        self.without_ours = without_ours.num_rows, _total(without_ours["truth"])
        self.cells = both.filter(pc.field("truth").is_valid() & pc.field("allocated").is_valid())
        # What is settled is the sum of a BRP in an area, whichever its suppliers.
        settled = self.cells.group_by(["market_day", "position", "grid_area", "brp", "direction"])
        error = settled.aggregate([("allocated", "sum"), ("truth", "sum")])
        error = error.append_column(
            "absolute", pc.abs(pc.subtract(error["allocated_sum"], error["truth_sum"]))
        )
        # (BRP, direction) → allocated, truth, sum of the absolute errors of the quarters [Wh]
        self.by_brp = {
            (brp, direction): sums
            for brp, direction, *sums in sums_by(
                error, ["brp", "direction"], ["allocated_sum", "truth_sum", "absolute"]
            )
        }
        self.exact = 0
        self.classes: dict[str, list[int]] = {}
        for direction in codes.DIRECTIONS:
            rows = self.cells.filter(pc.field("direction") == direction)
            true = rows["truth"].to_numpy()
            off = rows["allocated"].to_numpy() - true
            wrong, true = off[off != 0], true[off != 0]
            self.exact += len(off) - len(wrong)
            # Whole numbers only: a truth of zero falls in the outermost class by itself.
            place = np.zeros(len(wrong), np.int64)
            for edge in ERROR_EDGES:
                place += wrong * 100 > edge * true
            self.classes[direction] = np.bincount(place, minlength=len(ERROR_EDGES) + 1).tolist()

    def total(self, direction: str | None = None) -> tuple[int, int, int]:
        """Sum allocated, truth and absolute errors of a direction or of both [Wh]."""
        rows = [sums for key, sums in self.by_brp.items() if direction in (None, key[1])]
        return sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] for r in rows)


def of_method(coverage: pa.Table) -> pa.Table:
    """Add how the energy was made: in the smart-meter group the method, else the group."""
    known = coverage.filter(pc.field("volume_wh").is_valid())
    smart = pc.equal(known["group"], codes.SMART_METER)
    method = pc.coalesce(known["method"], known["origin"])
    return known.append_column(BY_METHOD, pc.if_else(smart, method, known["group"]))


def plot_data(run: Run, comparison_name: str) -> dict[str, Any]:
    day_of = {day: index for index, day in enumerate(run.days)}
    area_of = {area: index for index, area in enumerate(run.areas)}
    brp_of = {brp: index for index, brp in enumerate(run.brps)}
    places = (day_of, area_of)
    clocks = [_clock(day) for day in run.days]
    kinds = sorted({tuple(clock) for clock in clocks})
    made = of_method(run.coverage)
    by_brp = sums_by(made, ["grid_area", "brp", "direction", BY_METHOD], ["periods", "volume_wh"])
    by_day = sums_by(
        made, ["market_day", "grid_area", "direction", BY_METHOD], ["periods", "volume_wh"]
    )
    calculated = run.allocation.filter(pc.field("origin") != codes.MEASURED)
    data: dict[str, Any] = {
        "days": [day.isoformat() for day in run.days],
        "clocks": kinds,
        "clock": [kinds.index(tuple(clock)) for clock in clocks],
        "areas": run.areas,
        "brps": run.brps,
        "volumes": _vectors(run.allocation, "volume_wh", *places, brp=brp_of),
        "calculated": _vectors(calculated, "volume_wh", *places),
        # a BRP or day of the coverage that the allocation lacks still counts
        "by_brp": [[area_of.get(row[0], -1), *row[1:]] for row in by_brp],
        "by_day": [[day_of[row[0]], area_of.get(row[1], -1), *row[2:]] for row in by_day],
        "rules": count_by(run.findings, ["rule", "severity"]),
        "finding_days": [
            [day.isoformat() if day else "no day", *rest]
            for day, *rest in count_by(run.findings, ["market_day", "severity"])
        ],
        "comparison_name": comparison_name,
        "compared": None,
    }
    if run.compared is not None:
        cells = run.compared.cells
        # a truth of a day or area that was not run has no allocation and is not among the cells
        data["compared"] = {
            "allocated": _vectors(cells, "allocated", *places),
            "truth": _vectors(cells, "truth", *places),
            "by_brp": [
                [brp, direction, *sums] for (brp, direction), sums in run.compared.by_brp.items()
            ],
            "classes": class_names(),
            "counts": run.compared.classes,
        }
    return data


def _clock(day: date) -> list[str]:
    """Label the periods of a day with the wall clock; a doubled hour also with its zone."""
    local = [
        datetime.fromtimestamp(int(s), UTC).astimezone(periods.CLOCK) for s in periods.starts(day)
    ]
    seen = Counter(f"{moment:%H:%M}" for moment in local)
    return [
        f"{moment:%H:%M} {moment:%Z}" if seen[f"{moment:%H:%M}"] > 1 else f"{moment:%H:%M}"
        for moment in local
    ]


def _vectors(
    table: pa.Table,
    value: str,
    day_of: Mapping[date, int],
    area_of: Mapping[str, int],
    brp: Mapping[str, int] | None = None,
) -> list[list[Any]]:
    """Sum to a row per day, area, direction (and BRP): its keys, its volume per period [Wh]."""
    keys = ["market_day", "grid_area", "direction", *(["brp"] if brp else [])]
    return [
        [day_of[key[0]], area_of[key[1]], key[2], *([brp[key[3]]] if brp else []), vector]
        for key, vector in by_period(table, keys, value).items()
    ]


def by_period(
    table: pa.Table, keys: Sequence[str], value: str
) -> dict[tuple[Any, ...], list[int | None]]:
    """Sum a value to a vector of the day's periods; the first of the keys is market_day."""
    rows: dict[tuple[Any, ...], list[int | None]] = {}
    for *key, position, volume in sums_by(table, [*keys, "position"], [value]):
        # A period without a row is a hole in the line, not a zero.
        vector = rows.setdefault(tuple(key), [None] * periods.count(key[0]))
        vector[position - 1] = volume
    return rows


def class_names() -> list[str]:
    low, high = ERROR_EDGES[0], ERROR_EDGES[-1]
    between = [f"{a:+d} to {b:+d} %" for a, b in pairwise(ERROR_EDGES)]
    names = [f"below {low:+d} %", *between, f"above {high:+d} %"]
    return [name.replace("+0", "0").replace("-", "\N{MINUS SIGN}") for name in names]


def sums_by(table: pa.Table, keys: Sequence[str], values: Sequence[str]) -> list[list[Any]]:
    """Sum the values by the keys; rows of keys and sums, sorted by the keys."""
    grouped = table.group_by(list(keys)).aggregate([(value, "sum") for value in values])
    grouped = grouped.select([*keys, *(f"{value}_sum" for value in values)])
    if keys:
        grouped = grouped.sort_by([(key, "ascending") for key in keys])
    return [list(row) for row in zip(*(c.to_pylist() for c in grouped.columns), strict=True)]


def count_by(table: pa.Table, keys: Sequence[str]) -> list[list[Any]]:
    """Count the rows by the keys; rows of keys and count, sorted by the keys."""
    grouped = table.select(list(keys)).group_by(list(keys)).aggregate([([], "count_all")])
    grouped = grouped.select([*keys, "count_all"])
    order = [(key, "ascending") for key in keys]
    return [
        list(row)
        for row in zip(*(c.to_pylist() for c in grouped.sort_by(order).columns), strict=True)
    ]


def pick(
    sums: Mapping[tuple[str, str, str], int],
    direction: str,
    origin: str | None = None,
    brp: str | None = None,
) -> int:
    return sum(
        value
        for key, value in sums.items()
        if key[1] == direction and origin in (None, key[2]) and brp in (None, key[0])
    )


def _values(table: pa.Table, column: str) -> list[Any]:
    return list(pc.unique(table[column]).to_pylist())


def _total(column: pa.ChunkedArray) -> int:
    return pc.sum(column).as_py() or 0
