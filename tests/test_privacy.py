"""PURPOSE: holders are counted as the register names them; publishing is safe from end to end."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from kwartier import Home, parameters, result, tables
from kwartier.parameters import ParameterError
from tests.closing import Clock, clock_of, hour
from tests.market import (
    AREA,
    COUPLING,
    DAY,
    LOSS,
    ONE_DAY,
    OTHER_AREA,
    OTHER_SUPPLIER,
    SUPPLIER,
    TELEMETRY,
    Market,
    coupling,
    ean,
    flat,
    point,
    read,
    volumes,
)
from tests.test_cli import CANNOT, DONE, REFUSED, WRITTEN_WRONG, tell

THIRD = "8712423014022"
NOON = hour(DAY + ONE_DAY, 12)
PROFILED = {"remote_reading": "off", "annual_offtake_normal_wh": 3_650_000}


def of(supplier: str, first: int, count: int, **cells: Any) -> list[dict[str, Any]]:
    """Give points by profile of a supplier."""
    return [point(ean(first + i), supplier=supplier, **PROFILED | cells) for i in range(count)]


def market_of(folder: Path, *rows: dict[str, Any], own: str | None = None) -> Market:
    """Make a home with an area that closes: points by profile and telemetry of a large holder."""
    market = Market(folder, own)
    market.register(*rows)
    market.couplings(coupling())
    at = hour(DAY + ONE_DAY, 6)
    market.volumes(*(volumes(COUPLING, 90_000, "E18"), volumes(COUPLING, 0, "E17")), recorded_at=at)
    return market


def privacy(market: Market, **where: Any) -> dict[tuple[str, ...], dict[str, Any]]:
    market.allocate(DAY)
    rows = result(market.home, "privacy", [DAY]).to_pylist()
    return {
        (row["supplier"], row["group"], row["direction"]): row
        for row in rows
        if all(row[name] == value for name, value in where.items())
    }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.delenv("KWARTIER_LEDGER", raising=False)
    made = clock_of(monkeypatch)
    made(NOON)
    return made


# ---- the register --------------------------------------------------------------------------------
def test_each_point_is_a_holder_where_nothing_is_said(tmp_path: Path) -> None:
    found = privacy(market_of(tmp_path, *of(SUPPLIER, 10, 4)))
    assert found[SUPPLIER, "PRF", "E17"]["holders"] == 4
    assert found[SUPPLIER, "PRF", "E17"]["dominant_share"] == 250_000


def test_points_of_one_holder_count_once_and_their_volumes_together(tmp_path: Path) -> None:
    rows = [*of(SUPPLIER, 10, 3, holder="h-1"), *of(SUPPLIER, 20, 1), *of(SUPPLIER, 30, 1)]
    row = privacy(market_of(tmp_path, *rows))[SUPPLIER, "PRF", "E17"]
    assert (row["points"], row["holders"], row["shared_holders"]) == (5, 3, 0)
    assert row["dominant_share"] == 600_000


def test_a_holder_of_points_in_two_sums_is_told_of_in_both(tmp_path: Path) -> None:
    rows = [*of(SUPPLIER, 10, 2, holder="h-1"), *of(OTHER_SUPPLIER, 20, 2), *of(THIRD, 30, 1)]
    rows[2]["holder"] = "h-1"
    found = privacy(market_of(tmp_path, *rows))
    assert found[SUPPLIER, "PRF", "E17"]["shared_holders"] == 1
    assert found[OTHER_SUPPLIER, "PRF", "E17"]["shared_holders"] == 1
    assert found[THIRD, "PRF", "E17"]["shared_holders"] == 0


def test_holders_of_two_deliveries_are_the_same_by_their_name(tmp_path: Path) -> None:
    market = market_of(tmp_path, *of(SUPPLIER, 10, 2, holder="h-1"))
    market.register(*of(SUPPLIER, 20, 2, holder="h-1"))
    market.register(*of(SUPPLIER, 30, 2))
    assert privacy(market)[SUPPLIER, "PRF", "E17"]["holders"] == 3


def test_the_register_as_a_file(tmp_path: Path) -> None:
    names = ("accounting_point", "grid_area", "brp", "supplier", "valid_from", "holder")
    rows = [{**point(ean(i), holder=h)} for i, h in ((1, "h-1"), (2, ""), (3, "h-1"))]
    lines = [",".join(names), *(",".join(str(row[n]) for n in names) for row in rows)]
    path = tmp_path / "register.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    assert tell("register", path, "--home", tmp_path / "home").code == DONE
    table = Home(tmp_path / "home").table_of("register")[0]
    assert table["holder"].to_pylist() == ["h-1", None, "h-1"]
    path.write_text("\n".join([lines[0], lines[1] + "\x07"]) + "\n", "utf-8")
    told = tell("register", path, "--home", tmp_path / "home")
    assert told.code == REFUSED
    assert "column holder" in told.err


def test_only_points_that_feed_in_are_behind_infeed(tmp_path: Path) -> None:
    rows = [*of(SUPPLIER, 10, 4), *of(SUPPLIER, 20, 2, consumption_type="AMI")]
    found = privacy(market_of(tmp_path, *rows), consumption_type="AMI")
    assert found[SUPPLIER, "PRF", "E18"]["holders"] == 2
    assert (SUPPLIER, "PRF", "E18") not in privacy(market_of(tmp_path / "b", *rows[:4]))


def test_points_without_current_hide_nothing(tmp_path: Path) -> None:
    rows = [point(ean(i)) for i in (1, 2)]
    market = market_of(tmp_path, rows[0], rows[1] | {"physical_status": "out_of_service"})
    market.deliver(read(flat(), ean(1)))
    assert privacy(market)[SUPPLIER, "SMA", "E17"]["holders"] == 1


def test_telemetry_and_losses_count_and_the_day_tells_how_large_they_are(tmp_path: Path) -> None:
    rows = [point(number, group="TMT") for number in (TELEMETRY, ean(951))]
    market = market_of(tmp_path, *rows, point(LOSS, group="NVL"))
    series = [volumes(TELEMETRY, 900), volumes(ean(951), 100), volumes(LOSS, 5)]
    market.volumes(*series, volumes(TELEMETRY, 7, "E18"), recorded_at=hour(DAY + ONE_DAY, 7))
    found = privacy(market)
    assert found[SUPPLIER, "TMT", "E17"]["dominant_share"] == 900_000
    assert found[SUPPLIER, "TMT", "E17"]["holders"] == 2
    assert found[SUPPLIER, "TMT", "E18"]["holders"] == 1
    assert found[SUPPLIER, "NVL", "E17"]["holders"] == 1


def test_weights_are_parts_of_the_area(tmp_path: Path) -> None:
    found = privacy(market_of(tmp_path, *of(SUPPLIER, 10, 3), *of(THIRD, 20, 1)))
    assert found[SUPPLIER, "PRF", "E17"]["weight"] == 10**12 * 3 // 4
    assert found[THIRD, "PRF", "E17"]["weight"] == 10**12 // 4


# ---- a published run -----------------------------------------------------------------------------
@pytest.fixture
def market(tmp_path: Path, clock: Clock) -> Market:
    rows = [*of(SUPPLIER, 100, 40), *of(OTHER_SUPPLIER, 200, 25), *of(THIRD, 300, 6)]
    return market_of(tmp_path, *rows)


def run(market: Market) -> None:
    told = tell("run", "--day", DAY, "--home", market.home.root)
    assert told.code == DONE, told.all


def published(market: Market, *words: Any) -> Any:
    return tell("publish", "--day", DAY, "--home", market.home.root, *words)


def test_the_report_of_a_run_counts_and_tells_nothing_of_whom(market: Market) -> None:
    run(market)
    told = tell("show", "disclosure", "--day", DAY, "--home", market.home.root)
    assert told.code == DONE
    assert "attackable" in told.out
    rows = result(market.home, "disclosure", [DAY]).to_pylist()
    offtake = [r for r in rows if r["direction"] == "E17" and r["supplier"] and r["group"] == "PRF"]
    assert {r["supplier"]: r["released"] for r in offtake} == {
        SUPPLIER: "as_it_is",
        OTHER_SUPPLIER: "merged",
        THIRD: "merged",
    }
    assert not any(r["attackable"] for r in rows)
    assert tell("show", "privacy", "--day", DAY, "--home", market.home.root).code == DONE


def test_a_later_run_keeps_what_was_merged(market: Market, clock: Clock) -> None:
    run(market)
    clock(NOON + ONE_DAY)
    market.register(*of(THIRD, 400, 50), recorded_at=NOON + ONE_DAY)
    run(market)
    rows = result(market.home, "disclosure", [DAY]).to_pylist()
    assert {r["supplier"] for r in rows if r["merged"]} == {OTHER_SUPPLIER, THIRD}


def test_open_data_are_written_in_both_forms(market: Market, tmp_path: Path) -> None:
    run(market)
    out = tmp_path / "open"
    told = published(market, "--out", out, "--json")
    assert told.code == DONE, told.all
    (one,) = json.loads(told.out)
    assert (one["state"], one["left_out"], one["complement"], one["attackable"]) == ("new", 2, 1, 0)
    name = f"open_data-{DAY.isoformat()}"
    table = pq.read_table(out / f"{name}.parquet")
    # Parquet knows no moments in whole seconds.
    assert table.cast(tables.OPEN_DATA.schema).schema.equals(tables.OPEN_DATA.schema)
    with (out / f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == table.num_rows
    assert {r["volume_wh"] for r in rows if r["status"] != "published"} == {""}
    assert sorted(p.name for p in out.iterdir()) == [f"{name}.csv", f"{name}.parquet"]


def test_the_same_run_is_published_once(market: Market, tmp_path: Path) -> None:
    run(market)
    published(market, "--out", tmp_path / "a")
    told = published(market, "--out", tmp_path / "b")
    assert "as published before" in told.out
    name = f"open_data-{DAY.isoformat()}.csv"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len(market.home.open_runs(DAY, AREA)) == 1


def test_a_difference_of_one_meter_is_held_back(
    market: Market, clock: Clock, tmp_path: Path
) -> None:
    run(market)
    published(market, "--out", tmp_path / "a")
    clock(NOON + ONE_DAY)
    market.register(*of(SUPPLIER, 400, 1), recorded_at=NOON + ONE_DAY)
    run(market)
    told = published(market, "--out", tmp_path / "b")
    assert told.code == DONE
    assert "held back" in told.out
    name = f"open_data-{DAY.isoformat()}.csv"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    report = result(market.home, "disclosure", [DAY]).to_pylist()
    assert any(row["thin_change"] for row in report)


def test_one_area_anew_and_another_as_before(market: Market, clock: Clock, tmp_path: Path) -> None:
    run(market)
    published(market, "--out", tmp_path / "a")
    other = {"grid_area": OTHER_AREA}
    market.register(*of(SUPPLIER, 500, 40, **other), recorded_at=NOON)
    market.couplings(coupling(ean(952), **other), recorded_at=NOON)
    series = (volumes(ean(952), 90_000, "E18"), volumes(ean(952), 0, "E17"))
    market.volumes(*series, recorded_at=NOON)
    clock(NOON + ONE_DAY)
    told = tell("run", "--day", DAY, "--area", OTHER_AREA, "--home", market.home.root)
    assert told.code == DONE, told.all
    made = json.loads(published(market, "--out", tmp_path / "b", "--json").out)
    assert {one["grid_area"]: one["state"] for one in made} == {AREA: "same", OTHER_AREA: "new"}
    table = pq.read_table(tmp_path / "b" / f"open_data-{DAY.isoformat()}.parquet")
    assert set(table["grid_area"].to_pylist()) == {AREA, OTHER_AREA}


def test_what_the_audit_finds_is_not_written(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kwartier.steps.disclosure import suppression

    run(market)
    monkeypatch.setattr(suppression, "suppress", lambda sums, *rest: ["published"] * len(sums))
    told = published(market, "--out", tmp_path / "open")
    assert told.code == CANNOT
    assert "could be computed; nothing was published" in told.err
    assert not (tmp_path / "open").exists()
    assert market.home.open_runs(DAY, AREA) == []


def test_publishing_needs_a_published_run(market: Market, tmp_path: Path) -> None:
    market.allocate(DAY)
    told = published(market, "--out", tmp_path / "open")
    assert told.code == CANNOT
    assert f"no run of {DAY} was published yet" in told.err
    assert not (tmp_path / "open").exists()
    assert tell("show", "disclosure", "--day", DAY, "--home", market.home.root).code == CANNOT


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), WRITTEN_WRONG),
        (("--out", "open", "--to", "2020-01-01"), WRITTEN_WRONG),
        (("--out", __file__), WRITTEN_WRONG),
        (("--out", "open", "--area", "871687120000052782"), CANNOT),
    ],
)
def test_publishing_written_wrong(market: Market, words: tuple[str, ...], code: int) -> None:
    run(market)
    told = published(market, *words)
    assert told.code == code, told.all
    assert "Traceback" not in told.all


def test_publishing_into_what_cannot_be_written(market: Market, tmp_path: Path) -> None:
    run(market)
    (tmp_path / "file").write_text("", "utf-8")
    told = published(market, "--out", tmp_path / "file" / "open")
    assert told.code == CANNOT
    assert market.home.open_runs(DAY, AREA) == []


# ---- the parameters ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("disclosure_policy", {"dutch": "statutory"}, "a policy for each of"),
        ("disclosure_policy", "protected", "a policy for each of"),
        ("disclosure_least_holders", 1, "2 or more"),
        ("disclosure_least_holders", True, "2 or more"),
        ("disclosure_groups", ["XYZ"], "some of SMA"),
        ("disclosure_groups", "SMA", "some of SMA"),
        ("disclosure_dominant_share", "1.5", "cannot be read"),
    ],
)
def test_parameters_that_cannot_be(name: str, value: Any, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parameters.load(DAY, {name: {"values": {datetime(1900, 1, 1).date(): value}}})


def test_open_data_cannot_be_statutory() -> None:
    value = dict.fromkeys(parameters.FAMILIES, "protected")
    value["dutch"] = "statutory"
    own = {"disclosure_policy": {"values": {datetime(1900, 1, 1).date(): value}}}
    assert parameters.load(DAY, own).disclosure_policy["rsm014"] == "protected"
    value["dutch"] = "protected"
    with pytest.raises(ParameterError, match="its receivers need every supplier"):
        parameters.load(DAY, own)
    value["dutch"] = "statutory"
    value["rsm014"] = "open"
    with pytest.raises(ParameterError, match="rsm014: expected statutory or protected"):
        parameters.load(DAY, own)
    value |= {"rsm014": "statutory", "open_data": "statutory"}
    with pytest.raises(ParameterError, match="everybody reads them"):
        parameters.load(DAY, own)


def test_the_market_has_a_policy_for_each_family() -> None:
    policy = parameters.load(DAY).disclosure_policy
    assert policy == {
        "dutch": "statutory",
        "rsm014": "protected",
        "energy_account": "protected",
        "open_data": "protected",
    }
