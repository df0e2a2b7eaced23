"""The door for readings: files → batches of readings or of day rows.

Source: DSMR 4.2.2 / SMR 5.0 profile 1.0.99.1.0.255; domain §5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods
from kwartier.adapters.files.cells import EAN, NAME, WH, KilowattHours, Lists, Whole, token
from kwartier.adapters.files.columns import Batch, Column, Troubles
from kwartier.adapters.files.date_cells import Day, Moment
from kwartier.adapters.files.sources import (
    PARQUET,
    UNPACKED_BYTES,
    batches,
    column_names,
    first_cell,
    form_of,
)

# What the column `rule` of a batch counts in: the findings of the doors, 0 where a row is fine.
DOOR_RULES = ("", "no_value", "nonexistent_time", "ambiguous_time", "wrong_count")
_NO_VALUE, _NONEXISTENT, _AMBIGUOUS, _WRONG_COUNT = range(1, 5)
CLOCKS = ("Europe/Amsterdam", "UTC")

PLACE = [
    pa.field("file", pa.int32()),  # index in the paths given
    pa.field("row", pa.int64()),  # 1 is the first row after the header
    pa.field("rule", pa.int8()),
]
READING_BATCH = pa.schema(
    [
        pa.field("accounting_point", pa.int64()),
        pa.field("register", pa.int8()),  # index in codes.REGISTERS
        pa.field("read_at", pa.int64()),  # seconds since 1970, UTC
        pa.field("reading_wh", pa.int64()),
        pa.field("meter", pa.string()),
        pa.field("status", pa.int32()),
        *PLACE,
    ]
)
DAY_BATCH = pa.schema(
    [
        pa.field("accounting_point", pa.int64()),
        pa.field("market_day", pa.date32()),
        pa.field("register", pa.int8()),
        pa.field("reading_wh", pa.list_(pa.int64())),
        pa.field("meter", pa.string()),
        pa.field("status", pa.list_(pa.int32())),
        *PLACE,
    ]
)

_REGISTER = token(codes.REGISTER_INDEX, pa.int8())
_STATUS = Whole("AMR status bits as a whole number, 0 or more", 0, 2**31 - 1, pa.int32())

_KEY = [
    Column("accounting_point", EAN, "accounting_point", required=True),
    Column("register", _REGISTER, "register", required=True),
]
_METER = Column("meter", NAME, "meter", empty=True)
_VALUES = [
    Column("reading_wh", WH, "reading_wh", required=True, empty=True),
    Column("reading_kwh", KilowattHours(), "reading_wh", required=True, empty=True),
    _METER,
    Column("status", _STATUS, "status", empty=True),
]
DAY_COLUMNS = [
    *_KEY,
    Column("market_day", Day(), "market_day", required=True),
    Column("reading_wh", Lists(WH), "reading_wh", required=True, empty=True),
    _METER,
    Column("status", Lists(_STATUS), "status", empty=True),
]

Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]


def reading_columns(local: bool) -> list[Column]:
    """Give the columns of a file of readings, with moments or with local times."""
    return [*_KEY, Column("read_at", Moment(local, clock=True), "read_at", required=True), *_VALUES]


def read_readings(
    paths: Sequence[Path | str], clock: str | None = None, unpacked_bytes: int = UNPACKED_BYTES
) -> Iterator[pa.RecordBatch]:
    """Read readings, batch after batch; memory does not grow with the files.

    Keep nothing until the last batch has come: a file can turn out broken at its end, and then no
    row of any of the files counts. Every row comes in exactly one batch.

    Parameters
    ----------
    paths : CSV (.csv, .csv.gz, .csv.zst) or Parquet files of readings; Parquet files of day rows.
    clock : what local times without UTC offset mean: "Europe/Amsterdam" or "UTC"; None: refused.
    unpacked_bytes : a file that unpacks to more is refused.

    Yields
    ------
    batch : of the schema READING_BATCH, or DAY_BATCH for day rows. `rule` is 0, or the index in
        DOOR_RULES of what is doubtful about the row, which then must not be kept. Local times that
        do not exist count as winter time in `read_at`, ambiguous ones as summer time.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    if clock not in (None, *CLOCKS):
        raise ValueError(f"clock: expected {' or '.join(CLOCKS)}")
    troubles = Troubles()
    for number, path in enumerate(map(Path, paths)):
        if form_of(path) == PARQUET and "market_day" in column_names(path):
            made = _day_rows(batches(path, DAY_COLUMNS, troubles, unpacked_bytes), number)
        else:
            local = clock is not None and _is_local(first_cell(path, "read_at"))
            read = batches(path, reading_columns(local), troubles, unpacked_bytes)
            made = _readings(read, number, local and clock == CLOCKS[0])
        for batch in made:
            if not troubles.count:
                yield batch
    troubles.refuse()


def _is_local(cell: str | pa.DataType | None) -> bool:
    if isinstance(cell, pa.DataType):
        return pa.types.is_timestamp(cell) and cell.tz is None
    # The offset stands after the time of day, where no minus sign of a date is.
    return cell is not None and not any(sign in cell[11:] for sign in "Z+-")


def place_of(batch: Batch, number: int, rule: Int8s) -> list[pa.Array]:
    """Give the columns of PLACE of a batch of the file of a number."""
    rows = np.arange(batch.first_row, batch.first_row + batch.rows)
    return [pa.repeat(pa.scalar(number, pa.int32()), batch.rows), pa.array(rows), pa.array(rule)]


def _day_rows(read: Iterator[Batch], number: int) -> Iterator[pa.RecordBatch]:
    for batch in read:
        values = batch.values
        days = values["market_day"].cast(pa.int32()).to_numpy()
        unique, place = np.unique(days, return_inverse=True)
        due = np.array([periods.count(periods.day_of_number(d)) + 1 for d in unique], np.int64)
        lengths = pc.list_value_length(values["reading_wh"])
        rule = np.zeros(batch.rows, np.int8)
        short = lengths.fill_null(0).to_numpy(zero_copy_only=False) != due[place]
        if "status" in values:
            status = pc.list_value_length(values["status"])
            other = pc.not_equal(status, pa.array(due[place])).fill_null(False)
            short |= other.to_numpy(zero_copy_only=False)
        rule[short] = _WRONG_COUNT
        rule[lengths.is_null().to_numpy(zero_copy_only=False)] = _NO_VALUE
        yield _batch(DAY_BATCH, batch, place_of(batch, number, rule))


def _batch(schema: pa.Schema, batch: Batch, place: list[pa.Array]) -> pa.RecordBatch:
    given = [
        batch.values.get(field.name, pa.nulls(batch.rows, field.type))
        for field in list(schema)[: -len(place)]
    ]
    return pa.RecordBatch.from_arrays([*given, *place], schema=schema)


def _readings(read: Iterator[Batch], number: int, local: bool) -> Iterator[pa.RecordBatch]:
    held: list[pa.RecordBatch] = []
    for batch in read:
        empty = batch.values["reading_wh"].is_null().to_numpy(zero_copy_only=False)
        rule = np.where(empty, np.int8(_NO_VALUE), np.int8(0))
        doubled = None
        if local:
            moments, place = _by_clock(batch.values["read_at"].to_numpy())
            batch.values["read_at"] = pa.array(moments)
            rule[(place == _SKIPPED) & ~empty] = _NONEXISTENT
            doubled = place == _DOUBLED
        record = _batch(READING_BATCH, batch, place_of(batch, number, rule))
        if doubled is not None and doubled.any():
            held.append(record.filter(pa.array(doubled)))
            record = record.filter(pa.array(~doubled))
        yield record
    if held:
        yield _resolve(pa.Table.from_batches(held).combine_chunks().to_batches()[0])


# The clock of Europe/Amsterdam. Where a local time lies in the year:
_WINTER, _SKIPPED, _SUMMER, _DOUBLED = range(4)
_HOUR = 3600


@lru_cache(maxsize=256)
def _changes(year: int) -> tuple[int, int]:
    """Give the moments [s UTC] at which the clock goes forward and back in a year."""
    days = periods.between(
        periods.EPOCH.replace(year=year), periods.EPOCH.replace(year=year, month=12, day=31)
    )
    (spring,) = (day for day in days if periods.count(day) < 96)
    (autumn,) = (day for day in days if periods.count(day) > 96)
    # The clock shows 02:00 winter time in spring, 03:00 summer time in autumn.
    return periods.day_start(spring) + 2 * _HOUR, periods.day_start(autumn) + 3 * _HOUR


def _by_clock(shown: Int64s) -> tuple[Int64s, Int8s]:
    """Turn what the clock showed into moments: skipped times as winter, doubled as summer time."""
    if shown.size == 0:
        return shown, np.zeros(0, np.int8)
    first, last = (
        int(moment.astype("datetime64[Y]").astype(int)) + 1970
        for moment in (shown.min().astype("datetime64[s]"), shown.max().astype("datetime64[s]"))
    )
    edges, places = [], [_WINTER]
    for year in range(first, last + 1):
        spring, autumn = _changes(year)
        edges += [spring + _HOUR, spring + 2 * _HOUR, autumn + _HOUR, autumn + 2 * _HOUR]
        places += [_SKIPPED, _SUMMER, _DOUBLED, _WINTER]
    place = np.array(places, np.int8)[np.searchsorted(edges, shown, side="right")]
    summer = (place == _SUMMER) | (place == _DOUBLED)
    return shown - np.where(summer, 2 * _HOUR, _HOUR), place


def _resolve(record: pa.RecordBatch) -> pa.RecordBatch:
    """Tell the two passes of the doubled hour apart by the order of the rows of each meter.

    The stamps of a meter rise, fall back once, and rise: summer time before, winter time after.
    Anything else does not tell which pass a row belongs to.
    """
    rows = record.num_rows
    moments = record["read_at"].to_numpy()
    meter = record["meter"].dictionary_encode().indices.fill_null(-1).to_numpy()
    keys = (
        moments // 86_400,
        meter,
        record["register"].to_numpy(),
        record["accounting_point"].to_numpy(),
    )
    order = np.lexsort((np.arange(rows), *keys))
    begins = np.ones(rows, bool)
    begins[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    group = np.cumsum(begins) - 1
    back = np.zeros(rows, np.int64)
    back[1:] = moments[order][1:] <= moments[order][:-1]
    back[begins] = 0
    falls = np.bincount(group, weights=back).astype(np.int64)[group]
    so_far = np.cumsum(back)
    passed = so_far - so_far[np.flatnonzero(begins)][group]
    resolved = moments.copy()
    resolved[order] += np.where((falls == 1) & (passed == 1), _HOUR, 0)
    rule = record["rule"].to_numpy().copy()
    unclear = np.zeros(rows, bool)
    unclear[order] = falls != 1
    rule[unclear & (rule == 0)] = _AMBIGUOUS
    columns = {
        **{name: record[name] for name in record.schema.names},
        "read_at": pa.array(resolved),
        "rule": pa.array(rule),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=READING_BATCH)
