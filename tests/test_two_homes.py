"""An operator's readings to the TSO's settlement, through real documents between two homes."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pytest

from kwartier import Home, codes, documents, parameters, runs
from kwartier.codecs import FORMATS
from kwartier.documents import Reason
from kwartier.runs import send, take_parties
from kwartier.runs.receiving import Server, Us, receive_folder
from kwartier.steps import audit, settlement
from tests.closing import clock_of, closing, due, hour
from tests.exchanges import TSO, US, parties
from tests.market import BRP, DAY, ONE_DAY, OTHER_BRP, Market
from tests.pki import Authority
from tests.test_settlement_rules import position
from tests.test_settling import IN_TIME, net, prices_of, programmes_of

NOON = hour(DAY + ONE_DAY, 12)
SENT = hour(DAY + ONE_DAY, 14)


def receivers_of_every_format(operator: Market, folder: Path) -> None:
    """Let a party and the TSO receive each family of documents."""
    file = parties(folder, BRP, TSO)
    every = file.read_text("utf-8").replace("[dutch]", "[dutch, rsm014, energy_account]")
    file.write_text(every, "utf-8")
    take_parties(operator.home, file, recorded_at=hour(DAY, 0))


def test_the_tso_settles_what_an_operator_sent_as_the_operator_allocated_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_of(monkeypatch)
    operator = closing(tmp_path)
    take_parties(operator.home, parties(tmp_path, BRP, TSO), recorded_at=hour(DAY, 0))
    (run,) = due(operator, NOON)
    assert run.state == "complete", run.reason
    # Few are behind every sum of so small an area, and nothing of the sums is changed for it.
    told = runs.of_run(operator.home, run, "disclosure").to_pylist()
    assert {row["attackable"] for row in told} == {False}
    send(operator.home, at=SENT)

    tso = Home(tmp_path / "tso", create=True)
    came = list(
        receive_folder(tso, tmp_path / "received" / TSO, Us(TSO, "EZ"), at=SENT + timedelta(0, 60))
    )
    assert {one.process for one in came} >= {"N102", "N111", "N121", "N151"}
    assert all(one.accepted for one in came)
    plans = programmes_of(DAY, mine=-90_000, theirs=-10_000)
    runs.take_programmes(tso, [plans], recorded_at=IN_TIME)
    runs.take_prices(tso, [prices_of(DAY)], recorded_at=SENT)
    (outcome,) = runs.settle(tso, [DAY], at=SENT + timedelta(hours=1))
    assert (outcome.state, outcome.open_periods) == ("settled", 0), outcome.reason
    allocated: dict[str, list[int]] = {}
    for row in runs.settled(tso, "imbalance", [DAY]).to_pylist():
        if row["brp"] in (BRP, OTHER_BRP):
            allocated.setdefault(row["brp"], []).append(row["allocated_wh"])
    assert allocated == net(operator.home)
    # What is charged is that of a settlement in the operator's own home.
    runs.take_programmes(operator.home, [plans], recorded_at=IN_TIME)
    runs.take_prices(operator.home, [prices_of(DAY)], recorded_at=SENT)
    (own,) = runs.settle(operator.home, [DAY], at=SENT + timedelta(hours=1))
    assert own.charged_eur == outcome.charged_eur


def test_documents_of_every_format_are_sent_received_and_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_of(monkeypatch)
    operator = closing(tmp_path)
    receivers_of_every_format(operator, tmp_path)
    (run,) = due(operator, NOON)
    assert run.state == "complete", run.reason
    letters = runs.ledger_of(operator.home).outbox.messages()
    formats = {(one.receiver, one.format) for one in letters}
    assert formats == {
        (party, name) for party in (BRP, TSO) for name in ("dutch", "rsm014", "energy_account")
    }
    send(operator.home, at=SENT)
    homes = {}
    for us in (Us(BRP, "DDK"), Us(TSO, "EZ")):
        home = homes[us.party] = Home(tmp_path / us.party, create=True)
        folder, at = tmp_path / "received" / us.party, SENT + timedelta(0, 60)
        came = list(receive_folder(home, folder, us, at=at))
        assert {one.process for one in came} >= {"N111", "N121", "N151", "E31", "A11"}
        assert all(one.accepted for one in came), [one.reasons for one in came]
    told = send(operator.home, at=SENT + timedelta(0, 120))
    assert not told.not_taken
    messages = runs.ledger_of(operator.home).outbox.messages()
    assert {one.state for one in messages} == {"acknowledged"}
    # Each family says the same of a party, in sums that are more or less fine.
    for party, home in homes.items():
        rows = runs.received(home, DAY).filter(pc.field("brp") == BRP).to_pylist()
        sums: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
        for row in rows:
            family = "dutch" if row["process"] in documents.AGGREGATED else row["process"]
            quantity = np.array(row["quantity"], np.int64)
            key = (family, row["direction"])
            sums[key] = sums[key] + quantity if key in sums else quantity
        for direction in codes.DIRECTIONS:
            told_so = [sums[family, direction].tolist() for family in ("dutch", "E31", "A11")]
            assert told_so == told_so[:1] * 3
        assert sums["dutch", codes.OFFTAKE].any(), party
    # What is told three times is settled once.
    tso = homes[TSO]
    runs.take_prices(tso, [prices_of(DAY)], recorded_at=SENT)
    (outcome,) = runs.settle(tso, [DAY], at=SENT + timedelta(hours=1))
    assert outcome.state == "settled", outcome.reason
    imbalance = runs.settled(tso, "imbalance", [DAY]).filter(pc.field("brp") == BRP)
    assert imbalance["allocated_wh"].to_pylist() == net(operator.home)[BRP]


@pytest.mark.parametrize("name", ["energy-account-4.0", "energy-account-4.1"])
def test_a_party_receives_its_imbalance_from_the_tso(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / "home", create=True)
    folder = tmp_path / "in"
    folder.mkdir()
    made = settlement.Made(1, settlement.FINAL, "f" * 12, int(SENT.timestamp()))
    off = {BRP: np.where(np.arange(96) % 2 == 0, 300, -200)}
    lines = settlement.lines(off, {BRP: position(0)}, [None] * 96, [None] * 96)
    table = settlement.table(DAY, lines, TSO)
    (told,) = settlement.reports(table, DAY, TSO, "10YNL----------L", made)
    (folder / f"{told.id}.xml").write_bytes(FORMATS[name].write(told))
    (came,) = receive_folder(home, folder, Us(BRP, "DDK"), at=SENT + timedelta(0, 60))
    assert (came.process, came.series, came.reasons) == ("A12", 2, (Reason("000"),))
    said = FORMATS[name].read_acknowledgement(came.answer)
    assert (said.of, said.receiver, said.accepted) == (told.id, TSO, True)
    (kept,) = documents.from_table(runs.received(home, DAY))
    assert kept.final
    # A day is settled for longer than an operator may tell of it.
    held = parameters.load(DAY)
    late = SENT + timedelta(days=held.accepted_days + 1)
    again = replace(made, settlement="e" * 12, settled_at=int(late.timestamp()))
    (told,) = settlement.reports(table, DAY, TSO, "10YNL----------L", again)
    (folder / f"{told.id}.xml").write_bytes(FORMATS[name].write(told))
    (came,) = receive_folder(home, folder, Us(BRP, "DDK"), at=late + timedelta(0, 60))
    assert came.accepted, came.reasons
    assert {one.direction: one.quantity.tolist()[:2] for one in kept.series} == {
        "E17": [0, 200],
        "E18": [300, 0],
    }


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_what_is_released_comes_to_the_tso_over_https(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    clock_of(monkeypatch)
    operator = closing(tmp_path)
    authority = Authority(tmp_path, "market")
    keys = authority.keys(authority.issue("operator", US))
    server = authority.keys(authority.issue("tso", TSO))
    tso = Home(tmp_path / "tso", create=True)

    async def sent(at: datetime) -> runs.Exchanged:
        receiving = Server(tso, Us(TSO, "EZ"), server)
        async with receiving.open("localhost", port, at=at):
            return await asyncio.to_thread(lambda: send(operator.home, at=at))

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    file = tmp_path / "parties.yaml"
    file.write_text(
        f"""
we: {{party: "{US}", role: DDM, certificate: {keys.certificate}, key: {keys.key},
      authority: {keys.authority}}}
receivers:
- {{party: "{TSO}", name: TSO, role: EZ, transport: {kind}, place: "https://localhost:{port}/",
    formats: [dutch, rsm014, energy_account]}}
""",
        "utf-8",
    )
    take_parties(operator.home, file, recorded_at=hour(DAY, 0))
    (run,) = due(operator, NOON)
    assert run.state == "complete", run.reason
    away = send(operator.home, at=SENT)  # nobody listens yet
    assert away.messages
    assert {one.state for one in away.messages} == {"released"}
    told = asyncio.run(sent(SENT + timedelta(hours=1)))
    assert not told.not_taken
    messages = runs.ledger_of(operator.home).outbox.messages()
    assert {one.state for one in messages} == {"acknowledged"}
    assert {one.format for one in messages} == {"dutch", "rsm014", "energy_account"}
    assert len(runs.receptions(tso)) == len(messages)


def test_where_the_audit_finds_a_sum_of_few_only_exact_documents_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_of(monkeypatch)
    operator = closing(tmp_path)
    receivers_of_every_format(operator, tmp_path)
    # No real run is known in which it does: merging is made so. A fault of ours is planted.
    monkeypatch.setattr(audit, "computable", lambda *told: {0: frozenset({0})})
    (run,) = due(operator, NOON)
    assert run.state == "complete", run.reason
    assert any(runs.of_run(operator.home, run, "disclosure")["attackable"].to_pylist())
    letters = runs.ledger_of(operator.home).outbox.messages()
    assert {(one.receiver, one.format) for one in letters} == {(BRP, "dutch"), (TSO, "dutch")}
