"""What kwartier is held against; each is run as a process of its own.

floor            pyarrow decoding the same stored day rows with the same threads, and nothing else
duckdb, polars   differences, limits and sums of the same readings as long rows. Each has two forms,
                 as a skilled user would write them: `…_by_meter` orders the readings itself;
                 `…_as_it_lies` trusts that the file is ordered, which is quicker
duckdb_copy      what taking in is held against: DuckDB reading a file and writing Parquet
spark            the same in PySpark SQL, on kwartier's own day rows, whose lists are exploded; on
                 long rows with a window it took twice as long
allocate         kwartier's whole way, called from Python, for its time without start-up;
                 `allocate_again` is the second call in a process
late             the same after a part of the points came late: only what is new is computed;
                 `late_afresh` computes all of it. Both are second calls, on a copy of the home

Each prints one line of JSON: its seconds without start-up and imports, and what its sums are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

# A sum: grid area, BRP, supplier, register or direction, end of the period [s UTC], Wh.
Sum = tuple[str, str, str, str, int, int]
DIRECTION = {"1.8.0": "E17", "2.8.0": "E18"}
PERIOD = 900

DUCKDB = """
    WITH step AS ({step})
    SELECT grid_area, brp, supplier, register, epoch(read_at)::BIGINT AS moment,
           sum(volume_wh)::BIGINT AS wh
    FROM step JOIN '{points}' USING (accounting_point)
    WHERE elapsed = 900 AND volume_wh BETWEEN 0 AND limit_wh
    GROUP BY ALL
"""
BY_METER = """
    SELECT accounting_point, register, read_at,
           reading_wh - lag(reading_wh) OVER meter AS volume_wh,
           epoch(read_at) - epoch(lag(read_at) OVER meter) AS elapsed
    FROM '{readings}'
    WINDOW meter AS (PARTITION BY accounting_point, register ORDER BY read_at)
"""
AS_IT_LIES = """
    SELECT accounting_point, register, read_at, volume_wh, elapsed
    FROM (
        SELECT *,
               reading_wh - lag(reading_wh) OVER () AS volume_wh,
               epoch(read_at) - epoch(lag(read_at) OVER ()) AS elapsed,
               lag(accounting_point) OVER () AS point_before,
               lag(register) OVER () AS register_before
        FROM '{readings}'
    )
    WHERE accounting_point = point_before AND register = register_before
"""
SPARK = """
    WITH step AS (
        SELECT accounting_point, register, period, reading_wh[period] - reading_wh[period - 1]
               AS volume_wh
        FROM day_rows LATERAL VIEW explode(sequence(1, size(reading_wh) - 1)) AS period
    )
    SELECT points.grid_area, brp, supplier, register, {start} + 900 * period, sum(volume_wh)
    FROM step JOIN points USING (accounting_point)
    WHERE volume_wh BETWEEN 0 AND limit_wh
    GROUP BY ALL
"""


def floor(at: Path, threads: int) -> tuple[float, None]:
    """Decode every row group of the stored day rows; threads as kwartier uses them."""
    import pyarrow.parquet as pq

    start = perf_counter()
    files = [
        (path, pq.read_metadata(path)) for path in sorted((at / "home/readings").rglob("*.parquet"))
    ]
    groups = [(path, held, n) for path, held in files for n in range(held.num_row_groups)]

    def decode(path: Path, held: pq.FileMetaData, group: int) -> None:
        file = pq.ParquetFile(path, metadata=held, read_dictionary=["register"])
        file.read_row_group(group, use_threads=False)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(decode, *group) for group in groups]:
            done.result()
    return perf_counter() - start, None


def _duckdb(step: str) -> Callable[[Path, int], tuple[float, Iterable[Sum]]]:
    def run(at: Path, threads: int) -> tuple[float, Iterable[Sum]]:
        import duckdb

        start = perf_counter()
        with duckdb.connect(config={"threads": threads}) as database:
            files = {"readings": at / "readings.parquet", "points": at / "points.parquet"}
            rows = database.sql(DUCKDB.format(step=step.format(**files), **files)).fetchall()
        return perf_counter() - start, rows

    return run


def _polars(*, as_it_lies: bool) -> Callable[[Path, int], tuple[float, Iterable[Sum]]]:
    def run(at: Path, threads: int) -> tuple[float, Iterable[Sum]]:
        import polars as pl  # POLARS_MAX_THREADS is set by whoever starts this process

        start = perf_counter()
        readings = pl.scan_parquet(at / "readings.parquet")
        points = pl.scan_parquet(at / "points.parquet")
        meter = ["accounting_point", "register"]
        volume, elapsed = pl.col("reading_wh").diff(), pl.col("read_at").diff()
        if as_it_lies:
            same = [pl.col(name) == pl.col(name).shift() for name in meter]
            steps = readings.with_columns(
                volume_wh=volume, elapsed=elapsed, same=pl.all_horizontal(same)
            ).filter("same")
        else:
            steps = readings.with_columns(
                volume_wh=volume.over(meter, order_by="read_at"),
                elapsed=elapsed.over(meter, order_by="read_at"),
            )
        sums = (
            steps.join(points, on="accounting_point")
            .filter(
                pl.col("elapsed") == pl.duration(minutes=15),
                pl.col("volume_wh").is_between(0, pl.col("limit_wh")),
            )
            .group_by("grid_area", "brp", "supplier", "register", pl.col("read_at").dt.epoch("s"))
            .agg(pl.col("volume_wh").sum())
            .collect(engine="streaming")
        )
        return perf_counter() - start, sums.rows()

    return run


def spark_missing() -> str | None:
    """Say why PySpark cannot be measured here; None where it can."""
    if find_spec("pyspark") is None:
        return "pyspark is not installed"
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        return "there is no Java"
    return None


def spark(at: Path, threads: int) -> tuple[float, Iterable[Sum]]:
    """Sum with PySpark in one process; its seconds begin when the session is there."""
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.functions import expr

    from benchmarks.data import DAY
    from kwartier import periods

    session = (
        SparkSession.builder.master(f"local[{threads}]")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", 4 * threads)
        .config("spark.ui.enabled", False)
        .config("spark.ui.showConsoleProgress", False)
        .config("spark.log.level", "ERROR")
        # The vectorized reader of Spark 4 cannot read BYTE_STREAM_SPLIT.
        .config("spark.sql.parquet.enableVectorizedReader", False)
        .getOrCreate()
    )
    session.sql("SELECT 1").collect()
    start = perf_counter()
    session.read.parquet(str(at / "points.parquet")).createOrReplaceTempView("points")
    # Its two kinds of files differ in the width of a reading, so each is a table of its own.
    kinds = [
        session.read.parquet(*map(str, files)).select(
            "accounting_point",
            "register",
            expr("CAST(reading_wh AS ARRAY<BIGINT>)").alias("reading_wh"),
        )
        for kind in ("complete", "partial")
        if (files := sorted((at / "home/readings").rglob(f"{kind}-*.parquet")))
    ]
    reduce(DataFrame.union, kinds).createOrReplaceTempView("day_rows")
    rows = session.sql(SPARK.format(start=periods.day_start(DAY))).collect()
    seconds = perf_counter() - start
    session.stop()
    return seconds, [tuple(row) for row in rows]


def duckdb_copy(source: Path, out: Path, threads: int, *, ordered: bool) -> tuple[float, None]:
    """Read a long file and write it as Parquet, as it lies or in order."""
    import duckdb

    order = "ORDER BY accounting_point, register, read_at" if ordered else ""
    start = perf_counter()
    with duckdb.connect(config={"threads": threads}) as database:
        database.sql(f"COPY (FROM '{source}' {order}) TO '{out}' (FORMAT parquet)")
    return perf_counter() - start, None


def allocate(at: Path, threads: int) -> tuple[float, Iterable[Sum]]:
    """Take kwartier's whole way, as it runs in a process that has loaded everything."""
    from benchmarks.data import DAY
    from kwartier import runs
    from kwartier.adapters.store import Home

    start = perf_counter()
    runs.allocate(Home(at / "home"), [DAY], threads=threads, afresh=True)
    return perf_counter() - start, allocated(at)


def allocate_again(at: Path, threads: int) -> tuple[float, Iterable[Sum]]:
    """Take the way twice and tell of the second: kernels are loaded, as in a service."""
    allocate(at, threads)
    return allocate(at, threads)


def _late(at: Path, threads: int, *, afresh: bool) -> tuple[float, Iterable[Sum]]:
    """Allocate two copies of a home whose late readings were not allocated; tell of the second."""
    from benchmarks.data import DAY
    from kwartier import runs
    from kwartier.adapters.store import Home

    for copy in ("first", "second"):
        start = perf_counter()
        runs.allocate(Home(at / copy / "home"), [DAY], threads=threads, afresh=afresh)
        seconds = perf_counter() - start
    return seconds, allocated(at / "second")


def late(at: Path, threads: int) -> tuple[float, Iterable[Sum]]:
    """Compute what the late readings changed."""
    return _late(at, threads, afresh=False)


def late_afresh(at: Path, threads: int) -> tuple[float, Iterable[Sum]]:
    """Compute all of it, late readings and others."""
    return _late(at, threads, afresh=True)


def allocated(at: Path) -> Iterable[Sum]:
    """Give the measured sums of kwartier's newest run."""
    import pyarrow.compute as pc

    from benchmarks.data import DAY
    from kwartier import runs
    from kwartier.adapters.store import Home

    rows = runs.result(Home(at / "home"), "allocation", [DAY])
    key = ["grid_area", "brp", "supplier", "direction", "period_start"]
    measured = rows.filter(pc.equal(rows["origin"], "MSR"))
    # Groups and profile categories, which the references do not know, are summed.
    for row in measured.group_by(key).aggregate([("volume_wh", "sum")]).to_pylist():
        end = int(row["period_start"].timestamp()) + PERIOD
        parties = row["grid_area"], row["brp"], row["supplier"]
        yield *parties, row["direction"], end, row["volume_wh_sum"]


def comparable(sums: Iterable[Sum]) -> list[Sum]:
    """Put sums in one form: by direction, in order, without the zeros."""
    return sorted(
        (*parties, DIRECTION.get(direction, direction), moment, wh)
        for *parties, direction, moment, wh in sums
        if wh
    )


SUMMING: dict[str, Callable[[Path, int], tuple[float, Any]]] = {
    "floor": floor,
    "duckdb_by_meter": _duckdb(BY_METER),
    "duckdb_as_it_lies": _duckdb(AS_IT_LIES),
    "polars_by_meter": _polars(as_it_lies=False),
    "polars_as_it_lies": _polars(as_it_lies=True),
    "spark": spark,
    "allocate": allocate,
    "allocate_again": allocate_again,
    "late": late,
    "late_afresh": late_afresh,
}


def main() -> None:
    """Run one reference."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.references", description=__doc__)
    parser.add_argument("name", choices=[*SUMMING, "duckdb_copy", "duckdb_copy_ordered"])
    parser.add_argument("at", type=Path, help="a day, or the file to copy")
    parser.add_argument("--out", type=Path, help="where the copy goes")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    if given.name in SUMMING:
        seconds, sums = SUMMING[given.name](given.at, given.threads)
    else:
        ordered = given.name.endswith("ordered")
        seconds, sums = duckdb_copy(given.at, given.out, given.threads, ordered=ordered)
    told: dict[str, Any] = {"seconds": seconds}
    if sums is not None:
        plain = comparable(sums)
        told["wh"] = sum(wh for *_, wh in plain)
        told["sums"] = hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
