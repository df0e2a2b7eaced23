"""How the grid area closes, for the report: what goes out and comes in, residual and factor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, parameters
from kwartier.apps.report_cells import kwh, number, table, text
from kwartier.apps.report_sums import by_period, sums_by

GROUP_WORDS = {
    codes.SMART_METER: "smart meter",
    codes.PROFILE: "by profile",
    codes.TELEMETRY: "telemetry",
    codes.UNMETERED: "unmetered",
    codes.GRID_LOSS: "grid loss",
}
# Lines of the balance in the order of the page; every kind of grid loss is in one.
LINE_WORDS = {
    **GROUP_WORDS,
    codes.COUPLING: "couplings",
    codes.UNASSIGNED: "borne by nobody",
}
_LINE_KEYS = ["market_day", "grid_area", "line", "direction"]
_FACTOR_DECIMALS = 5
_ONE = 10**_FACTOR_DECIMALS


class Closing:
    """The balance, the residual and its factor, and those of before where there are any.

    Parameters
    ----------
    days, areas : of the run, in the order of the page; others are left out.
    """

    def __init__(
        self,
        balance: pa.Table,
        residual: pa.Table,
        before: pa.Table | None,
        days: Sequence[date],
        areas: Sequence[str],
    ) -> None:
        self._days = {day: index for index, day in enumerate(days)}
        self._areas = {area: index for index, area in enumerate(areas)}
        balance, residual = self._of_page(balance), self._of_page(residual)
        # The kinds of grid loss are among the lines that are no group of their own.
        kinds = pc.is_in(balance["line"], pa.array(codes.LOSS_TYPES))
        line = pc.if_else(kinds, codes.GRID_LOSS, balance["line"])
        at = balance.schema.get_field_index("line")
        self._balance = balance.set_column(at, "line", line)
        self._residuals = {"now": residual}
        if before is not None and self._of_page(before).num_rows:
            self._residuals = {"before": self._of_page(before), **self._residuals}
        held = parameters.load(max(self._days))
        self._band = held.residual_alarm_low, held.residual_alarm_high

    def _of_page(self, rows: pa.Table) -> pa.Table:
        days = pc.is_in(rows["market_day"], pa.array(list(self._days), pa.date32()))
        areas = pc.is_in(rows["grid_area"], pa.array(list(self._areas), pa.string()))
        return rows.filter(pc.and_(days, areas))

    def plot_data(self) -> dict[str, Any]:
        """Give the lines [day, area, line, direction, Wh] and residuals [day, area, Wh, Wh, 1e-5].

        Of a residual: what was left, the assumed offtake, the factor; of each day a vector.
        """
        return {
            "lines": [
                [self._days[day], self._areas[area], line, direction, vector]
                for (day, area, line, direction), vector in by_period(
                    self._balance, _LINE_KEYS, "volume_wh"
                ).items()
            ],
            **{name: self._vectors(rows) for name, rows in self._residuals.items()},
            "band": [float(edge) for edge in self._band],
        }

    def _vectors(self, rows: pa.Table) -> list[list[Any]]:
        keys = ["market_day", "grid_area"]
        columns = ("residual_wh", "assumed_offtake_wh", "factor")
        vectors = [by_period(rows, keys, column) for column in columns]
        return [
            [self._days[day], self._areas[area], *(of[day, area] for of in vectors)]
            for day, area in vectors[0]
        ]

    def words(self) -> dict[str, str]:
        """Write the words and tables of the section."""
        return {
            "closes": self._closes(),
            "band": " to ".join(number(int(edge * 100), 2) for edge in self._band),
            "states": (
                "“Before” is an earlier state of the same days, “now” that of this page."
                if "before" in self._residuals
                else ""
            ),
            "balance_table": self._balance_table(),
            "balance_days": self._balance_days(),
            "factor_table": self._factor_table(["grid_area"]),
            "factor_days": self._factor_table(["market_day", "grid_area"]),
        }

    def _closes(self) -> str:
        net: dict[tuple[Any, ...], int] = {}
        for *key, direction, volume in sums_by(
            self._balance, ["market_day", "position", "grid_area", "direction"], ["volume_wh"]
        ):
            sign = 1 if direction == codes.INFEED else -1
            net[tuple(key)] = net.get(tuple(key), 0) + sign * volume
        even = sum(rest == 0 for rest in net.values())
        return (
            f"In {number(even)} of {number(len(net))} quarter-hours of an area as much comes in as "
            "goes out, to the Wh."
        )

    def _balance_table(self) -> str:
        sums = {
            (line, direction): volume
            for line, direction, volume in sums_by(
                self._balance, ["line", "direction"], ["volume_wh"]
            )
        }
        there = [line for line in LINE_WORDS if any((line, d) in sums for d in codes.DIRECTIONS)]
        rows = [
            [
                text(LINE_WORDS[line]),
                *(kwh(sums[line, d]) if (line, d) in sums else "" for d in codes.DIRECTIONS),
            ]
            for line in there
        ]
        whole = [sum(v for (_, d), v in sums.items() if d == way) for way in codes.DIRECTIONS]
        rows.append(["All", *map(kwh, whole)])
        return table(["line", "goes out [kWh]", "comes in [kWh]"], rows, total=1)

    def _balance_days(self) -> str:
        sums = {
            tuple(key): volume for *key, volume in sums_by(self._balance, _LINE_KEYS, ["volume_wh"])
        }
        series = [
            (line, direction)
            for direction in codes.DIRECTIONS
            for line in LINE_WORDS
            if any(key[2:] == (line, direction) for key in sums)
        ]
        rows = [
            [str(day), text(area), *(kwh(sums.get((day, area, *of), 0)) for of in series)]
            for day, area in sorted({key[:2] for key in sums})
        ]
        ways = {codes.OFFTAKE: "out", codes.INFEED: "in"}
        heads = [f"{ways[direction]}: {LINE_WORDS[line]}" for line, direction in series]
        return table(["market day", "grid area", *heads], rows, words=2)

    def _factor_table(self, keys: list[str]) -> str:
        """Write the residual and the factor by keys, now and before."""
        several = len(self._residuals) > 1
        rows = []
        for name, table_of in self._residuals.items():
            size = pc.abs(table_of["residual_wh"])
            low, high = (edge * _ONE for edge in self._band)
            outside = [not low <= factor <= high for factor in table_of["factor"].to_pylist()]
            sized = table_of.append_column("size", size).append_column(
                "outside", pa.array(outside, pa.bool_()).cast(pa.int64())
            )
            values = ["residual_wh", "size", "assumed_offtake_wh"]
            grouped = sized.group_by(keys).aggregate(
                [
                    *((value, "sum") for value in values),
                    ("factor", "min"),
                    ("factor", "sum"),
                    ("factor", "max"),
                    ("outside", "sum"),
                    ("factor", "count"),
                ]
            )
            for row in grouped.to_pylist():
                mean = Fraction(row["factor_sum"], row["factor_count"])
                factors = (row["factor_min"], _rounded(mean), row["factor_max"])
                cells = [kwh(row[f"{value}_sum"]) for value in values]
                cells += [number(factor, _FACTOR_DECIMALS) for factor in factors]
                cells.append(f"{number(row['outside_sum'])} of {number(row['factor_count'])}")
                rows.append([*(str(row[key]) for key in keys), name, *cells])
        # The two of an area stand together, before first.
        order = list(self._residuals)
        rows.sort(key=lambda row: (row[: len(keys)], order.index(row[len(keys)])))
        heads = [*(key.replace("_", " ") for key in keys), "state"]
        heads += ["residual", "the same without its signs", "assumed offtake"]
        heads += ["RCF lowest", "mean", "highest", "quarters outside the band"]
        if not several:
            rows = [[*row[: len(keys)], *row[len(keys) + 1 :]] for row in rows]
            heads.remove("state")
        lines = [[*(text(c) for c in row[: len(keys)]), *row[len(keys) :]] for row in rows]
        return table(heads, lines, words=len(keys) + several)


def _rounded(value: Fraction) -> int:
    """Round half up, as the factor is."""
    return int((2 * value.numerator + value.denominator) // (2 * value.denominator))
