"""Result tables for people: on a screen, and as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich import box
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from kwartier import codes
from kwartier.runs import Progress

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


@contextmanager
def progress(what: str, unit: str) -> Iterator[Progress]:
    """Show a progress bar on the error stream while something long is done."""
    bar = Bars(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(what, total=None, shown="")

        def show(done: int, total: int | None) -> None:
            of = f" of {total:,}" if total else ""
            bar.update(task, completed=done, total=total, shown=f"{done:,}{of} {unit}")

        yield show
        finished = bar.tasks[0].completed
        bar.update(task, completed=finished or 1, total=finished or 1)
