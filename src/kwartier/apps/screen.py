"""Result tables for people: on a screen, and as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import numpy.typing as npt
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
from kwartier.adapters.files import Problem
from kwartier.runs import Progress

# What each table is summed by on a screen, and what is summed.
_SUMMED = {
    "allocation": (
        ["market_day", "grid_area", "brp", "supplier", "group", "direction", "origin"],
        [("volume_wh", "sum")],
    ),
    "coverage": (
        ["market_day", "grid_area", "group", "direction", "origin", "method", "status"],
        [("points", "sum"), ("volume_wh", "sum")],
    ),
    "findings": (["market_day", "rule", "severity"], [("rule", "count"), ("rows", "sum")]),
    "residual": (
        ["market_day", "grid_area"],
        [
            ("residual_wh", "sum"),
            ("assumed_offtake_wh", "sum"),
            ("assumed_infeed_wh", "sum"),
            ("unassigned_wh", "sum"),
            ("factor", "min"),
            ("factor", "max"),
        ],
    ),
    "fractions": (
        ["market_day", "grid_area", "profile_category", "consumption_type", "direction", "status"],
        [("fraction", "sum")],
    ),
    "individual": (
        ["market_day", "grid_area", "brp", "supplier", "group", "direction"],
        [("accounting_point", "count_distinct"), ("volume_wh", "sum")],
    ),
    "received": (
        [
            *("market_day", "grid_area", "process", "sender", "brp", "supplier", "group"),
            *("direction", "origin", "unit"),
        ],
        [("quantity", "sum")],
    ),
    "differences": (
        ["market_day", "grid_area", "brp", "supplier", "group", "direction"],
        [("before_wh", "sum"), ("after_wh", "sum"), ("changed_wh", "sum"), ("quarters", "sum")],
    ),
}
_HEADS = {
    "volume_wh_sum": "kWh",
    "points_sum": "points",
    "accounting_point_count_distinct": "points",
    "rule_count": "findings",
    "rows_sum": "rows not kept",
    "residual_wh_sum": "residual kWh",
    "assumed_offtake_wh_sum": "assumed offtake kWh",
    "assumed_infeed_wh_sum": "assumed infeed kWh",
    "unassigned_wh_sum": "nobody's kWh",
    "factor_min": "RCF from",
    "factor_max": "to",
    "fraction_sum": "of the year",
    "quantity_sum": "of the day, by unit",
    "before_wh_sum": "before kWh",
    "after_wh_sum": "after kWh",
    "changed_wh_sum": "changed kWh",
    "quarters_sum": "quarters",
}
# What the codes under a table stand for.
_OF_SERIES = (
    "E17 offtake, E18 infeed; MSR measured, CLC calculated;\n"
    "SMA smart meter, PRF by profile, TMT telemetry, DIM unmetered, NVL grid loss"
)
# Of how many decimals a whole number is the count.
_DECIMALS = {"factor": 5, "fraction": 8}
LEGEND = {
    "allocation": _OF_SERIES,
    "coverage": f"{_OF_SERIES}\n"
    "method: CMR from the readings around the gap, GMR from the annual volume,\n"
    "NCD no current; status: its shape is DYN the day's own, FBR a reference\n"
    "area's, FBL that of all areas, STD the standard profile",
    "balance": "SMA smart meter, PRF by profile, TMT telemetry, DIM unmetered,\n"
    "NVB TVB OVB NVL grid losses, NKP couplings, RST restantvolume: what no party bears",
    "residual": "residual: what is left for the profiled offtake; RCF: residual ÷ assumed offtake",
}
_SHOWN_PROBLEMS, _SHOWN_ROWS = 20, 4
# A column by which a file that came in at the wrong door is known, and its own door.
_DOORS = {
    "coupling": "this looks like couplings, which 'kwartier couplings' takes in",
    "volume_wh": "these look like quarter volumes, which 'kwartier volumes' takes in",
    "volume_kwh": "these look like quarter volumes, which 'kwartier volumes' takes in",
    "fraction": "these look like fractions, which 'kwartier fractions' takes in",
    "start_utc": "these look like fractions, which 'kwartier fractions' takes in",
    "read_at": "these look like readings, which 'kwartier ingest' takes in",
    "valid_from": "this looks like a register of points, which 'kwartier register' takes in",
}


def kwh(wh: int | None) -> str:
    """Write energy in kWh with its three decimals, from whole Wh."""
    if wh is None:
        return "–"
    sign = "-" if wh < 0 else ""
    return f"{sign}{abs(wh) // 1000:,}.{abs(wh) % 1000:03d}"


def draw(title: str, heads: list[str], rows: list[list[str]], words: int) -> None:
    """Draw a table; the first `words` columns are words, the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index < words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    print(title)
    console = Console()
    # A number cut off would be a wrong number: a table that does not fit is wider than the screen.
    wide = console.measure(table, options=console.options.update(max_width=1_000)).maximum
    console.width = max(console.width, wide)
    console.print(table)


def show(name: str, rows: pa.Table) -> None:
    """Show a result table, summed over its quarters, points or parties."""
    if not rows.num_rows:
        print(f"{name}: no rows" + (", nothing changed" if name == "differences" else ""))
        return
    if name == "balance":
        _show_balance(rows)
        return
    keys, sums = _SUMMED[name]
    summed = (
        by_period(rows).group_by(keys).aggregate(sums).sort_by([(key, "ascending") for key in keys])
    )
    # What is the same in every row is said once, above: so more tables fit a screen.
    same = [key for key in ("market_day", "grid_area") if key in keys and _is_one(summed[key])]
    said = [f"{key} {summed[key][0].as_py()}" for key in same]
    keys = [key for key in keys if key not in same]
    values = []
    for row in summed.to_pylist():
        line = ["" if row[key] is None else str(row[key]) for key in keys]
        for column, how in sums:
            value = row[f"{column}_{how}"]
            line.append(_number(column, value))
        values.append(line)
    heads = keys + [_HEADS[f"{column}_{how}"] for column, how in sums]
    draw(", ".join([name, *said]), heads, values, len(keys))
    if name in LEGEND:
        print(LEGEND[name])


def _show_balance(rows: pa.Table) -> None:
    keys = ["market_day", "grid_area", "line", "direction"]
    summed = rows.group_by(keys).aggregate([("volume_wh", "sum")]).to_pylist()
    volume = {tuple(row[key] for key in keys): row["volume_wh_sum"] for row in summed}
    lines = [*codes.GROUPS[:-1], *codes.LOSS_TYPES, codes.COUPLING, codes.UNASSIGNED]
    shown = []
    for day, area in sorted({key[:2] for key in volume}):
        for line in lines:
            ways = [volume.get((day, area, line, direction)) for direction in codes.DIRECTIONS]
            words = ["" if wh is None else kwh(wh) for wh in ways]
            shown.append([str(day), area, line, *words])
        whole = [
            sum(wh for key, wh in volume.items() if (*key[:2], key[3]) == (day, area, direction))
            for direction in codes.DIRECTIONS
        ]
        shown.append([str(day), area, "all", *map(kwh, whole)])
    heads = ["market day", "grid area", "line", "goes out", "comes in"]
    draw("balance, kWh", heads, shown, 3)
    print(LEGEND["balance"])


def _number(column: str, value: int | None) -> str:
    if column.endswith("_wh"):
        return kwh(value)
    decimals = _DECIMALS.get(column, 0)
    whole = f"{abs(value or 0):0{decimals + 1}d}"
    sign = "-" if (value or 0) < 0 else ""
    if decimals:
        return f"{sign}{int(whole[:-decimals]):,}.{whole[-decimals:]}"
    return f"{value:,}"


def _is_one(column: pa.ChunkedArray) -> bool:
    return len(column) > 0 and column.null_count == 0 and len(column.unique()) == 1


def problems(found: Sequence[Problem], count: int) -> Iterator[str]:
    """Tell what is wrong in files: each kind of problem once, with the rows that have it."""
    alike: dict[tuple[str, str | None, str, str], list[Problem]] = {}
    for one in found:
        # Unknown columns of a file are one problem; of others the column belongs to the kind.
        column = None if one.found == "unknown column" else one.column
        alike.setdefault((one.file, column, one.expected, one.found), []).append(one)
    left = count
    for same in list(alike.values())[:_SHOWN_PROBLEMS]:
        left -= len(same)
        yield _unknown_columns(same) if same[0].found == "unknown column" else _in_rows(same)
    if left:
        yield f"… and {left:,} more"


def _in_rows(same: Sequence[Problem]) -> str:
    rows = [f"{one.row}" for one in same[1 : _SHOWN_ROWS + 1]]
    if not rows:
        return str(same[0])
    more = ", …" if len(same) > len(rows) + 1 else ""
    return f"{same[0]}; the same in {len(same) - 1:,} more: row {', '.join(rows)}{more}"


def _unknown_columns(same: Sequence[Problem]) -> str:
    names = [one.column or "" for one in same]
    known = same[0].expected.removeprefix("one of ").split()
    text = f"{same[0].file}, column {', '.join(names)}: expected {same[0].expected}, found "
    text += "unknown column" if len(names) == 1 else "unknown columns"
    meant = [match for name in names for match in get_close_matches(name, known, 1, 0.75)]
    for name, door in _DOORS.items():
        if name in names and name not in known:
            return f"{text}; {door}"
    return f"{text}; meant {', '.join(meant)}?" if meant else text


def with_eans(rows: pa.Table) -> pa.Table:
    """Write points as EAN-18 of 18 digits, which is text: a float of a program holds only 15."""
    names = rows.schema.names
    if "accounting_point" not in names:
        return rows
    numbers = rows["accounting_point"].cast(pa.string())
    digits = pc.utf8_lpad(numbers, codes.EAN_DIGITS, padding="0")
    return rows.set_column(names.index("accounting_point"), "accounting_point", digits)


def by_period(rows: pa.Table) -> pa.Table:
    """Give a row for each period of a table that has a day's periods as lists."""
    lists = [field.name for field in rows.schema if pa.types.is_list(field.type)]
    if not lists:
        return rows
    rows = rows.combine_chunks()
    lengths = pc.list_value_length(rows[lists[0]]).to_numpy()
    position = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    index = pa.array(np.repeat(np.arange(len(lengths)), lengths))
    columns = {
        name: _flat(rows[name], lengths) if name in lists else rows[name].take(index)
        for name in rows.schema.names
    }
    return pa.table({"position": position, **columns})


def _flat(column: pa.ChunkedArray, lengths: npt.NDArray[np.int64]) -> pa.ChunkedArray:
    """Give what stands in lists, a row each; of a list that is null, nulls."""
    flat = pc.list_flatten(column)
    if not column.null_count:
        return flat
    told = np.repeat(column.is_valid().to_numpy(), lengths)
    return flat.take(pa.array(np.cumsum(told) - 1, mask=~told))


def export(rows: pa.Table, out: Path) -> None:
    """Write a table as CSV, a row a period with points as EAN-18 of 18 digits, or as Parquet."""
    if out.suffix == ".parquet":
        pq.write_table(rows, out, compression="zstd")
        return
    rows = by_period(with_eans(rows))
    names = rows.schema.names
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
        task = bar.add_task(what, total=None, shown="", visible=False)

        def show(done: int, total: int | None) -> None:
            bar.update(task, visible=True)
            of = f" of {total:,}" if total else ""
            bar.update(task, completed=done, total=total, shown=f"{done:,}{of} {unit}")

        try:
            yield show
        except BaseException:
            bar.update(task, visible=False)  # a full bar beside an error would say: done
            bar.live.transient = True
            raise
        finished = bar.tasks[0].completed
        bar.update(task, completed=finished or 1, total=finished or 1)
