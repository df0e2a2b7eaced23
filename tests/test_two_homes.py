"""An operator's readings to the TSO's settlement, through real documents between two homes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kwartier import Home, runs
from kwartier.runs import send, take_parties
from kwartier.runs.receiving import Us, receive_folder
from tests.closing import clock_of, closing, due, hour
from tests.exchanges import TSO, parties
from tests.market import BRP, DAY, ONE_DAY, OTHER_BRP
from tests.test_settling import IN_TIME, net, prices_of, programmes_of

NOON = hour(DAY + ONE_DAY, 12)
SENT = hour(DAY + ONE_DAY, 14)


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


def test_documents_of_every_format_are_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_of(monkeypatch)
    operator = closing(tmp_path)
    file = parties(tmp_path, BRP, TSO)
    every = file.read_text("utf-8").replace("[dutch]", "[dutch, rsm014, energy_account]")
    file.write_text(every, "utf-8")
    take_parties(operator.home, file, recorded_at=hour(DAY, 0))
    (run,) = due(operator, NOON)
    assert run.state == "complete", run.reason
    letters = runs.ledger_of(operator.home).outbox.messages()
    formats = {(one.receiver, one.format) for one in letters}
    assert formats == {
        (party, name) for party in (BRP, TSO) for name in ("dutch", "rsm014", "energy_account")
    }
