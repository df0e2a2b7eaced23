"""The doors of programmes and prices: what they take, what they refuse, from when it is known."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kwartier import FileRefused, Home, periods, tables, take_parameters
from kwartier.adapters.files import read_prices, read_programmes
from kwartier.codecs import balancing, schedule
from kwartier.documents import ImbalancePrices, Programme
from kwartier.runs import take_prices, take_programmes
from tests import homes
from tests.market import AUTUMN, BRP, DAY, OTHER_BRP, SPRING

NOW = datetime(2026, 1, 13, 12, tzinfo=UTC)  # an hour before the deadline of DAY
PLANNED = "brp,period_start,position_wh\n"
PRICED = "period_start,price_long_eur_per_mwh,price_short_eur_per_mwh\n"
PUBLISHED = (
    "Timeinterval Start Loc,Timeinterval End Loc,Isp,Currency Unit Name,"
    "Price Measurement Unit Name,Incident Reserve Up,Incident Reserve Down,Price Dispatch Up,"
    "Price Dispatch Down,Price Shortage,Price Surplus,Regulation State,Regulating Condition\n"
)
AREA_EIC = "10YNL----------L"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(content: str | bytes, name: str = "rows.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def refused(read: Callable[..., Any], *paths: Path) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(FileRefused) as raised:
        read(paths, NOW)
    return [(p.row, p.column, p.found) for p in raised.value.problems]


# ---- programmes ---------------------------------------------------------------------------------
def test_programmes_are_read_with_what_a_file_leaves_out(write: Write) -> None:
    rows = read_programmes([write(PLANNED + f"{BRP},2026-01-14T00:15+01:00,-250\n")], NOW)
    assert rows.schema == tables.PROGRAMMES.schema
    assert rows.to_pylist() == [
        {
            "brp": BRP,
            "period_start": datetime(2026, 1, 13, 23, 15, tzinfo=UTC),
            "counterparty": None,
            "position_wh": -250,
            "version": 1,
            "recorded_at": NOW,
        }
    ]


def test_programmes_come_in_kwh_and_as_parquet_too(write: Write, tmp_path: Path) -> None:
    head = "brp,period_start,counterparty,position_kwh,version,recorded_at\n"
    cells = "2026-01-13T23:15Z,{},-0.250,3,2026-01-13T08:00Z"
    table = read_programmes([write(head + f"{BRP},{cells.format(OTHER_BRP)}\n")], NOW)
    assert table["position_wh"].to_pylist() == [-250]
    assert table["version"].to_pylist() == [3]
    path = tmp_path / "programmes.parquet"
    pq.write_table(table, path)
    assert read_programmes([path], NOW).equals(table)


@pytest.mark.parametrize(
    ("row", "column", "found"),
    [
        (f"{BRP[:-1]}3,2026-01-14T00:15Z,,5,1", "brp", "check digit wrong"),
        (",2026-01-14T00:15Z,,5,1", "brp", "empty"),
        (f"{BRP},2026-01-14T00:15,,5,1", "period_start", "no UTC offset"),
        (f"{BRP},2026-01-14T00:10Z,,5,1", "period_start", "another moment"),
        (f"{BRP},2026-01-14T00:15Z,{BRP},5,1", "counterparty", "the same"),
        (f"{BRP},2026-01-14T00:15Z,12,5,1", "counterparty", "not 13 digits"),
        (f"{BRP},2026-01-14T00:15Z,,,1", "position_wh", "empty"),
        (f"{BRP},2026-01-14T00:15Z,,5.5,1", "position_wh", "not a whole number"),
        (f"{BRP},2026-01-14T00:15Z,,{10**13 + 1},1", "position_wh", "too large"),
        (f"{BRP},2026-01-14T00:15Z,,{-(10**13) - 1},1", "position_wh", "too small"),
        (f"{BRP},2026-01-14T00:15Z,,5,0", "version", "too small"),
        (f"{BRP},2026-01-14T00:15Z,,5,", "version", "empty"),
        (f"{BRP},2026-01-14T00:15Z,5,1", None, "4"),
    ],
)
def test_a_wrong_cell_of_a_programme_is_named(
    write: Write, row: str, column: str | None, found: str
) -> None:
    head = "brp,period_start,counterparty,position_wh,version\n"
    other = f"{OTHER_BRP},2026-01-14T00:15Z,,5,1\n"
    assert refused(read_programmes, write(head + other + row + "\n")) == [(2, column, found)]


def test_a_programme_stated_twice_counts_once_and_otherwise_is_refused(write: Write) -> None:
    row = f"{BRP},2026-01-14T00:15Z,5\n"
    assert read_programmes([write(PLANNED + row + row)], NOW).num_rows == 1
    found = refused(read_programmes, write(PLANNED + row + row.replace(",5", ",6")))
    assert found == [(2, None, "a second one with other content")]


def flat(day: date, brp: str = BRP, position: int = 5) -> pa.Table:
    n = periods.count(day)
    return pa.table(
        {
            "brp": [brp] * n,
            "period_start": pa.array(periods.starts(day)).cast(tables.MOMENT),
            "position_wh": [position] * n,
        }
    )


def test_a_programme_at_the_deadline_is_in_time_and_a_second_later_is_refused(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home", create=True)
    deadline = datetime(2026, 1, 13, 13, tzinfo=UTC)
    first = take_programmes(home, [flat(DAY)], recorded_at=deadline)
    assert (first.rows_kept, first.late) == (96, ())
    both = pa.concat_tables([flat(DAY, OTHER_BRP), flat(DAY + timedelta(days=1), OTHER_BRP)])
    second = take_programmes(home, [both], recorded_at=deadline + timedelta(seconds=1))
    assert (second.rows_in, second.rows_kept) == (192, 96)
    assert second.found == {"programme_late": 96}
    (late,) = second.late
    assert (late.brp, late.market_day) == (OTHER_BRP, DAY)
    assert late.recorded_at - late.deadline == 1
    rows, files = home.tables_of_day("programmes", DAY)
    assert [len(table) for table in rows] == [96]
    assert len(files) == 1
    assert homes.whole(home)


def test_the_deadline_is_that_of_the_parameters_known_then(tmp_path: Path, write: Write) -> None:
    home = Home(tmp_path / "home", create=True)
    own = write("programme_deadline:\n  values: {2026-01-14: '14:30'}\n", "own.yaml")
    take_parameters(home, own, recorded_at=NOW)
    late = datetime(2026, 1, 13, 13, 30, tzinfo=UTC)
    assert take_programmes(home, [flat(DAY)], recorded_at=late).late == ()


# ---- prices -------------------------------------------------------------------------------------
def test_prices_are_exact_decimals_from_text_and_from_parquet(write: Write, tmp_path: Path) -> None:
    text = "2026-01-14T00:15Z,103.46,-0.00001\n2026-01-14T00:30Z,,5\n"
    table = read_prices([write(PRICED + text)], NOW)
    assert table.schema == tables.PRICES.schema
    expected = [(Decimal("103.46"), Decimal("-0.00001")), (None, Decimal(5))]
    names = ("price_long_eur_per_mwh", "price_short_eur_per_mwh")
    assert list(zip(*(table[name].to_pylist() for name in names), strict=True)) == expected
    for kind in (pa.float64(), pa.decimal128(20, 7)):
        path = tmp_path / f"{kind.id}.parquet"
        made = table.select(["period_start", *names])
        for name in names:
            place = made.schema.get_field_index(name)
            values = [float(v) if kind == pa.float64() and v else v for v in made[name].to_pylist()]
            made = made.set_column(place, name, pa.array(values, kind))
        pq.write_table(made, path)
        assert read_prices([path], NOW).equals(table)


@pytest.mark.parametrize(
    ("row", "column", "found"),
    [
        ("2026-01-14T00:15Z,1.000001,2", "price_long_eur_per_mwh", "more than 5 decimals"),
        ("2026-01-14T00:15Z,one,2", "price_long_eur_per_mwh", "not a number"),
        ("2026-01-14T00:15Z,1,1234567890", "price_short_eur_per_mwh", "out of range"),
        ("2026-01-14T00:14Z,1,2", "period_start", "another moment"),
        (",1,2", "period_start", "empty"),
    ],
)
def test_a_wrong_cell_of_a_price_is_named(
    write: Write, row: str, column: str | None, found: str
) -> None:
    other = "2026-01-14T00:00Z,1,2\n"
    assert refused(read_prices, write(PRICED + other + row + "\n")) == [(2, column, found)]


@pytest.mark.parametrize("value", [0.1234567, float("nan"), 1e9])
def test_a_float_that_is_no_price_is_refused(tmp_path: Path, value: float) -> None:
    start = pa.array(periods.starts(DAY)[:2]).cast(tables.MOMENT)
    path = tmp_path / "prices.parquet"
    pq.write_table(pa.table({"period_start": start, "price_long_eur_per_mwh": [1.5, value]}), path)
    ((row, column, _),) = refused(read_prices, path)
    assert (row, column) == (2, "price_long_eur_per_mwh")


def test_components_and_state_are_read(write: Write) -> None:
    head = "period_start,regulation_state,price_up_eur_per_mwh,price_mid_eur_per_mwh\n"
    (row,) = read_prices([write(head + "2026-01-14T00:15Z,-1,,30\n")], NOW).to_pylist()
    assert (row["regulation_state"], row["price_up_eur_per_mwh"]) == (-1, None)
    assert refused(read_prices, write(head + "2026-01-14T00:15Z,3,,30\n")) == [
        (1, "regulation_state", "too large")
    ]


def published(day: date, isp: int, shortage: str = "2.5", surplus: str = "1.5") -> str:
    cells = f"{day}T00:00:00,{day}T00:15:00,{isp},EUR,MWh,,,,,{shortage},{surplus},1,UP"
    return cells + "\n"


@pytest.mark.parametrize("day", [DAY, SPRING, AUTUMN])
def test_the_columns_that_the_tso_publishes_number_the_periods_of_the_local_day(
    write: Write, day: date
) -> None:
    n = periods.count(day)
    text = "".join(published(day, isp, f"{isp}.5") for isp in range(n, 0, -1))
    rows = read_prices([write(PUBLISHED + text)], NOW).sort_by("period_start")
    assert rows["period_start"].cast(pa.int64()).to_pylist() == periods.starts(day).tolist()
    expected = [Decimal(f"{isp}.5") for isp in range(1, n + 1)]
    assert rows["price_short_eur_per_mwh"].to_pylist() == expected
    assert set(rows["price_long_eur_per_mwh"].to_pylist()) == {Decimal("1.5")}
    beyond = write(PUBLISHED + text + published(day, n + 1), "beyond.csv")
    assert (n == 100) == (refused(read_prices, beyond) == [(101, "Isp", "too large")])
    if n < 100:
        assert refused(read_prices, beyond) == [(n + 1, "Isp", "a higher number")]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (("EUR", "GBP"), "Currency Unit Name"),
        (("MWh", "KWH"), "Price Measurement Unit Name"),
        (("2.5", "2,5"), None),
        ((",1,EUR", ",0,EUR"), "Isp"),
        (("T00:00:00,", "T00:00:00Z,"), "Timeinterval Start Loc"),
    ],
)
def test_what_is_published_in_another_unit_is_refused(
    write: Write, change: tuple[str, str], column: str | None
) -> None:
    found = refused(read_prices, write(PUBLISHED + published(DAY, 1).replace(*change)))
    assert [name for _, name, _ in found] == [column]


def test_the_real_prices_of_a_year_are_taken_in_as_the_tso_publishes_them(
    shared: Path, write: Write
) -> None:
    source = shared / "data" / "tennet_settlement" / "tennet_settlement_prices_2023_15min.csv.gz"
    with gzip.open(source, "rt", encoding="utf-8") as file:
        real = list(csv.DictReader(file))
    days = periods.between(date(2023, 1, 1), date(2023, 12, 31))
    numbered = [(day, isp) for day in days for isp in range(1, periods.count(day) + 1)]
    text = "".join(
        published(day, isp, row["price_shortage_eur_mwh"], row["price_surplus_eur_mwh"])
        for (day, isp), row in zip(numbered, real, strict=True)
    )
    rows = read_prices([write(PUBLISHED + text)], NOW)
    short, long = (rows[f"price_{name}_eur_per_mwh"].to_pylist() for name in ("short", "long"))
    assert len(rows) == 35_040
    assert round(sum(short) / 35_040, 2) == Decimal("103.46")
    assert round(sum(long) / 35_040, 2) == Decimal("93.64")
    assert sum(s < p for s, p in zip(short, long, strict=True)) == 3


# ---- documents and files together ---------------------------------------------------------------
def programme(day: date = DAY, **said: Any) -> Programme:
    n = periods.count(day)
    told = {"net": tuple(range(-5, n - 5)), "trades": {OTHER_BRP: tuple(range(-5, n - 5))}}
    base = {"id": "doc-1", "version": 2, "created_at": 1_768_300_000, "brp": BRP}
    return Programme(**(base | {"receiver": TSO, "market_day": day} | told | said))


TSO = "8716867999983"


def test_a_schedule_document_is_taken_in_as_a_programme(tmp_path: Path, write: Write) -> None:
    home = Home(tmp_path / "home", create=True)
    path = write(schedule.write(programme(), AREA_EIC), "programme.xml")
    intake = take_programmes(home, [path, flat(DAY, OTHER_BRP)], recorded_at=NOW)
    assert (intake.rows_in, intake.rows_kept) == (3 * 96, 3 * 96)
    assert take_programmes(home, [path]).skipped == ("programme.xml",)
    ((table,), _) = home.tables_of_day("programmes", DAY)
    mine = [row for row in table.to_pylist() if row["brp"] == BRP]
    assert {row["version"] for row in mine} == {2}
    assert {row["recorded_at"] for row in mine} == {NOW}
    assert sorted(r["position_wh"] for r in mine if r["counterparty"] is None) == list(
        range(-5, 91)
    )


def test_a_balancing_document_is_taken_in_as_prices(tmp_path: Path, write: Write) -> None:
    home = Home(tmp_path / "home", create=True)
    some: list[Decimal | None] = [Decimal("103.46")] * 95 + [None]
    sheet = ImbalancePrices("p", 1, 1_768_300_000, TSO, BRP, DAY, tuple(some), tuple(some))
    path = write(balancing.write(sheet, AREA_EIC), "prices.xml")
    assert take_prices(home, [path], recorded_at=NOW).rows_kept == 95


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_kept(
    tmp_path: Path, write: Write
) -> None:
    home = Home(tmp_path / "home", create=True)
    before = homes.contents(home.root)
    good = write(schedule.write(programme(), AREA_EIC), "good.xml")
    bad = write(PLANNED + f"{BRP},2026-01-14T00:15Z,x\n", "bad.csv")
    worse = write(b"<!DOCTYPE a><a/>", "worse.xml")
    with pytest.raises(FileRefused) as raised:
        take_programmes(home, [good, bad, worse], recorded_at=NOW)
    assert [Path(p.file).name for p in raised.value.problems] == ["bad.csv", "worse.xml"]
    assert "document type" in str(raised.value)
    assert homes.contents(home.root) == before


def test_two_documents_that_state_one_version_otherwise_are_refused(
    tmp_path: Path, write: Write
) -> None:
    home = Home(tmp_path / "home", create=True)
    one = write(schedule.write(programme(), AREA_EIC), "one.xml")
    same = write(schedule.write(programme(id="doc-2"), AREA_EIC), "same.xml")
    assert take_programmes(home, [one, same], recorded_at=NOW).rows_kept == 2 * 96
    other = write(schedule.write(programme(trades={}), AREA_EIC), "other.xml")
    third = write(schedule.write(programme(net=(1,) * 96), AREA_EIC), "third.xml")
    with pytest.raises(FileRefused, match="a second one with other content"):
        take_programmes(home, [other, third], recorded_at=NOW)


def test_a_table_of_the_older_version_does_not_hide_a_newer(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    take_prices(home, [_priced(1)], recorded_at=NOW)
    take_prices(home, [_priced(2)], recorded_at=NOW + timedelta(hours=1))
    at = int(NOW.timestamp())
    known = [home.tables_of_day("prices", DAY, at + k * 3_600)[0] for k in (-1, 0, 1)]
    assert [len(found) for found in known] == [0, 1, 2]


def _priced(price: int) -> pa.Table:
    start = pa.array(periods.starts(DAY)).cast(tables.MOMENT)
    return pa.table({"period_start": start, "price_long_eur_per_mwh": [price] * 96})
