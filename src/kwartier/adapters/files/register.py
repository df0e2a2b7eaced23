"""The door for the register of accounting points: files → the register table.

Source: NBNL register model; domain §4.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, tables
from kwartier.adapters.files.cells import (
    MOST_WH,
    NAME,
    Day,
    KilowattHours,
    Kind,
    Moment,
    Whole,
    identifier,
    token,
)
from kwartier.adapters.files.columns import Batch, Column, Troubles
from kwartier.adapters.files.sources import UNPACKED_BYTES, batches

# Registers hold days long past, and 9999-12-31 where others leave the end empty.
_DAY = Day(date(1900, 1, 1), date(9999, 12, 31))
_TRUTH = token({"true": True, "false": False}, pa.bool_())
# With MOST_WH for a reading the product still fits in 64 bits.
_MOST_MULTIPLIER = 100_000
_MOST_DIGITS = 12

_KINDS: dict[str, Kind] = {
    "accounting_point": Whole(
        "an EAN of 18 digits", 1, 10**codes.EAN_DIGITS - 1, pa.int64(), codes.EAN_DIGITS
    ),
    "grid_area": identifier("an EAN", codes.EAN_DIGITS),
    "brp": identifier("a GLN", codes.GLN_DIGITS),
    "supplier": identifier("a GLN", codes.GLN_DIGITS),
    "group": token(codes.GROUPS),
    "profile_category": token(codes.PROFILE_CATEGORIES),
    "consumption_type": token(codes.CONSUMPTION_TYPES),
    "market_segment": token(codes.MARKET_SEGMENTS),
    "capacity": token(tuple(codes.CAPACITIES)),
    "physical_status": token(codes.PHYSICAL_STATUSES),
    "remote_reading": token({"on": True, "off": False}, pa.bool_()),
    "remotely_readable": _TRUTH,
    "technically_readable": token(("true", "false", *codes.UNREADABLE_REASONS)),
    "consent": _TRUTH,
    "multiplier": Whole(
        f"a whole number from 1 to {_MOST_MULTIPLIER}", 1, _MOST_MULTIPLIER, pa.int32()
    ),
    "digits": Whole(f"a whole number from 1 to {_MOST_DIGITS}", 1, _MOST_DIGITS, pa.int8()),
    "loss_type": token(codes.LOSS_TYPES),
    "dimensioned_profile": NAME,
    "valid_from": _DAY,
    "valid_to": _DAY,
    "recorded_at": Moment(),
}
_WH = Whole("whole Wh, 0 or more", 0, MOST_WH, pa.int64())


def _columns() -> list[Column]:
    columns = []
    for column in tables.REGISTER.columns:
        # Where an empty cell would quietly become a default, it is refused instead.
        empty = not column.required and column.default is None
        name = column.name
        kind = _WH if name.endswith("_wh") else _KINDS[name]
        columns.append(Column(name, kind, name, column.required, empty))
        if name.endswith("_wh"):
            columns.append(Column(name[:-2] + "kwh", KilowattHours(), name, empty=empty))
    return columns


COLUMNS = _columns()


def read_register(
    paths: Sequence[Path | str], recorded_at: datetime, unpacked_bytes: int = UNPACKED_BYTES
) -> pa.Table:
    """Read the register of accounting points.

    Parameters
    ----------
    paths : CSV (.csv, .csv.gz, .csv.zst) or Parquet files.
    recorded_at : when the files are taken in, for rows that do not say when they became known.
    unpacked_bytes : a file that unpacks to more is refused.

    Returns
    -------
    register : `tables.REGISTER`, in the order of the files; a row stated twice is there once.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    troubles = Troubles()
    parts: list[pa.Table] = []
    starts: list[tuple[Path, int, int]] = []  # of each part: its file and its first row there
    for path in map(Path, paths):
        for batch in batches(path, COLUMNS, troubles, unpacked_bytes):
            part = _complete(batch, recorded_at)
            ends = pc.less(part["valid_to"], part["valid_from"]).fill_null(False)
            for row in np.flatnonzero(ends.to_numpy()).tolist():
                expected = "valid_from or a later day"
                troubles.add(path, batch.first_row + row, "valid_to", expected, "none")
            starts.append((path, batch.first_row, part.num_rows))
            parts.append(part)
    register = pa.concat_tables([tables.REGISTER.empty(), *parts]).combine_chunks()
    doubled = _stated_twice(register, starts, troubles)
    troubles.refuse()
    return register.filter(pa.array(~doubled)) if doubled.any() else register


def _complete(batch: Batch, recorded_at: datetime) -> pa.Table:
    """Fill in the columns that a file may leave out."""
    values = batch.values
    arrays = []
    for column in tables.REGISTER.columns:
        default = recorded_at if column.name == "recorded_at" else column.default
        array = values.get(column.name, pa.nulls(batch.rows, column.type))
        if column.name == "recorded_at" and column.name in values:
            array = array.cast(pa.timestamp("s", "UTC"))
        if column.name == "consumption_type":
            array = pc.coalesce(array, _consumption_type(batch))
        elif default is not None and array.null_count:
            array = pc.fill_null(array, pa.scalar(default, column.type))
        arrays.append(array)
    return pa.table(arrays, schema=tables.REGISTER.schema)


def _consumption_type(batch: Batch) -> pa.Array:
    """A point with annual infeed is one with infeed."""
    infeed = np.zeros(batch.rows, np.int64)
    for name in ("annual_infeed_normal_wh", "annual_infeed_low_wh"):
        if name in batch.values:
            infeed += batch.values[name].fill_null(0).to_numpy(zero_copy_only=False)
    return pc.if_else(pa.array(infeed > 0), codes.WITH_INFEED, codes.WITHOUT_INFEED)


def _stated_twice(
    register: pa.Table, starts: Sequence[tuple[Path, int, int]], troubles: Troubles
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Find rows with the key of an earlier row; one with other content is a problem."""
    rows = register.num_rows
    doubled = np.zeros(rows, bool)
    keys = [
        register[column.name].cast(pa.int32() if column.type == pa.date32() else pa.int64())
        for column in tables.REGISTER.columns
        if column.key
    ]
    arrays = [key.fill_null(0).to_numpy() for key in keys]
    order = np.lexsort(arrays[::-1])
    same = np.ones(max(rows - 1, 0), bool)
    for array in arrays:
        same &= array[order][1:] == array[order][:-1]
    again = np.flatnonzero(same) + 1
    if not len(again):
        return doubled
    # lexsort is stable: the row before is the earlier one, and so on to the first.
    asked = sorted({*order[again].tolist(), *order[again - 1].tolist()})
    content = dict(zip(asked, register.take(asked).to_pylist(), strict=True))
    ends = np.cumsum([count for _, _, count in starts])
    for place in again.tolist():
        row, earlier = int(order[place]), int(order[place - 1])
        doubled[row] = True
        if content[row] != content[earlier]:
            part = int(np.searchsorted(ends, row, side="right"))
            path, first_row, count = starts[part]
            at = first_row + row - (int(ends[part]) - count)
            expected = "one row for a point, valid_from and recorded_at"
            troubles.add(path, at, None, expected, "a second one with other content")
    return doubled
