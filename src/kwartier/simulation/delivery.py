"""The files in which what a simulated area delivers arrives."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

WINTER = timezone(timedelta(hours=1))


def write_table(name: str, table: pa.Table, folder: Path, form: str) -> Path:
    """Write a table that is delivered once, such as the register, as name.csv or name.parquet."""
    path = folder / f"{name}.{form}"
    if form == "parquet":
        pq.write_table(table, path)
    else:
        _write_csv(table, path, winter=False)
    return path


def write_readings(table: pa.Table, folder: Path, day: date, place: int, form: str) -> Path:
    """Write the readings of a market day as one file.

    Parameters
    ----------
    place : place of the day among the days; the second CSV has offsets +01:00 in place of UTC,
        every third is gzipped.
    """
    return _write_day("readings", table, folder, day, place, form, winter=place == 1)


def write_volumes(table: pa.Table, folder: Path, day: date, place: int, form: str) -> Path:
    """Write the quarter volumes of a market day as one file, every third CSV gzipped."""
    return _write_day("volumes", table, folder, day, place, form, winter=False)


def _write_day(
    name: str, table: pa.Table, folder: Path, day: date, place: int, form: str, *, winter: bool
) -> Path:
    path = folder / f"{name}-{day.isoformat()}.{form}"
    if form == "parquet":
        pq.write_table(table, path)
        return path
    if place % 3 == 2:
        path = path.with_name(path.name + ".gz")
    _write_csv(table, path, winter)
    return path


def _write_csv(table: pa.Table, path: Path, winter: bool) -> None:
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, _moments(table[field.name], winter))
        elif pa.types.is_decimal(field.type):
            table = table.set_column(place, field.name, _decimals(table[field.name]))
    if path.suffix != ".gz":
        pyarrow.csv.write_csv(table, path)
        return
    # No name and no time in the header: the same rows give the same bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
        pyarrow.csv.write_csv(table, packed)


def _moments(column: pa.ChunkedArray, winter: bool) -> pa.Array:
    """Write moments as text: with Z, or with the offset of winter time."""
    seconds = pc.cast(column.combine_chunks(), pa.int64()).dictionary_encode()
    clock, end = (WINTER, "+01:00") if winter else (UTC, "Z")
    texts = pa.array(
        [
            datetime.fromtimestamp(second, clock).strftime("%Y-%m-%dT%H:%M:%S") + end
            for second in seconds.dictionary.to_pylist()
        ],
        pa.string(),
    )
    return texts.take(seconds.indices)


def _decimals(column: pa.ChunkedArray) -> pa.Array:
    """Write decimals with all their digits, where Arrow would write 0E-8."""
    return pa.array([f"{value:f}" for value in column.to_pylist()], pa.string())
