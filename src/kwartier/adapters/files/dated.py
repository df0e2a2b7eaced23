"""Rows with a time axis of what was known when; those of registers also of the days they hold.

Source: domain §4; decisions §2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import tables
from kwartier.adapters.files.cells import Kind, Mask
from kwartier.adapters.files.columns import Batch, Column, Troubles
from kwartier.adapters.files.date_cells import Day, Moment
from kwartier.adapters.files.sources import batches

# Registers hold days long past, and 9999-12-31 where others leave the end empty.
_DAY = Day(date(1900, 1, 1), date(9999, 12, 31))
VALIDITY: dict[str, Kind] = {"valid_from": _DAY, "valid_to": _DAY, "recorded_at": Moment()}

# Gives a column that a file left out, wholly or in some of its cells.
Fill = Callable[[Batch], pa.Array]
# Finds rows that cannot be: the column, what was expected, what was found, where.
Check = Callable[[pa.Table], tuple[str, str, str, pa.ChunkedArray]]


def columns_of(table: tables.Table, kinds: Mapping[str, Kind]) -> Iterator[Column]:
    """Give the columns of a file of such rows."""
    for column in table.columns:
        # Where an empty cell would quietly become a default, it is refused instead.
        empty = not column.required and column.default is None
        yield Column(column.name, kinds[column.name], column.name, column.required, empty)


def _ends_before_it_starts(part: pa.Table) -> tuple[str, str, str, pa.ChunkedArray]:
    ends = pc.less(part["valid_to"], part["valid_from"])
    return "valid_to", "valid_from or a later day", "none", ends


def read_dated(
    paths: Sequence[Path | str],
    table: tables.Table,
    columns: Sequence[Column],
    recorded_at: datetime,
    unpacked_bytes: int,
    *,
    subject: str,
    fills: Mapping[str, Fill] | None = None,
    checks: Sequence[Check] = (),
) -> pa.Table:
    """Read files of rows with two time axes.

    Parameters
    ----------
    subject : the word for what a row is about.
    fills : by column, for what stands in no file.

    Returns
    -------
    rows : of the table, in the order of the files; a row stated twice is there once.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    return read_recorded(
        paths,
        table,
        lambda path: columns,
        recorded_at,
        unpacked_bytes,
        once=f"one row for a {subject}, valid_from and recorded_at",
        fills=fills,
        checks=(_ends_before_it_starts, *checks),
    )


def read_recorded(
    paths: Sequence[Path | str],
    table: tables.Table,
    columns: Callable[[Path], Sequence[Column]],
    recorded_at: datetime,
    unpacked_bytes: int,
    *,
    once: str,
    fills: Mapping[str, Fill] | None = None,
    checks: Sequence[Check] = (),
) -> pa.Table:
    """Read files of rows that became known at a moment.

    Parameters
    ----------
    columns : gives those of a file, which may have one of several forms.
    once : what was expected, where a key is stated twice.
    fills : by column, for what stands in no file.

    Returns
    -------
    rows : of the table, in the order of the files; a row stated twice is there once.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    troubles = Troubles()
    parts: list[pa.Table] = []
    starts: list[tuple[Path, int, int]] = []  # of each part: its file and its first row there
    for path in map(Path, paths):
        for batch in batches(path, columns(path), troubles, unpacked_bytes):
            part = _complete(batch, table, recorded_at, fills or {})
            for check in checks:
                column, expected, found, wrong = check(part)
                for row in np.flatnonzero(wrong.fill_null(False).to_numpy()).tolist():
                    troubles.add(path, batch.first_row + row, column, expected, found)
            starts.append((path, batch.first_row, part.num_rows))
            parts.append(part)
    rows = pa.concat_tables([table.empty(), *parts]).combine_chunks()
    doubled = _stated_twice(rows, table, once, starts, troubles)
    troubles.refuse()
    return rows.filter(pa.array(~doubled)) if doubled.any() else rows


def _complete(
    batch: Batch, table: tables.Table, recorded_at: datetime, fills: Mapping[str, Fill]
) -> pa.Table:
    """Fill in the columns that a file may leave out."""
    values = batch.values
    arrays = []
    for column in table.columns:
        default = recorded_at if column.name == "recorded_at" else column.default
        array = values.get(column.name, pa.nulls(batch.rows, column.type))
        if column.type == tables.MOMENT and column.name in values:
            array = array.cast(tables.MOMENT)
        if column.name in fills:
            array = pc.coalesce(array, fills[column.name](batch))
        elif default is not None and array.null_count:
            array = pc.fill_null(array, pa.scalar(default, column.type))
        arrays.append(array)
    return pa.table(arrays, schema=table.schema)


def _stated_twice(
    rows: pa.Table,
    table: tables.Table,
    once: str,
    starts: Sequence[tuple[Path, int, int]],
    troubles: Troubles,
) -> Mask:
    """Find rows with the key of an earlier row; one with other content is a problem."""
    doubled = np.zeros(rows.num_rows, bool)
    keys = [
        rows[column.name].cast(pa.int32() if column.type == pa.date32() else pa.int64())
        for column in table.columns
        if column.key
    ]
    arrays = [key.fill_null(0).to_numpy() for key in keys]
    order = np.lexsort(arrays[::-1])
    same = np.ones(max(rows.num_rows - 1, 0), bool)
    for array in arrays:
        same &= array[order][1:] == array[order][:-1]
    again = np.flatnonzero(same) + 1
    if not len(again):
        return doubled
    # lexsort is stable: the row before is the earlier one, and so on to the first.
    asked = sorted({*order[again].tolist(), *order[again - 1].tolist()})
    content = dict(zip(asked, rows.take(asked).to_pylist(), strict=True))
    ends = np.cumsum([count for _, _, count in starts])
    for place in again.tolist():
        row, earlier = int(order[place]), int(order[place - 1])
        doubled[row] = True
        if content[row] != content[earlier]:
            part = int(np.searchsorted(ends, row, side="right"))
            path, first_row, count = starts[part]
            at = first_row + row - (int(ends[part]) - count)
            troubles.add(path, at, None, once, "a second one with other content")
    return doubled
