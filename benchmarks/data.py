"""The market day that is measured: a home with stored day rows, and the same readings as long rows.

Made in chunks, so that memory does not grow with the number of points. What was made before of the
same points, seed and code is used again.

    home/              register and day rows, laid by the store's own writer
    register.parquet   the register as a file, for homes of other measurements
    readings.parquet   the readings in long form, for DuckDB and Polars
    readings.csv       the same as CSV, only where asked for: for the measurement of taking in
    points.parquet     point, BRP, supplier and physical limit, for DuckDB and Polars
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from kwartier import codes, parameters, periods, runs
from kwartier.adapters.store import Home
from kwartier.adapters.store import day_rows as kept_rows
from kwartier.arrays import NOT_READ, Rows
from kwartier.simulation import day_rows, many, register_rows
from kwartier.simulation.points import GRID_AREAS

DAY = date(2026, 3, 11)
RECORDED = datetime(2026, 3, 12, 6, tzinfo=UTC)
CAPACITY = "3x25"  # of every point that `many` makes
_LONG = pa.schema(
    [
        ("accounting_point", pa.int64()),
        ("register", pa.string()),
        ("read_at", pa.timestamp("s", "UTC")),
        ("reading_wh", pa.int64()),
    ]
)


def place(folder: Path, points: int, seed: int, doubtful: float) -> Path:
    """Name the folder of a day; code that lays out files otherwise makes another folder."""
    made_by = (
        b"".join(Path(str(m.__file__)).read_bytes() for m in (kept_rows, many))
        + Path(__file__).read_bytes()
    )
    code = hashlib.sha256(made_by).hexdigest()[:8]
    return folder / f"points={points}-seed={seed}-doubtful={doubtful:g}-{code}"


def make(folder: Path, points: int, seed: int, doubtful: float, *, csv: bool = False) -> Path:
    """Make a day, or find it made; it is there when `made.json` is."""
    at = place(folder, points, seed, doubtful)
    if not (at / "made.json").exists():
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir(parents=True)
        _register(at, points, seed)
        count = _readings(at, points, seed, doubtful)
        facts = {"points": points, "doubtful": doubtful, "readings": count}
        (at / "made.json").write_text(json.dumps(facts), "utf-8")
    shutil.rmtree(at / "home/results", ignore_errors=True)  # of other code than today's
    if csv and not (at / "readings.csv").exists():
        _csv(at)
    return at


def _register(at: Path, points: int, seed: int) -> None:
    limit = parameters.load(DAY).limit_wh(CAPACITY)
    files = at / "register.parquet", at / "points.parquet"
    writers: list[pq.ParquetWriter] = []
    for chunk in register_rows(points, seed):
        few = chunk.select(["accounting_point", "brp", "supplier"]).append_column(
            "limit_wh", pa.repeat(pa.scalar(limit), chunk.num_rows)
        )
        if not writers:
            tables = zip(files, (chunk, few), strict=True)
            writers = [pq.ParquetWriter(path, table.schema) for path, table in tables]
        for writer, table in zip(writers, (chunk, few), strict=True):
            writer.write_table(table)
    for writer in writers:
        writer.close()
    runs.take_register(Home(at / "home", create=True), [files[0]], recorded_at=RECORDED)


def _readings(at: Path, points: int, seed: int, doubtful: float) -> int:
    """Write the day rows into the home and the long rows beside it; count the readings."""
    home, area = Home(at / "home"), codes.ean(GRID_AREAS[0])
    layers = home.layer_writer(DAY, area, "benchmark")
    count = 0
    with pq.ParquetWriter(at / "readings.parquet", _LONG, compression="zstd") as long:
        for chunk in day_rows(points, DAY, seed, doubtful):
            rows = _rows(chunk)
            layers.write(rows, {})
            table = _long(rows)
            long.write_table(table)
            count += table.num_rows
    home.deliver(
        "readings",
        int(RECORDED.timestamp()),
        id="benchmark",
        inputs=[],
        files=layers.close(),
        rows_in=count,
        rows_kept=count,
        rows_found={},
    )
    return count


def _rows(chunk: pa.Table) -> Rows:
    lists = chunk["reading_wh"].combine_chunks()
    values = lists.flatten().cast(pa.int64())
    register = chunk["register"].combine_chunks().dictionary_encode()
    index = np.array([codes.REGISTER_INDEX[obis] for obis in register.dictionary.to_pylist()])
    return Rows(
        number=chunk["accounting_point"].to_numpy(),
        meter=np.zeros(len(chunk), np.int64),
        register=index[register.indices.to_numpy()],
        reading=pc.fill_null(values, int(NOT_READ)).to_numpy().reshape(len(chunk), -1),
        status=None,
        complete=False,
    )


def _long(rows: Rows) -> pa.Table:
    """Unfold day rows into one row per reading, by point, register and moment."""
    row, position = np.nonzero(rows.reading != NOT_READ)
    moment = periods.day_start(DAY) + periods.SECONDS * position
    return pa.table(
        [
            pa.array(rows.number[row]),
            pa.array(codes.REGISTERS).take(pa.array(rows.register[row])),
            pa.array(moment).cast(_LONG.field("read_at").type),
            pa.array(rows.reading[row, position]),
        ],
        schema=_LONG,
    )


def _csv(at: Path) -> None:
    unfinished = at / "readings.csv.unfinished"
    with pyarrow.csv.CSVWriter(unfinished, _LONG) as writer:
        for batch in _batches(at / "readings.parquet"):
            writer.write_batch(batch)
    unfinished.rename(at / "readings.csv")


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches()


def fresh_home(at: Path, home: Path) -> None:
    """Make a home that has the register and no readings yet."""
    shutil.rmtree(home, ignore_errors=True)
    runs.take_register(Home(home, create=True), [at / "register.parquet"], recorded_at=RECORDED)


def main() -> None:
    """Make a day and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--doubtful", type=float, default=0.0)
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--fresh-home", type=Path)
    given = parser.parse_args()
    at = make(given.folder, given.points, given.seed, given.doubtful, csv=given.csv)
    if given.fresh_home:
        fresh_home(at, given.fresh_home)
    print(json.dumps({"at": str(at), **json.loads((at / "made.json").read_text("utf-8"))}))


if __name__ == "__main__":
    main()
