"""The commands that make and show runs: what they say, where, and how they leave."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from kwartier import Home, runs
from tests.closing import LATER, clock_of, closing, hour, measured
from tests.market import (
    AREA,
    BRP,
    DAY,
    LOSS,
    ONE_DAY,
    OTHER,
    OTHER_AREA,
    OTHER_BRP,
    Market,
    coupling,
    ean,
    point,
    volumes,
)
from tests.test_cli import CANNOT, DONE, WRITTEN_WRONG, tell

NOON = hour(DAY + ONE_DAY, 12)
AT = ("--at", NOON.isoformat())


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.delenv("KWARTIER_LEDGER", raising=False)
    clock_of(monkeypatch)(NOON + 2 * LATER)
    return closing(tmp_path)


@pytest.fixture
def home(market: Market) -> Path:
    return market.home.root


def ran(home: Path, *words: Any) -> list[dict[str, Any]]:
    """Make what is due and give what is told of it, as a program reads it."""
    told = tell("run", "--due", *AT, *words, "--json", "--home", home)
    assert told.code == DONE, told.all
    made: list[dict[str, Any]] = json.loads(told.out)
    return made


# ---- run ----------------------------------------------------------------------------------------
def test_what_is_due_is_made_and_told(home: Path) -> None:
    told = tell("run", "--due", *AT, "--home", home)
    assert told.code == DONE
    (line,) = told.out.splitlines()
    (run,) = runs.ledger_of(Home(home)).runs()
    assert line == (f"{DAY}  {AREA}  D+1         run {run.run}  complete, published as number 1")
    again = tell("run", "--due", *AT, "--home", home)
    assert again.code == DONE
    assert again.out == (
        f"Nothing is due. Next: D+1 of {DAY + ONE_DAY}, at 2026-01-16 11:00:00Z.\n"
    )


def test_what_is_due_as_json(home: Path) -> None:
    (run,) = ran(home)
    expected = {"kind": "D+1", "state": "complete", "publication": 1, "market_day": str(DAY)}
    assert expected.items() <= run.items()
    assert ran(home) == []


def test_nothing_is_due_where_nothing_came(tmp_path: Path) -> None:
    empty = Market(tmp_path)
    empty.register(point())
    told = tell("run", "--due", *AT, "--home", empty.home.root)
    assert told.code == DONE
    assert told.out.startswith("Nothing is due: no quarter volumes were taken in yet")


def test_a_day_is_corrected(home: Path) -> None:
    (first,) = ran(home)
    told = tell("run", "--day", DAY, "--home", home)
    assert told.code == DONE
    assert "correction" in told.out
    assert told.out.endswith("complete, published as number 2\n")
    made = json.loads(tell("run", "--day", DAY, "--json", "--home", home).out)
    assert [(run["publication"], run["kind"]) for run in made] == [(3, "correction")]
    assert made[0]["previous"] != first["run"]


def two_areas(market: Market, *, lost: bool) -> None:
    """Add an area whose loss point was not delivered, or all of it was."""
    other = {"grid_area": OTHER_AREA}
    market.register(point(LOSS, group="NVL", **other))
    market.couplings(coupling(ean(951), **other))
    series = [volumes(ean(951), 500, "E18"), volumes(ean(951), 0)]
    series += [] if lost else [volumes(LOSS, 500)]
    market.volumes(*series, recorded_at=NOON - LATER)


@pytest.mark.parametrize("asked", [("--due", *AT), ("--day", str(DAY))])
@pytest.mark.parametrize("as_json", [False, True])
def test_an_area_that_is_refused_is_told_and_the_others_go_on(
    market: Market, asked: tuple[str, ...], as_json: bool
) -> None:
    two_areas(market, lost=True)
    form = ["--json"] if as_json else []
    told = tell("run", *asked, *form, "--home", market.home.root)
    assert told.code == CANNOT
    (line,) = [part for part in told.err.splitlines() if "refused" in part]
    assert OTHER_AREA in line
    assert "quarter volumes are missing of 1 points or couplings, 96 periods" in line
    if as_json:
        made = {run["grid_area"]: run["state"] for run in json.loads(told.out)}
        assert made == {AREA: "complete", OTHER_AREA: "refused"}
    else:
        (made_line,) = told.out.splitlines()
        assert AREA in made_line
        assert "complete, published as number 1" in made_line


def test_an_area_of_which_a_file_is_lost_is_told_and_the_others_go_on(market: Market) -> None:
    two_areas(market, lost=False)
    for path in (market.home.root / "readings").rglob("*.parquet"):
        path.write_bytes(b"damaged")
    told = tell("run", "--due", *AT, "--home", market.home.root)
    assert told.code == CANNOT
    (line,) = [part for part in told.err.splitlines() if "failed" in part]
    assert AREA in line
    assert "is damaged" in line
    assert OTHER_AREA in told.out


def test_one_area_can_be_asked(market: Market) -> None:
    two_areas(market, lost=True)
    (run,) = ran(market.home.root, "--area", AREA)
    assert (run["grid_area"], run["state"]) == (AREA, "complete")
    told = tell("run", "--due", *AT, "--area", ean(9), "--home", market.home.root)
    assert told.code == CANNOT
    assert "no such grid area; it has: " in told.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run"], "either --due or --day"),
        (["run", "--due", "--day", DAY], "either --due or --day"),
        (["run", "--day", DAY, *AT], "--at goes with --due"),
        (["run", "--due", "--to", DAY], "--to goes with --day"),
        (["run", "--day", DAY, "--to", DAY - ONE_DAY], "--to lies before --day"),
        (["run", "--due", "--at", "2026-01-15 12:00"], "expected a moment"),
        (["run", "--day", "15-01-2026"], "expected a day as"),
        (["runs", "--to", DAY], "--to goes with --day"),
        (["runs", "--last", "0"], "--last"),
        (["show", "allocation"], "either --day or --run"),
        (["show", "allocation", "--day", DAY, "--run", "0123"], "either --day or --run"),
        (["show", "allocation", "--run", "0123", "--area", AREA], "go with --day"),
        (["show", "allocation", "--run", "0123", "--to", DAY], "go with --day"),
        (["export", "allocation", "--out", "sums.csv"], "either --day or --run"),
    ],
)
def test_what_is_written_wrong_is_told(words: list[Any], expected: str, home: Path) -> None:
    told = tell(*words, "--home", home)
    assert told.code == WRITTEN_WRONG
    assert expected in " ".join(told.err.replace("│", " ").split())


# ---- runs ---------------------------------------------------------------------------------------
@pytest.fixture
def chain(market: Market) -> list[dict[str, Any]]:
    """D+1, and a correction after readings of the other party came late."""
    made = ran(market.home.root)
    measured(market, at=NOON + LATER, number=OTHER, wh=200)
    told = tell("run", "--day", DAY, "--json", "--home", market.home.root)
    return made + json.loads(told.out)


def test_runs_are_listed_with_what_they_changed(home: Path, chain: list[dict[str, Any]]) -> None:
    told = tell("runs", "--home", home)
    assert told.code == DONE
    for run in chain:
        assert run["run"][:8] in told.out
    for word in ("D+1", "correction", "complete", "parties", "withdrawn"):
        assert word in told.out
    listed = json.loads(tell("runs", "--json", "--home", home).out)
    assert [run["run"] for run in listed] == [run["run"] for run in chain]
    changed = {(r["brp"], r["group"]): r for r in listed[1]["differences"]}
    # The other party had been estimated, and what it used more was taken from the profiled.
    assert set(changed) == {(OTHER_BRP, "SMA"), (BRP, "PRF")}
    assert changed[OTHER_BRP, "SMA"]["changed_wh"] == changed[BRP, "PRF"]["changed_wh"] > 0
    assert "differences" not in listed[0]  # a first run has none
    last = json.loads(tell("runs", "--last", "1", "--json", "--home", home).out)
    assert [run["run"] for run in last] == [chain[1]["run"]]


def test_runs_of_a_day_and_an_area(market: Market, chain: list[dict[str, Any]]) -> None:
    home = market.home.root
    for words, count in (
        (["--day", DAY], 2),
        (["--day", DAY - ONE_DAY, "--to", DAY + ONE_DAY], 2),
        (["--day", DAY + ONE_DAY], 0),
        (["--area", AREA], 2),
        (["--area", OTHER_AREA], 0),
    ):
        told = tell("runs", *words, "--json", "--home", home)
        assert (told.code, len(json.loads(told.out))) == (DONE, count)
    told = tell("runs", "--day", DAY + ONE_DAY, "--home", home)
    assert told.out == "No runs; 'kwartier allocate' or 'kwartier run' makes them.\n"


def test_one_run_is_shown_with_all_that_is_known_of_it(
    home: Path, chain: list[dict[str, Any]]
) -> None:
    run = chain[1]
    told = tell("runs", "--run", run["run"][:13], "--home", home)
    assert told.code == DONE
    assert f"run {run['run']}  complete, published as number 2" in told.out
    for word in ("claimed", "completed", "readings/market_day=", f"run {chain[0]['run'][:8]}"):
        assert word in told.out
    alone = json.loads(tell("runs", "--run", run["run"], "--json", "--home", home).out)
    assert (alone["run"], alone["previous"]) == (run["run"], chain[0]["run"])
    assert len(alone["differences"]) == 2


def test_a_refused_run_is_shown_with_its_reason(market: Market) -> None:
    two_areas(market, lost=True)
    tell("run", "--due", *AT, "--home", market.home.root)
    (run,) = [r for r in runs.ledger_of(Home(market.home.root)).runs() if r.state == "refused"]
    listed = tell("runs", "--home", market.home.root)
    assert listed.code == DONE
    assert f"{run.run[:8]}: quarter volumes are missing" in listed.out
    told = tell("runs", "--run", run.run, "--home", market.home.root)
    assert "refused: quarter volumes are missing" in told.out
    shown = tell("show", "allocation", "--run", run.run, "--home", market.home.root)
    assert shown.code == CANNOT
    assert f"run {run.run} is refused and has no allocation" in shown.err
    found = tell("show", "findings", "--run", run.run, "--home", market.home.root)
    assert found.code == DONE
    assert "missing_volumes" in found.out


@pytest.mark.parametrize("command", ["runs", "show", "export"])
def test_a_run_that_is_not_there_or_is_one_of_several_is_told(
    command: str, market: Market, chain: list[dict[str, Any]]
) -> None:
    words = {
        "runs": ["runs"],
        "show": ["show", "balance"],
        "export": ["export", "balance", "--out", market.home.root.parent / "out.csv"],
    }[command]
    for asked, expected in (
        ("zzzz", "no run begins with 'zzzz'; the list of runs shows their ids"),
        ("%", "no run begins with '%'"),
        ("", "more than one run begins with ''; give more of the id"),
    ):
        told = tell(*words, "--run", asked, "--home", market.home.root)
        assert told.code == CANNOT
        assert expected in told.err
        assert told.out == ""


# ---- the tables of a run ------------------------------------------------------------------------
def test_the_tables_of_an_earlier_run_are_shown_and_exported(
    home: Path, chain: list[dict[str, Any]], tmp_path: Path
) -> None:
    sums = []
    for run in chain:
        told = tell("show", "allocation", "--run", run["run"][:13], "--json", "--home", home)
        rows = json.loads(told.out)
        sums.append(sum(r["volume_wh"] for r in rows if r["brp"] == OTHER_BRP))
        out = tmp_path / "sums.parquet"
        told = tell("export", "allocation", "--run", run["run"], "--out", out, "--home", home)
        assert told.code == DONE
        assert pq.read_table(out).num_rows == len(rows)
    assert sums[0] != sums[1]
    newest = json.loads(tell("show", "allocation", "--day", DAY, "--json", "--home", home).out)
    assert sum(r["volume_wh"] for r in newest if r["brp"] == OTHER_BRP) == sums[1]


def test_differences_are_shown_and_exported(
    home: Path, chain: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "differences.csv"
    told = tell("export", "differences", "--run", chain[1]["run"], "--out", out, "--home", home)
    assert told.code == DONE
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["brp"], row["group"]) for row in rows} == {(OTHER_BRP, "SMA"), (BRP, "PRF")}
    told = tell("show", "differences", "--run", chain[1]["run"], "--home", home)
    assert told.code == DONE
    assert OTHER_BRP in told.out


# ---- allocate -----------------------------------------------------------------------------------
def test_a_trial_is_told_and_never_published(home: Path) -> None:
    told = tell("allocate", "--day", DAY, "--as-known-at", NOON.isoformat(), "--home", home)
    assert told.code == DONE
    assert "trial" in told.out
    assert "published" not in told.out
    again = tell("allocate", "--day", DAY, "--as-known-at", NOON.isoformat(), "--home", home)
    assert again.out == told.out  # the same run
    afresh = tell(
        "allocate", "--day", DAY, "--as-known-at", NOON.isoformat(), "--afresh", "--home", home
    )
    assert afresh.out == told.out
