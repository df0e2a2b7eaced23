"""Result tables for people: on a screen, and as files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich import box
from rich.console import Console
from rich.table import Table

from kwartier import codes

# What each table is summed by on a screen, and what is summed.
_SUMMED = {
    "allocation": (
        ["market_day", "grid_area", "brp", "supplier", "direction", "origin"],
        [("volume_wh", "sum")],
    ),
    "coverage": (
        ["market_day", "grid_area", "group", "direction", "origin", "method", "status"],
        [("points", "sum"), ("volume_wh", "sum")],
    ),
    "findings": (["market_day", "rule", "severity"], [("rule", "count"), ("rows", "sum")]),
}
_HEADS = {
    "volume_wh_sum": "kWh",
    "points_sum": "points",
    "rule_count": "findings",
    "rows_sum": "rows not kept",
}


def kwh(wh: int | None) -> str:
    """Write energy in kWh with its three decimals, from whole Wh."""
    if wh is None:
        return "–"
    sign = "-" if wh < 0 else ""
    return f"{sign}{abs(wh) // 1000:,}.{abs(wh) % 1000:03d}"


def draw(title: str, heads: list[str], rows: list[list[str]], words: int) -> None:
    """Draw a table; the first `words` columns are words, the others numbers."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index < words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def show(name: str, rows: pa.Table) -> None:
    """Show a result table, summed over its quarters, points or parties."""
    keys, sums = _SUMMED[name]
    summed = rows.group_by(keys).aggregate(sums).sort_by([(key, "ascending") for key in keys])
    values = []
    for row in summed.to_pylist():
        line = ["" if row[key] is None else str(row[key]) for key in keys]
        for column, how in sums:
            value = row[f"{column}_{how}"]
            line.append(kwh(value) if column == "volume_wh" else f"{value:,}")
        values.append(line)
    heads = keys + [_HEADS[f"{column}_{how}"] for column, how in sums]
    draw(name, heads, values, len(keys))


def export(rows: pa.Table, out: Path) -> None:
    """Write a table as CSV, with points as EAN-18 of 18 digits, or as Parquet."""
    if out.suffix == ".parquet":
        pq.write_table(rows, out, compression="zstd")
        return
    names = rows.schema.names
    if "accounting_point" in names:
        digits = pc.utf8_lpad(
            rows["accounting_point"].cast(pa.string()), codes.EAN_DIGITS, padding="0"
        )
        rows = rows.set_column(names.index("accounting_point"), "accounting_point", digits)
    if "period_start" in names:
        moments = pc.strftime(rows["period_start"], format="%Y-%m-%dT%H:%M:%SZ")
        rows = rows.set_column(names.index("period_start"), "period_start", moments)
    pa_csv.write_csv(rows, out, pa_csv.WriteOptions(quoting_style="none"))
