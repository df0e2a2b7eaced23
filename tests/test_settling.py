"""PURPOSE: days are settled in a home: versions, differences, what is open, the statement."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kwartier import Home, HomeError, documents, periods, runs, tables
from kwartier.adapters.store import settlements
from kwartier.runs import settling
from tests import homes
from tests.closing import Clock, clock_of, closing, hour, measured, registered
from tests.market import AREA, AUTUMN, BRP, DAY, ONE_DAY, OTHER, OTHER_BRP, SPRING, Market
from tests.test_cli import CANNOT, DONE, REFUSED, WRITTEN_WRONG, tell

TSO = "8716867999983"
AFTER = hour(DAY + ONE_DAY, 13)
IN_TIME = hour(DAY - ONE_DAY, 9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.delenv("KWARTIER_LEDGER", raising=False)
    return clock_of(monkeypatch)


def programmes_of(day: date, **net: int) -> pa.Table:
    n = periods.count(day)
    names = {"mine": BRP, "theirs": OTHER_BRP}
    return pa.table(
        {
            "brp": [names[who] for who in net for _ in range(n)],
            "period_start": pa.array(list(periods.starts(day)) * len(net)).cast(tables.MOMENT),
            "position_wh": [wh for wh in net.values() for _ in range(n)],
        }
    )


def prices_of(day: date, long: str = "30", short: str = "120", but: int = 0) -> pa.Table:
    n = periods.count(day)
    none = [None if at == but else 1 for at in range(1, n + 1)]
    return pa.table(
        {
            "period_start": pa.array(periods.starts(day)).cast(tables.MOMENT),
            **{
                f"price_{name}_eur_per_mwh": pa.array(
                    [Decimal(price) if there else None for there in none], tables.PRICE
                )
                for name, price in (("long", long), ("short", short))
            },
        }
    )


@pytest.fixture
def market(tmp_path: Path, clock: Clock) -> Market:
    """Give a home with an area that closes, programmes, prices and a published run of DAY."""
    made = closing(tmp_path)
    runs.take_programmes(
        made.home, [programmes_of(DAY, mine=-90_000, theirs=-10_000)], recorded_at=IN_TIME
    )
    runs.take_prices(made.home, [prices_of(DAY)], recorded_at=AFTER)
    clock(AFTER)
    assert {run.state for run in runs.correct(made.home, [DAY], threads=1)} == {"complete"}
    return made


def settle(market: Market, at: datetime = AFTER, *days: date) -> list[settling.Outcome]:
    return runs.settle(market.home, days or [DAY], at=at)


def net(home: Home) -> dict[str, list[int]]:
    """Add up the allocation by hand: infeed less offtake of each party and period."""
    sums: dict[str, list[int]] = {}
    for row in runs.result(home, "allocation", [DAY]).to_pylist():
        of = sums.setdefault(row["brp"], [0] * 96)
        sign = 1 if row["direction"] == "E18" else -1
        of[row["position"] - 1] += sign * row["volume_wh"]
    return sums


def expected(home: Home, plans: dict[str, int]) -> dict[str, Decimal]:
    """Settle the day by hand, by period: Decimal all the way."""
    found = {}
    for brp, volumes in net(home).items():
        total = Decimal(0)
        for volume in volumes:
            off = Decimal(volume - plans[brp]) / 1_000_000
            total += off * (30 if off > 0 else 120)
        found[brp] = total.quantize(Decimal("0.01"))
    return found


PLANS = {BRP: -90_000, OTHER_BRP: -10_000}


def charges(home: Home, day: date = DAY) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = runs.settled(home, "settlement", [day]).to_pylist()
    return rows


# ---- one settlement -----------------------------------------------------------------------------
def test_a_day_is_settled_as_by_hand_and_adds_up_to_nothing(market: Market) -> None:
    (outcome,) = settle(market)
    assert (outcome.state, outcome.kind, outcome.version) == ("settled", "preliminary", 1)
    imbalance = runs.settled(market.home, "imbalance", [DAY])
    assert imbalance.schema.names == tables.IMBALANCE.names
    for at in range(1, 97):
        rows = [row for row in imbalance.to_pylist() if row["position"] == at]
        assert sum(row["amount_eur"] for row in rows) == 0
        assert {row["status"] for row in rows} == {"settled"}
    due = expected(market.home, PLANS)
    made = charges(market.home)
    assert {row["brp"]: row["charged_eur"] for row in made} == due | {TSO: -sum(due.values())}
    assert all(row["total_eur"] == row["charged_eur"] for row in made)


def test_settling_again_changes_nothing_until_something_changed(market: Market) -> None:
    settle(market)
    before = homes.contents(market.home.root)
    (again,) = settle(market, AFTER + timedelta(hours=5))
    assert (again.state, again.version) == ("unchanged", 1)
    assert homes.contents(market.home.root) == before


def test_the_same_settlement_made_in_two_homes_is_the_same_bytes(
    market: Market, tmp_path: Path, clock: Clock
) -> None:
    other = tmp_path / "copy"
    shutil.copytree(market.home.root, other)
    settle(market)
    runs.settle(Home(other), [DAY], at=AFTER)
    first, second = (
        {name: content for name, content in homes.contents(root).items() if "settlements" in name}
        for root in (market.home.root, other)
    )
    assert first == second
    assert len(first) == 4


# ---- versions -----------------------------------------------------------------------------------
def test_a_correction_charges_only_the_difference(market: Market, clock: Clock) -> None:
    settle(market)
    first = expected(market.home, PLANS)
    later = clock(AFTER + 2 * ONE_DAY)
    measured(market, at=later, number=OTHER, wh=175)
    clock(later + timedelta(hours=1))
    runs.correct(market.home, [DAY], threads=1)
    (outcome,) = settle(market, later + timedelta(hours=1))
    assert (outcome.state, outcome.version) == ("settled", 2)
    afresh = expected(market.home, PLANS)
    assert afresh != first
    rows = charges(market.home)
    for brp in PLANS:
        mine = [row for row in rows if row["brp"] == brp]
        assert [row["charged_eur"] for row in mine] == [first[brp], afresh[brp] - first[brp]]
        assert [row["before_eur"] for row in mine] == [0, first[brp]]
    for version in (1, 2):
        assert sum(row["charged_eur"] for row in rows if row["version"] == version) == 0


def test_a_day_is_preliminary_then_final_then_of_the_difference_then_closed(
    market: Market, clock: Clock
) -> None:
    # The 10th working day after Wednesday 14 January is Wednesday the 28th, from its midnight on.
    final = datetime(2026, 1, 27, 23, tzinfo=UTC)
    kinds = []
    for at in (AFTER, final - timedelta(seconds=1), final, final + ONE_DAY):
        (outcome,) = settle(market, at)
        kinds.append((outcome.state, outcome.kind, outcome.version))
    assert kinds == [
        ("settled", "preliminary", 1),
        ("unchanged", "preliminary", 1),
        ("settled", "final", 2),
        ("unchanged", "final", 2),
    ]
    assert {row["charged_eur"] for row in charges(market.home) if row["version"] == 2} == {0}
    runs.take_prices(market.home, [prices_of(DAY, short="121")], recorded_at=final + 2 * ONE_DAY)
    end = datetime(2026, 5, 31, 22, tzinfo=UTC)  # local midnight of 1 June
    (last,) = settle(market, end - timedelta(seconds=1))
    assert (last.state, last.kind, last.version) == ("settled", "difference", 3)
    (closed,) = settle(market, end)
    assert (closed.state, closed.version) == ("refused", 0)
    assert "4 months" in closed.reason


def test_settlements_are_made_in_order(market: Market) -> None:
    settle(market)
    with pytest.raises(HomeError, match="settle in order"):
        settle(market, AFTER - timedelta(seconds=1))


def test_what_was_charged_is_not_opened_again(market: Market) -> None:
    settle(market)
    empty = prices_of(DAY, but=7)
    runs.take_prices(market.home, [empty], recorded_at=AFTER + timedelta(hours=1))
    (outcome,) = settle(market, AFTER + timedelta(hours=2))
    assert outcome.state == "refused"
    assert "period 7" in outcome.reason
    assert len(market.home.settlements()) == 1


def test_a_new_party_without_programme_does_not_hold_up_the_others(
    market: Market, clock: Clock
) -> None:
    settle(market)
    later = clock(AFTER + timedelta(hours=1))
    received(market, "N111", "m1", "r1", {"8712423010208": 1_000}, later)
    factors(market, "f1", "r1", later)
    (outcome,) = settle(market, later)
    assert (outcome.state, outcome.version, outcome.open_periods) == ("settled", 2, 96)
    assert {row["charged_eur"] for row in charges(market.home) if row["version"] == 2} == {0}


def test_the_tso_is_no_party(market: Market) -> None:
    received(market, "N111", "m1", "r1", {TSO: 1_000}, AFTER)
    factors(market, "f1", "r1")
    (outcome,) = settle(market)
    assert (outcome.state, outcome.reason[:7]) == ("refused", "the TSO")


# ---- what is open -------------------------------------------------------------------------------
def test_a_missing_price_is_open_until_it_comes(tmp_path: Path, clock: Clock) -> None:
    market = closing(tmp_path)
    runs.take_programmes(
        market.home, [programmes_of(DAY, mine=-90_000, theirs=-10_000)], recorded_at=IN_TIME
    )
    runs.take_prices(market.home, [prices_of(DAY, but=7)], recorded_at=AFTER)
    runs.correct(market.home, [DAY], threads=1)
    (first,) = settle(market)
    assert (first.state, first.open_periods) == ("settled", 2)
    runs.take_prices(market.home, [prices_of(DAY)], recorded_at=AFTER + timedelta(hours=1))
    (second,) = settle(market, AFTER + timedelta(hours=2))
    assert (second.version, second.open_periods) == (2, 0)
    due = expected(market.home, PLANS)
    for brp in PLANS:
        assert sum(r["charged_eur"] for r in charges(market.home) if r["brp"] == brp) == due[brp]


def test_a_party_without_programme_is_open_and_found(tmp_path: Path, clock: Clock) -> None:
    market = closing(tmp_path)
    runs.take_programmes(market.home, [programmes_of(DAY, mine=-90_000)], recorded_at=IN_TIME)
    runs.take_prices(market.home, [prices_of(DAY)], recorded_at=AFTER)
    runs.correct(market.home, [DAY], threads=1)
    (outcome,) = settle(market)
    assert outcome.open_periods == 96
    (found,) = runs.settled(market.home, "settlement_findings", [DAY]).to_pylist()
    assert (found["rule"], found["brp"]) == ("no_programme", OTHER_BRP)


def test_a_day_without_a_run_is_left_open_with_the_reason(tmp_path: Path, clock: Clock) -> None:
    market = closing(tmp_path)
    (outcome,) = settle(market)
    assert (outcome.state, outcome.reason) == ("open", f"grid area {AREA}: it has no run")
    assert market.home.settlements() == []
    with pytest.raises(HomeError, match="was not settled"):
        runs.settled(market.home, "imbalance", [DAY])


def test_a_day_of_which_an_area_was_refused_is_left_open(tmp_path: Path, clock: Clock) -> None:
    market = Market(tmp_path)
    registered(market)
    measured(market)
    assert [run.state for run in runs.correct(market.home, [DAY], threads=1)] == ["refused"]
    (outcome,) = settle(market)
    assert outcome.state == "open"
    assert outcome.reason.startswith(f"grid area {AREA}: its run was refused: ")


def test_an_area_that_the_parameter_names_may_not_be_missing(market: Market) -> None:
    other = "871687120000052782"
    market.parameters(
        f"settlement_areas:\n  values: {{1900-01-01: ['{AREA}', '{other}']}}\n",
        recorded_at=AFTER,
    )
    (outcome,) = settle(market)
    assert (outcome.state, outcome.reason) == ("open", f"grid area {other}: it has no run")


def test_a_day_that_is_not_over_is_open(market: Market) -> None:
    (outcome,) = settle(market, hour(DAY, 22))
    assert (outcome.state, outcome.reason) == ("open", "the day is not over")


def test_a_settlement_knows_only_what_was_known_then(market: Market) -> None:
    runs.take_prices(market.home, [prices_of(DAY, short="999")], recorded_at=AFTER + ONE_DAY)
    settle(market)
    due = expected(market.home, PLANS)
    assert {r["brp"]: r["charged_eur"] for r in charges(market.home)}[BRP] == due[BRP]


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_days_on_which_the_clock_changes_are_settled_whole(
    tmp_path: Path, clock: Clock, day: date
) -> None:
    market = closing(tmp_path, day)
    before, after = hour(day - ONE_DAY, 9), hour(day + ONE_DAY, 13)
    plan = programmes_of(day, mine=-90_000, theirs=-10_000)
    runs.take_programmes(market.home, [plan], recorded_at=before)
    runs.take_prices(market.home, [prices_of(day)], recorded_at=after)
    clock(after)
    runs.correct(market.home, [day], threads=1)
    (outcome,) = settle(market, after, day)
    assert (outcome.state, outcome.open_periods) == ("settled", 0)
    assert {row["periods_settled"] for row in charges(market.home, day)} == {periods.count(day)}
    assert runs.settled(market.home, "imbalance", [day]).num_rows == 3 * periods.count(day)


# ---- areas of other operators -------------------------------------------------------------------
OPERATOR, ELSEWHERE = "8716871000002", "871687120000052782"


def received(
    market: Market,
    process: str,
    name: str,
    run: str,
    volumes: dict[str, int],
    at: datetime,
    refused: bool = False,
) -> None:
    """Keep a document of another operator as it is kept when it comes in: offtake of parties."""
    series = [
        documents.Series(
            id=f"{name}-{brp}",
            run=run,
            grid_area=ELSEWHERE,
            group={"N102": "TMT", "N111": "SMA", "N151": "PRF"}[process],
            quantity=np.full(96, wh, np.int64),
            **({"direction": "E17", "brp": brp} if brp else {"unit": documents.FACTOR}),
        )
        for brp, wh in volumes.items()
    ]
    roles = {"sender": OPERATOR, "sender_role": "DDM", "receiver": TSO, "receiver_role": "EZ"}
    created = int(at.timestamp())
    document = documents.Document(
        process=process, id=name, created_at=created, market_day=DAY, series=series, **roles
    )
    place = f"received/market_day={DAY}/{name}.parquet"
    entry = market.home.add(documents.table([document]), place)
    said = {"market_day": str(DAY), "runs": [[run, ELSEWHERE]]}
    said |= {"process": process, "created_at": created}
    files = [] if refused else [entry]
    inputs = [{"name": name}]
    market.home.deliver("received", created, id=name, inputs=inputs, files=files, **said)


def factors(market: Market, name: str, run: str, at: datetime = AFTER) -> None:
    """Keep the factors of a run of another operator, which come last."""
    received(market, "N151", name, run, {"": 100_000}, at)


def test_what_another_operator_sent_is_settled_with_ones_own_runs(market: Market) -> None:
    received(market, "N111", "m1", "r1", {BRP: 1_000}, AFTER)
    received(market, "N102", "m2", "r1", {OTHER_BRP: 500}, AFTER)
    factors(market, "f1", "r1")
    settle(market)
    own = net(market.home)
    rows = runs.settled(market.home, "imbalance", [DAY]).to_pylist()
    for brp, more in ((BRP, 1_000), (OTHER_BRP, 500)):
        mine = [row["allocated_wh"] for row in rows if row["brp"] == brp]
        assert mine == [volume - more for volume in own[brp]]


def test_of_what_was_sent_the_latest_run_counts_and_must_be_whole(market: Market) -> None:
    received(market, "N111", "m1", "r1", {BRP: 1_000}, AFTER)
    received(market, "N102", "m2", "r1", {OTHER_BRP: 500}, AFTER)
    factors(market, "f1", "r1")
    later = AFTER + timedelta(hours=1)
    received(market, "N111", "m3", "r2", {BRP: 7}, later)
    (half,) = settle(market, later)
    assert half.state == "open"
    assert (
        half.reason
        == f"grid area {ELSEWHERE}: its documents are not all of the run of its factors (N151)"
    )
    received(market, "N102", "m4", "r2", {OTHER_BRP: 9}, later + timedelta(hours=1))
    factors(market, "f2", "r2", later + timedelta(hours=1))
    (whole,) = settle(market, later + timedelta(hours=1))
    assert whole.state == "settled"
    rows = runs.settled(market.home, "imbalance", [DAY]).to_pylist()
    own = net(market.home)
    assert [r["allocated_wh"] for r in rows if r["brp"] == BRP] == [v - 7 for v in own[BRP]]


def test_a_run_of_which_not_all_came_is_not_taken_for_the_whole(market: Market) -> None:
    """What is missing is not nothing: the factors come last, and until they did nothing counts."""
    received(market, "N111", "m1", "r1", {BRP: 1_000}, AFTER)
    (half,) = settle(market)
    assert (half.state, "its factors (N151) did not come" in half.reason) == ("open", True)
    factors(market, "f1", "r1")
    assert settle(market)[0].state == "settled"


def test_a_run_of_which_a_document_was_refused_is_not_settled(market: Market) -> None:
    received(market, "N111", "m1", "r1", {BRP: 1_000}, AFTER)
    received(market, "N102", "m2", "r1", {OTHER_BRP: 500}, AFTER, refused=True)
    factors(market, "f1", "r1")
    (less,) = settle(market)
    assert (less.state, "document m2 of it was refused" in less.reason) == ("open", True)
    # A correction is a whole new run; what was refused of the earlier one no longer matters.
    later = AFTER + timedelta(hours=1)
    received(market, "N111", "m3", "r2", {BRP: 7}, later)
    received(market, "N102", "m4", "r2", {OTHER_BRP: 9}, later)
    factors(market, "f2", "r2", later)
    assert settle(market, later)[0].state == "settled"


def test_what_came_after_the_moment_or_to_another_does_not_count(market: Market) -> None:
    received(market, "N111", "m1", "r1", {BRP: 1_000}, AFTER + timedelta(hours=1))
    (outcome,) = settle(market)
    assert outcome.state == "settled"
    assert outcome.charged_eur == sum(abs(v) for v in expected(market.home, PLANS).values())


# ---- killed -------------------------------------------------------------------------------------
def test_a_settlement_exists_once_its_manifest_does(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(settlements, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            settle(market)
    assert market.home.settlements() == []
    (outcome,) = settle(market, AFTER + timedelta(hours=1))
    assert (outcome.state, outcome.version) == ("settled", 1)
    named = {file["path"] for made in market.home.settlements() for file in made["files"]}
    there = {
        path
        for path in homes.contents(market.home.root)
        if path.startswith("settlements/") and path.endswith(".parquet")
    }
    assert named == there


# ---- the command line, the statement and the documents ------------------------------------------
def test_settle_tells_each_day_and_leaves_with_an_error_where_one_is_open(market: Market) -> None:
    words = ("settle", "--day", DAY, "--at", AFTER.isoformat(), "--home", market.home.root)
    told = tell(*words)
    assert told.code == DONE, told.all
    assert told.out.startswith(f"{DAY}  version 1, preliminary: 2 parties, EUR ")
    assert tell(*words).out == f"{DAY}  unchanged since version 1, preliminary\n"
    both = tell(*words[:3], "--to", DAY + ONE_DAY, *words[3:], "--json")
    assert both.code == CANNOT
    assert [one["state"] for one in json.loads(both.out)] == ["unchanged", "open"]
    assert f"{DAY + ONE_DAY}  open: " in both.err


def test_what_was_settled_is_shown_and_exported(market: Market, tmp_path: Path) -> None:
    settle(market)
    on = ("--day", DAY, "--home", market.home.root)
    shown = tell("show", "settlement", *on)
    assert shown.code == DONE, shown.all
    assert "charged EUR" in shown.out
    for table in ("imbalance", "settlement_findings"):
        assert tell("show", table, *on).code == DONE
    rows = json.loads(tell("show", "imbalance", *on, "--json").out)
    assert sum(Decimal(row["amount_eur"]) for row in rows) == 0
    out = tmp_path / "imbalance.csv"
    assert tell("export", "imbalance", "--out", out, *on).code == DONE
    with out.open(encoding="utf-8") as file:
        written = [Decimal(row["amount_eur"]) for row in csv.DictReader(file)]
    assert written == [Decimal(row["amount_eur"]) for row in rows]
    assert tell("show", "imbalance", "--run", "1", "--home", market.home.root).code == WRITTEN_WRONG
    unsettled = tell("show", "imbalance", "--day", DAY + ONE_DAY, "--home", market.home.root)
    assert unsettled.code == CANNOT


@pytest.mark.parametrize(
    "words",
    [
        ("settle",),
        ("settle", "--day", "2026-13-01"),
        ("settle", "--day", "2026-01-14", "--to", "2026-01-13"),
        ("settle", "--day", "2026-01-14", "--at", "2026-01-15T00:00"),
        ("statement", "--brp", BRP, "--month", "2026-1", "--out", "x"),
        ("statement", "--month", "2026-01", "--out", "x"),
        ("programmes",),
    ],
)
def test_a_command_that_is_written_wrong(words: tuple[Any, ...], tmp_path: Path) -> None:
    Home(tmp_path / "home", create=True)
    assert tell(*words, "--home", tmp_path / "home").code == WRITTEN_WRONG


def test_late_programmes_and_broken_prices_are_told(tmp_path: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "rows.csv"
    path.write_text(f"brp,period_start,position_wh\n{BRP},2026-01-14T00:00Z,5\n", "utf-8")
    late = ("programmes", path, "--home", home, "--recorded-at", "2026-01-13T13:00:01Z")
    told = tell(*late)
    assert told.code == CANNOT
    assert "1 rows in, 0 kept" in told.out
    assert told.err == (
        f"{BRP}, programme of 2026-01-14: refused, it came at 2026-01-13 13:00:01Z; the deadline "
        "was 2026-01-13 13:00:00Z\n"
    )
    broken = tell("prices", path, "--home", home)
    assert broken.code == REFUSED
    assert "unknown columns" in broken.err or "unknown column" in broken.err
    kept = tell(
        "programmes", path, "--home", home, "--recorded-at", "2026-01-13T13:00:00Z", "--json"
    )
    assert json.loads(kept.out)["rows_kept"] == 1


def test_the_statement_is_a_page_every_number_as_csv_and_a_document(
    market: Market, tmp_path: Path
) -> None:
    settle(market)
    out = tmp_path / "out"
    words = ("statement", "--brp", BRP, "--out", out, "--home", market.home.root, "--month")
    told = tell(*words, "2026-01")
    assert told.code == DONE, told.all
    page = (out / f"{BRP}-2026-01.html").read_text("utf-8")
    assert "{{" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    with (out / f"{BRP}-2026-01-quarters.csv").open(encoding="utf-8") as file:
        quarters = list(csv.DictReader(file))
    with (out / f"{BRP}-2026-01-charges.csv").open(encoding="utf-8") as file:
        (charge,) = csv.DictReader(file)
    assert len(quarters) == 96
    exact = sum(Decimal(row["amount_eur"]) for row in quarters)
    assert exact.quantize(Decimal("0.01")) == Decimal(charge["charged_eur"])
    # The document of the day tells the same, and a receiver takes it.
    received = tmp_path / "in"
    received.mkdir()
    (document,) = out.glob("*.xml")
    assert document.name == f"{BRP}-{DAY}-imbalance.xml"
    shutil.copy(document, received)
    party = Home(tmp_path / "party", create=True)
    (came,) = runs.receive_folder(party, received, runs.Us(BRP, "DDK"), at=AFTER)
    assert came.accepted, came.reasons
    (kept,) = documents.from_table(runs.received(party, DAY))
    short, long = (series.quantity for series in kept.series)
    assert (long - short).tolist() == [int(row["imbalance_wh"]) for row in quarters]
    assert not kept.final
    assert tell(*words, "2026-02").code == CANNOT
    nobody = tell(*("statement", "--brp", "8712423010208", "--out", out, "--home"),
                  market.home.root, "--month", "2026-01")  # fmt: skip
    assert nobody.code == CANNOT


def test_each_party_is_told_its_imbalance_in_a_document(market: Market) -> None:
    settle(market)
    told = runs.imbalance_reports(market.home, DAY)
    assert [document.receiver for document in told] == sorted(PLANS)
    for document in told:
        short, long = (series.quantity for series in document.series)
        volumes = net(market.home)[document.receiver]
        off = [volume - PLANS[document.receiver] for volume in volumes]
        assert (long - short).tolist() == off
    assert runs.imbalance_reports(market.home, DAY) == told
