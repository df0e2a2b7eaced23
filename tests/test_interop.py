"""Other programs read what kwartier gives and keeps, without help."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kwartier import (
    Home,
    allocate,
    ingest,
    ingest_volumes,
    result,
    simulate,
    tables,
    take_couplings,
    take_fractions,
    take_register,
)
from tests import homes, market
from tests.market import DAY, ONE_DAY, OTHER, POINT, Market, but, flat, point, read

DAYS = [DAY, DAY + ONE_DAY]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    fleet = simulate(points=120, days=DAYS, seed=2, defect_share=0.2)
    made = Home(tmp_path_factory.mktemp("interop") / "home", create=True)
    known = datetime(2025, 12, 1, tzinfo=UTC)
    take_register(made, [fleet.register], recorded_at=known)
    take_couplings(made, [fleet.couplings], recorded_at=known)
    take_fractions(made, [fleet.fractions], recorded_at=known)
    for day in DAYS:
        at = datetime.combine(day + ONE_DAY, datetime.min.time(), UTC) + timedelta(hours=6)
        ingest(made, [fleet.readings(day)], recorded_at=at)
        ingest_volumes(made, [fleet.volumes(day)], recorded_at=at)
    allocate(made, DAYS, known_at=datetime(2026, 2, 1, tzinfo=UTC), threads=1)
    return made


@pytest.fixture(scope="module")
def allocation(home: Home) -> pa.Table:
    return result(home, "allocation", DAYS)


def energy(allocation: pa.Table) -> dict[tuple[date, str], int]:
    """Add up the energy of each day and direction."""
    rows = allocation.group_by(["market_day", "direction"]).aggregate([("volume_wh", "sum")])
    return {(r["market_day"], r["direction"]): r["volume_wh_sum"] for r in rows.to_pylist()}


def test_pandas_reads_a_result(allocation: pa.Table) -> None:
    frame = allocation.to_pandas()
    assert str(frame["volume_wh"].dtype) == "int64"
    assert str(frame["period_start"].dt.tz) == "UTC"
    sums = frame.groupby(["market_day", "direction"])["volume_wh"].sum()
    assert sums.to_dict() == energy(allocation)
    assert pd.api.types.is_string_dtype(frame["grid_area"]), "an EAN stays text"


def test_polars_reads_a_result(allocation: pa.Table) -> None:
    frame = pl.DataFrame(allocation)
    assert frame.schema["volume_wh"] == pl.Int64
    assert frame.schema["market_day"] == pl.Date
    sums = frame.group_by("market_day", "direction").agg(pl.col("volume_wh").sum())
    assert {row[:2]: row[2] for row in sums.iter_rows()} == energy(allocation)


def test_duckdb_reads_a_result(allocation: pa.Table) -> None:
    with duckdb.connect() as database:
        database.register("allocation", allocation)
        rows = database.sql(
            "SELECT market_day, direction, sum(volume_wh)::BIGINT FROM allocation GROUP BY ALL"
        ).fetchall()
    assert {row[:2]: row[2] for row in rows} == energy(allocation)


@pytest.mark.parametrize("name", ["allocation", "coverage", "findings"])
def test_a_result_is_read_without_copies(home: Home, name: str) -> None:
    table = result(home, name, DAYS)
    column = table.column_names.index("points" if name != "findings" else "accounting_point")
    assert table.column(column).num_chunks == 1
    series = pl.from_arrow(table.column(column))
    values = table.column(column).chunk(0)
    if not values.null_count:
        address = values.buffers()[1].address + values.offset * 8
        assert series.to_arrow().buffers()[1].address == address
        assert values.to_numpy(zero_copy_only=True).base is not None


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, None])
def test_frames_are_taken_in(tmp_path: Path, make: Any) -> None:
    way = Market(tmp_path)
    register = pa.Table.from_pylist([point(POINT), point(OTHER)])
    rows = homes.table(read(flat()) + read(flat(), OTHER)).drop_columns(["meter", "status"])
    if make is pd.DataFrame:
        sources = [register.to_pandas(), rows.to_pandas()]
    elif make is pl.DataFrame:
        sources = [pl.DataFrame(register), pl.DataFrame(rows)]
    else:
        database = duckdb.connect()
        sources = [database.from_arrow(register), database.from_arrow(rows)]
    take_register(way.home, [sources[0]], recorded_at=market.REGISTERED)
    ingest(way.home, [sources[1]], recorded_at=datetime(2026, 1, 16, tzinfo=UTC))
    assert way.run().measured() == [200] * 96


def kept(home: Home) -> dict[tuple[date, str], int]:
    """Count the readings that a home holds of each day and area, over all its layers."""
    found: dict[tuple[date, str], int] = {}
    for day, areas in home.days().items():
        for area in areas:
            readings = homes.kept(home, date.fromisoformat(day), area)
            found[date.fromisoformat(day), area] = len(readings)
    return found


def test_duckdb_reads_the_stored_day_rows(home: Home) -> None:
    with duckdb.connect() as database:
        database.sql(f"""
            CREATE VIEW day_rows AS
            SELECT * FROM read_parquet(
                '{home.root}/readings/*/*/*.parquet', hive_partitioning = true,
                union_by_name = true, hive_types = {{market_day: DATE, grid_area: VARCHAR}})
        """)
        types = dict(database.sql("SELECT column_name, column_type FROM (DESCRIBE day_rows)")
                     .fetchall())  # fmt: skip
        assert types["market_day"] == "DATE"
        assert types["reading_wh"] == "BIGINT[]"
        rows = database.sql("""
            SELECT market_day, grid_area,
                   count(DISTINCT (accounting_point, register, meter, position))
            FROM (SELECT *, unnest(reading_wh) AS wh, generate_subscripts(reading_wh, 1) AS position
                  FROM day_rows)
            WHERE wh IS NOT NULL GROUP BY ALL
        """).fetchall()
        assert {row[:2]: row[2] for row in rows} == stored(home)


def stored(home: Home) -> dict[tuple[date, str], int]:
    """Count distinct point, register, meter and position in the files, by Arrow alone."""
    found: dict[tuple[date, str], set[Any]] = {}
    for path in sorted((home.root / "readings").rglob("*.parquet")):
        day, area = (part.name.split("=")[1] for part in (path.parent.parent, path.parent))
        cells = found.setdefault((date.fromisoformat(day), area), set())
        for row in pa.parquet.ParquetFile(path).read().to_pylist():
            key = (row["accounting_point"], row["register"], row["meter"])
            cells |= {(*key, j) for j, wh in enumerate(row["reading_wh"]) if wh is not None}
    return {key: len(cells) for key, cells in found.items()}


def test_polars_reads_the_stored_day_rows(home: Home) -> None:
    parts = [
        pl.scan_parquet(
            str(home.root / "readings" / "*" / "*" / f"{kind}-*.parquet"),
            hive_partitioning=True,
            hive_schema={"market_day": pl.Date, "grid_area": pl.String},
        ).with_columns(pl.col("reading_wh").cast(pl.List(pl.Int64)))
        for kind in ("complete", "partial")
    ]
    rows = (
        pl.concat(parts, how="diagonal_relaxed")
        .with_columns(pl.int_ranges(pl.col("reading_wh").list.len()).alias("position"))
        .explode("reading_wh", "position")
        .filter(pl.col("reading_wh").is_not_null())
        .select("market_day", "grid_area", "accounting_point", "register", "meter", "position")
        .unique()
        .group_by("market_day", "grid_area")
        .len()
        .collect()
    )
    assert {row[:2]: row[2] for row in rows.iter_rows()} == stored(home)


def test_the_newest_layer_of_a_point_counts_for_a_reader_too(tmp_path: Path) -> None:
    """A reader outside takes, for each point, the newest delivery that holds it."""
    way = Market(tmp_path)
    way.register(point(POINT), point(OTHER))
    first = way.deliver(read(but(flat(), {40: None})), read(flat(), OTHER))
    second = way.deliver(read(flat())[40:41])
    folder = way.home.root / "readings" / f"market_day={DAY}" / f"grid_area={market.AREA}"
    with duckdb.connect() as database:
        rows = database.sql(f"""
            SELECT accounting_point,
                   arg_max(list_sum(reading_wh), filename LIKE '%{second.delivery}%')
            FROM read_parquet('{folder}/*.parquet', union_by_name = true, filename = true)
            GROUP BY ALL
        """).fetchall()
    whole = sum(wh for wh in flat() if wh is not None)
    assert {number: int(wh) for number, wh in rows} == {POINT: whole, OTHER: whole}
    assert first.delivery != second.delivery


def test_a_result_has_the_declared_columns(home: Home) -> None:
    for name in ("allocation", "coverage", "findings"):
        table = result(home, name, DAYS)
        assert table.schema.equals({t.name: t for t in tables.TABLES}[name].schema)
    allocation = result(home, "allocation", DAYS)
    measured = allocation.filter(pc.not_equal(allocation["group"], "PRF"))  # which may be negative
    assert pc.min(measured["volume_wh"]).as_py() >= 0
    assert allocation["volume_wh"].null_count == 0


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (DAY, "expected a list of dates, not one date"),
        ([f"{DAY}"], "expected a list of dates, not of str"),
        ([pd.Timestamp(DAY)], "expected a list of dates, not of Timestamp"),
    ],
)
def test_days_of_another_type_are_told(home: Home, days: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        allocate(home, days)
    with pytest.raises(TypeError, match=says):
        result(home, "allocation", days)


def test_sources_moments_and_names_of_another_type_are_told(home: Home) -> None:
    wrong: Any
    for wrong in ("day.csv", Path("day.csv"), pd.DataFrame(), pa.table({})):
        with pytest.raises(TypeError, match=r"expected a list of files and tables, not one"):
            ingest(home, wrong)
    for wrong in (None, 3, {"read_at": []}, pl.LazyFrame()):
        with pytest.raises(
            TypeError, match=f"expected a path or a table .* not {type(wrong).__name__}"
        ):
            take_register(home, [wrong])
    for wrong in ("2026-01-16", DAY):
        with pytest.raises(TypeError, match="expected a moment as a datetime"):
            ingest(home, [], recorded_at=wrong)
    with pytest.raises(ValueError, match="with its time zone"):
        allocate(home, DAYS, known_at=datetime(2026, 1, 16))
    with pytest.raises(ValueError, match="expected one of allocation, coverage, findings"):
        result(home, "sums", DAYS)
