"""The market day that is measured: a home with stored day rows, and the same readings as long rows.

Made in chunks, each thread a grid area at a time, so that memory does not grow with the number of
points. What was made before of the same points, seed and code is used again.

    home/              register and day rows, laid by the store's own writer
    register.parquet   the register as a file, for homes of other measurements
    points.parquet     point, grid area, BRP, supplier and physical limit, for the references
    readings.parquet   the readings in long form, for the references; only where asked for
    readings.csv       the same as CSV, only where asked for: for the measurement of taking in
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from kwartier import codes, parameters, periods, runs
from kwartier.adapters.store import Home, registers
from kwartier.adapters.store import day_rows as kept_rows
from kwartier.arrays import NOT_READ, Rows
from kwartier.simulation import many

DAY = date(2026, 3, 11)
RECORDED = datetime(2026, 3, 12, 6, tzinfo=UTC)
RECORDED_LATE = datetime(2026, 3, 13, 6, tzinfo=UTC)
CHUNK = 8_192  # points whose readings are made at a time
REGISTER_CHUNK = 1 << 19
LONG = pa.schema(
    [
        ("accounting_point", pa.int64()),
        ("register", pa.string()),
        ("read_at", pa.timestamp("s", "UTC")),
        ("reading_wh", pa.int64()),
    ]
)


def place(folder: Path, points: int, seed: int, doubtful: float, late: float = 0.0) -> Path:
    """Name the folder of a day; code that lays out files otherwise makes another folder."""
    made_by = (
        b"".join(Path(str(m.__file__)).read_bytes() for m in (kept_rows, many, registers))
        + Path(__file__).read_bytes()
    )
    code = hashlib.sha256(made_by).hexdigest()[:8]
    return folder / f"points={points}-seed={seed}-doubtful={doubtful:g}-late={late:g}-{code}"


def make(
    folder: Path,
    points: int,
    seed: int,
    doubtful: float,
    *,
    late: float = 0.0,
    long: bool = False,
    csv: bool = False,
    threads: int = 1,
) -> Path:
    """Make a day, or find it made; it is there when `made.json` is.

    Parameters
    ----------
    late : part of the points whose readings come in a second delivery.
    long, csv : whether the readings are wanted in long form as well.
    """
    at = place(folder, points, seed, doubtful, late)
    if not (at / "made.json").exists():
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir(parents=True)
        _register(at, points, seed)
        count = _readings(at, points, seed, doubtful, late, threads)
        facts = {"points": points, "doubtful": doubtful, "late": late, "readings": count}
        (at / "made.json").write_text(json.dumps(facts), "utf-8")
    _forget_runs(at / "home")  # of other code than today's
    if (long or csv) and not (at / "readings.parquet").exists():
        _long_file(at, points, seed, doubtful)
    if csv and not (at / "readings.csv").exists():
        _csv(at)
    return at


def _forget_runs(home: Path) -> None:
    for name in ("results", "kept", "workers"):
        shutil.rmtree(home / name, ignore_errors=True)
    for path in home.glob("ledger*"):
        path.unlink()


def _chunks(points: int, size: int) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
    for first in range(0, points, size):
        yield np.arange(first, min(first + size, points))


def _register(at: Path, points: int, seed: int) -> None:
    limit = parameters.load(DAY).limit_wh(many.CAPACITY)
    writers = []
    for chunk in _chunks(points, REGISTER_CHUNK):
        rows = many.register_rows(chunk, seed)
        few = rows.select(["accounting_point", "grid_area", "brp", "supplier"])
        few = few.append_column("limit_wh", pa.repeat(pa.scalar(limit), len(few)))
        if not writers:
            named = (("register.parquet", rows), ("points.parquet", few))
            writers = [pq.ParquetWriter(at / name, table.schema) for name, table in named]
        for writer, table in zip(writers, (rows, few), strict=True):
            writer.write_table(table)
    for writer in writers:
        writer.close()
    home = Home(at / "home", create=True)
    entries = []
    for area, places in zip(many.GRID_AREAS, many.places(points, seed), strict=True):
        # A file a chunk, so that no more than a chunk is in memory.
        for first in range(0, len(places), REGISTER_CHUNK):
            rows = many.register_rows(places[first : first + REGISTER_CHUNK], seed)
            place = registers.place(codes.ean(area), f"{len(entries):04d}")
            entries.append(home.add(registers.folded(rows), place))
    moment = int(RECORDED.timestamp())
    home.deliver("register", moment, id="register", inputs=[], files=entries, rows_in=points)


def _readings(at: Path, points: int, seed: int, doubtful: float, late: float, threads: int) -> int:
    """Write the day rows into the home; those of late points in a second delivery."""
    home = Home(at / "home")
    areas = list(zip(many.GRID_AREAS, many.places(points, seed), strict=True))

    def write(area: int, places: np.ndarray[Any, np.dtype[np.int64]], delivery: str) -> Any:
        layers, count = home.layer_writer(DAY, codes.ean(area), delivery), 0
        for first in range(0, len(places), CHUNK):
            made = many.day_rows(places[first : first + CHUNK], DAY, seed, doubtful)
            count += int((made.reading != many.UNREAD).sum())
            for holed in (False, True) if made.holed.any() else (False,):
                layers.write(rows(made, made.holed == holed, holed=holed), {})
        return layers.close(), count

    total = 0
    for name, moment, wanted in (("day", RECORDED, False), ("late", RECORDED_LATE, True)):
        lots = [(area, some[many.late(some, seed, late) == wanted], name) for area, some in areas]
        with ThreadPoolExecutor(threads) as pool:  # the largest areas come first
            done = list(pool.map(lambda lot: write(*lot), [lot for lot in lots if len(lot[1])]))
        count = sum(some for _, some in done)
        if done:
            home.deliver(
                "readings",
                int(moment.timestamp()),
                id=name,
                inputs=[],
                files=[file for files, _ in done for file in files],
                rows_in=count,
                rows_kept=count,
                rows_found={},
            )
        total += count
    return total


def rows(made: many.Day, chosen: np.ndarray[Any, np.dtype[np.bool_]], *, holed: bool) -> Rows:
    """Give the chosen rows as the store takes them.

    holed : whether points with gaps are among them.
    """
    reading = made.reading if chosen.all() else made.reading[chosen]
    if holed:
        reading = np.where(reading == many.UNREAD, NOT_READ, reading)
    number = made.number[chosen]
    return Rows(
        number=number,
        meter=np.zeros(len(number), np.int64),
        register=made.register[chosen],
        reading=reading,
        status=None,
        complete=not holed,
    )


def _long_file(at: Path, points: int, seed: int, doubtful: float) -> None:
    """Unfold the readings into one row per reading, by point, register and moment."""
    unfinished = at / "readings.parquet.unfinished"
    moments = periods.day_start(DAY) + periods.SECONDS * np.arange(periods.count(DAY) + 1)
    with pq.ParquetWriter(unfinished, LONG, compression="zstd") as writer:
        for chunk in _chunks(points, CHUNK):
            made = many.day_rows(chunk, DAY, seed, doubtful)
            row, position = np.nonzero(made.reading != many.UNREAD)
            columns = [
                pa.array(made.number[row]),
                pa.array(codes.REGISTERS).take(pa.array(made.register[row])),
                pa.array(moments[position]).cast(LONG.field("read_at").type),
                pa.array(made.reading[row, position].astype(np.int64)),
            ]
            writer.write_table(pa.table(columns, schema=LONG))
    unfinished.rename(at / "readings.parquet")


def _csv(at: Path) -> None:
    unfinished = at / "readings.csv.unfinished"
    with (
        pq.ParquetFile(at / "readings.parquet") as file,
        pyarrow.csv.CSVWriter(unfinished, LONG) as writer,
    ):
        for batch in file.iter_batches():
            writer.write_batch(batch)
    unfinished.rename(at / "readings.csv")


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
    parser.add_argument("--late", type=float, default=0.0)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--fresh-home", type=Path)
    given = parser.parse_args()
    at = make(
        given.folder,
        given.points,
        given.seed,
        given.doubtful,
        late=given.late,
        long=given.long,
        csv=given.csv,
        threads=given.threads,
    )
    if given.fresh_home:
        fresh_home(at, given.fresh_home)
    print(json.dumps({"at": str(at), **json.loads((at / "made.json").read_text("utf-8"))}))


if __name__ == "__main__":
    main()
