"""What a published run tells each party: all of it, no more than its own, and no customer."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import pyarrow as pa
import pytest

from kwartier import codes, documents, runs
from kwartier.adapters.ledger import Run
from kwartier.apps import screen
from kwartier.codecs import dutch
from kwartier.documents import Document
from kwartier.steps import addressing
from kwartier.steps.addressing import DUTCH, ENERGY_ACCOUNT, RSM014, Receiver, Released
from tests.closing import Clock, clock_of, closing, due, hour
from tests.market import (
    BRP,
    DAY,
    LOSS,
    ONE_DAY,
    OTHER_BRP,
    OTHER_SUPPLIER,
    POINT,
    SUPPLIER,
    TELEMETRY,
    Market,
    ean,
    lighting,
    point,
    volumes,
)

NOON = hour(DAY + ONE_DAY, 12)
OPERATOR, TSO = "8716871000002", "8716867999983"
EVERY = (DUTCH, RSM014, ENERGY_ACCOUNT)
RECEIVERS = (
    Receiver(BRP, documents.BALANCE_RESPONSIBLE, EVERY),
    Receiver(OTHER_BRP, documents.BALANCE_RESPONSIBLE, EVERY),
    Receiver(TSO, documents.SYSTEM_OPERATOR, EVERY),
    Receiver("8716916000004", documents.BALANCE_RESPONSIBLE, EVERY),  # has nothing in the area
)
LAMPS = (ean(30), ean(31), ean(32))
N = 96


def identify(*words: str) -> str:
    return str(uuid5(NAMESPACE_OID, "/".join(words)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return clock_of(monkeypatch)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    """An area of two parties, with points of every group."""
    market = closing(tmp_path)
    lamps = {"dimensioned_profile": "lamps", "profile_category": "E4A"}
    market.register(
        *(
            point(number, group="DIM", annual_offtake_normal_wh=10_000_007 * k, **lamps)
            for k, number in enumerate(LAMPS, start=1)
        ),
        point(LOSS, group="NVL", loss_type="NVB", market_segment="GVB"),
    )
    market.fractions(lighting("lamps", 2_851))
    market.volumes(volumes(LOSS, 777), recorded_at=hour(DAY + ONE_DAY, 6))
    return market


def released(market: Market, run: Run) -> Released:
    def of(name: str) -> pa.Table:
        return runs.of_run(market.home, run, name)

    exact = of("allocation")
    return Released(
        *(run.market_day, run.grid_area, run.run, 1_800_000_000 + run.number, OPERATOR),
        documents.OPERATOR,
        exact,
        exact,
        of("individual"),
        of("residual"),
        of("fractions"),
    )


def told(market: Market, run: Run) -> list[tuple[str, Document]]:
    return list(addressing.address(released(market, run), RECEIVERS, identify))


def of(made: list[tuple[str, Document]], process: str, receiver: str) -> Document:
    (found,) = [d for _, d in made if (d.process, d.receiver) == (process, receiver)]
    return found


def processes(made: list[tuple[str, Document]], receiver: str) -> set[str]:
    return {d.process for _, d in made if d.receiver == receiver}


def sums(table: pa.Table, *names: str) -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for row in table.to_pylist():
        key = tuple(row[name] or "" for name in names)
        found.setdefault(key, [0] * N)[row["position"] - 1] += row["volume_wh"]
    return found


def test_each_party_is_told_its_own_and_the_tso_of_every_party(
    market: Market, clock: Clock
) -> None:
    (run,) = due(market, NOON)
    assert run.state == "complete", run.reason
    made = told(market, run)
    assert processes(made, BRP) == {"N111", "N121", "N132", "N131", "N142", "N141", "N151"} | {
        documents.AGGREGATED_MEASURED,
        documents.ENERGY_ACCOUNT,
    }
    assert processes(made, OTHER_BRP) >= {"N101", "N102", "N111", "N151"}
    assert processes(made, TSO) >= {"N101", "N102", "N111", "N121", "N132", "N142", "N151"}
    assert not processes(made, TSO) & {"N131", "N141"}
    assert not processes(made, RECEIVERS[3].party)
    assert {d.sender for _, d in made} == {OPERATOR}
    allocation = runs.of_run(market.home, run, "allocation")
    exact = sums(allocation, "brp", "supplier", "group", "direction")
    for party, role in ((BRP, "supplier"), (OTHER_BRP, "supplier"), (TSO, "brp")):
        found: dict[tuple[str, ...], list[int]] = {}
        for process in documents.AGGREGATED:
            if process not in processes(made, party):
                continue
            for one in of(made, process, party).series:
                assert bool(one.supplier) == (role == "supplier")
                assert one.point == ""
                key = (one.brp, one.supplier, one.group, one.direction)
                total = np.array(found.get(key, [0] * N)) + one.quantity
                found[key] = total.tolist()
        expected = exact if party == TSO else {k: v for k, v in exact.items() if k[0] == party}
        if party == TSO:
            expected = sums(allocation, "brp", "group", "direction")
            expected = {(b, "", g, d): wh for (b, g, d), wh in expected.items()}
        assert {k: v for k, v in found.items() if any(v)} == {
            k: v for k, v in expected.items() if any(v)
        }


def test_smart_meters_have_all_four_series_of_each_party(market: Market, clock: Clock) -> None:
    (run,) = due(market, NOON)
    made = told(market, run)
    for party in (BRP, OTHER_BRP):
        series = of(made, "N111", party).series
        assert [(s.direction, s.origin) for s in series] == [
            ("E17", "CLC"),
            ("E17", "MSR"),
            ("E18", "CLC"),
            ("E18", "MSR"),
        ]
    assert len(of(made, "N111", TSO).series) == 8
    # A point without infeed has no profile series of it, for nobody is active on one.
    assert {s.direction for s in of(made, "N121", BRP).series} == {"E17"}


def test_no_point_of_a_small_customer_is_in_any_document(market: Market, clock: Clock) -> None:
    (run,) = due(market, NOON)
    points = {s.point for _, d in told(market, run) for s in d.series if s.point}
    individual = runs.of_run(market.home, run, "individual")
    assert points == {codes.ean(n) for n in individual["accounting_point"].to_pylist()}
    assert codes.ean(POINT) not in points
    assert codes.ean(TELEMETRY) in points
    assert len(points) == 5


def test_lamps_add_up_to_their_party_to_the_wh(market: Market, clock: Clock) -> None:
    (run,) = due(market, NOON)
    made = told(market, run)
    each, whole = of(made, "N141", BRP), of(made, "N142", BRP)
    assert len(each.series) == 3
    total = sum(s.quantity for s in each.series)
    assert isinstance(total, np.ndarray)
    (offtake,) = [s for s in whole.series if s.direction == "E17"]
    assert total.tolist() == offtake.quantity.tolist()
    assert total.sum() > 0
    assert {s.origins for s in each.series} == {("CLC",) * N}


def test_factors_and_fractions_are_those_of_the_area(market: Market, clock: Clock) -> None:
    (run,) = due(market, NOON)
    document = of(told(market, run), "N151", OTHER_BRP)
    (factor,) = [s for s in document.series if s.unit == documents.FACTOR]
    residual = runs.of_run(market.home, run, "residual")
    assert factor.quantity.tolist() == residual["factor"].to_pylist()
    assert (factor.direction, factor.brp, factor.version) == ("", "", document.created_at)
    fractions = [s for s in document.series if s.unit == documents.FRACTION]
    assert {(s.profile_category, s.consumption_type, s.direction) for s in fractions} == {
        (row["profile_category"], row["consumption_type"], row["direction"])
        for row in runs.of_run(market.home, run, "fractions").to_pylist()
    }


def test_the_account_tells_production_consumption_and_losses(market: Market, clock: Clock) -> None:
    (run,) = due(market, NOON)
    series = of(told(market, run), documents.ENERGY_ACCOUNT, TSO).series
    keys = Counter((s.brp, s.group, s.direction) for s in series)
    assert set(keys.values()) == {1}
    assert {s.supplier for s in series} == {""}
    allocation = runs.of_run(market.home, run, "allocation").to_pylist()
    losses = sum(row["volume_wh"] for row in allocation if row["group"] == "NVL")
    assert sum(int(s.quantity.sum()) for s in series if s.group == "NVL") == losses == 777 * N
    offtake = sum(row["volume_wh"] for row in allocation if row["direction"] == "E17")
    assert sum(int(s.quantity.sum()) for s in series if s.direction == "E17") == offtake


def test_ids_name_what_they_are_of(market: Market, clock: Clock) -> None:
    (run,) = due(market, NOON)
    made, again = told(market, run), told(market, run)
    assert made == again
    ids = [d.id for _, d in made] + [s.id for _, d in made for s in d.series]
    assert len(set(ids)) == len(ids)


def test_who_went_away_is_told_zeros_and_the_factors(market: Market, clock: Clock) -> None:
    due(market, NOON)
    switched = {"brp": BRP, "supplier": SUPPLIER, "valid_from": DAY}
    market.register(
        point(TELEMETRY, group="TMT", **switched), recorded_at=NOON + timedelta(hours=1)
    )
    for n in (2, 3):
        clock(NOON + timedelta(hours=n))
        (run,) = runs.correct(market.home, [DAY], threads=1)
        made = told(market, run)
        for process in ("N101", "N102"):
            series = of(made, process, OTHER_BRP).series
            assert series
            assert not any(s.quantity.any() for s in series)
        assert of(made, "N151", OTHER_BRP).series
        theirs = {s.point: int(s.quantity.sum()) for s in of(made, "N101", BRP).series}
        assert theirs[codes.ean(TELEMETRY)] > 0
        assert OTHER_SUPPLIER not in {s.supplier for s in of(made, "N101", BRP).series}


def test_individual_points_are_exported_a_row_a_period(
    market: Market, clock: Clock, tmp_path: Path
) -> None:
    due(market, NOON)
    rows = runs.result(market.home, "individual", [DAY])
    out = tmp_path / "individual.csv"
    screen.export(rows, out)
    with out.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == rows.num_rows * N
    mine = [row for row in written if row["accounting_point"] == codes.ean(LOSS)]
    assert [row["position"] for row in mine] == [str(t) for t in range(1, N + 1)]
    assert {(row["volume_wh"], row["origin"], row["method"]) for row in mine} == {
        ("777", "MSR", "")
    }


def test_every_dutch_document_is_written_and_read_as_it_is(market: Market, clock: Clock) -> None:
    (run,) = due(market, NOON)
    written = [d for form, d in told(market, run) if form == DUTCH]
    assert {d.process for d in written} == set(documents.PROCESSES)
    assert [dutch.read(dutch.write(document)) for document in written] == written


def test_documents_of_the_last_run_of_the_calendar_are_final(market: Market, clock: Clock) -> None:
    (run,) = due(market, NOON)
    for final in (False, True):
        what = replace(released(market, run), final=final)
        made = addressing.address(what, RECEIVERS, identify)
        assert {document.final for _, document in made} == {final}
