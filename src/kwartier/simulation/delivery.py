"""The files in which a simulated register and its readings arrive."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

WINTER = timezone(timedelta(hours=1))


def write_register(register: pa.Table, folder: Path, form: str) -> Path:
    """Write the register as register.csv or register.parquet."""
    path = folder / f"register.{form}"
    if form == "parquet":
        pq.write_table(register, path)
    else:
        pyarrow.csv.write_csv(_written_moments(register, "recorded_at", False), path)
    return path


def write_readings(table: pa.Table, folder: Path, day: date, place: int, form: str) -> Path:
    """Write the readings of a market day as one file.

    Parameters
    ----------
    place : place of the day among the days; the second CSV has offsets +01:00 in place of UTC,
        every third is gzipped.
    """
    path = folder / f"readings-{day.isoformat()}.{form}"
    if form == "parquet":
        pq.write_table(table, path)
        return path
    table = _written_moments(table, "read_at", place == 1)
    if place % 3 != 2:
        pyarrow.csv.write_csv(table, path)
        return path
    path = path.with_name(path.name + ".gz")
    # No name and no time in the header: the same readings give the same bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
        pyarrow.csv.write_csv(table, packed)
    return path


def _written_moments(table: pa.Table, name: str, winter: bool) -> pa.Table:
    """Write moments as text: with Z, or with the offset of winter time."""
    seconds = pc.cast(table[name].combine_chunks(), pa.int64()).dictionary_encode()
    clock, end = (WINTER, "+01:00") if winter else (UTC, "Z")
    texts = pa.array(
        [
            datetime.fromtimestamp(second, clock).strftime("%Y-%m-%dT%H:%M:%S") + end
            for second in seconds.dictionary.to_pylist()
        ],
        pa.string(),
    )
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, texts.take(seconds.indices))
