"""Rows of programmes → the net position of each party on a day, and where trades disagree.

A programme is for one party and one day, whole: the highest version counts, of equal ones the last
recorded. One that came after the deadline does not count. Source: domain §9; decisions §39.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from kwartier import periods, tables
from kwartier.arrays import Bools, Int64s
from kwartier.parameters import AS_ZERO, Parameters
from kwartier.validity import numbers

MISMATCH, ONE_SIDED = "trade_mismatch", "trade_one_sided"
NOT_ITS_TRADES, MISSING = "programme_not_its_trades", "no_programme"


def deadline(day: date, parameters: Parameters) -> int:
    """Give the last moment at which a programme of a market day is in time [s UTC].

    parameters : that hold on the market day.
    """
    return periods.at_hour(day - timedelta(days=1), *parameters.programme_deadline)


@dataclass(frozen=True)
class Position:
    """What a party planned in each period: `net` [Wh], and where it is known."""

    net: Int64s
    known: Bools


@dataclass(frozen=True)
class Planned:
    """The programmes of a day: by party its position, and the findings among them."""

    periods: int
    positions: Mapping[str, Position]
    findings: pa.Table

    def of(self, brp: str, parameters: Parameters) -> Position | None:
        """Give the position of a party; None where it has none, and none is none."""
        found = self.positions.get(brp)
        if parameters.missing_programme != AS_ZERO:
            return found
        every = np.ones(self.periods, bool)
        if found is None:
            return Position(np.zeros(self.periods, np.int64), every)
        return Position(np.where(found.known, found.net, 0), every)


def missing(day: date, brps: Iterable[str], planned: Planned) -> pa.Table:
    """Find the parties that have energy and no programme, in some periods or at all."""
    nothing = np.zeros(planned.periods, np.int64)
    found = []
    for brp in brps:
        position = planned.positions.get(brp)
        known = np.zeros(planned.periods, bool) if position is None else position.known
        if not known.all():
            found.append(_finding(day, MISSING, brp, "", ~known, nothing, nothing))
    return pa.Table.from_pylist(found, schema=tables.SETTLEMENT_FINDINGS.schema)


def plan(rows: pa.Table, day: date) -> Planned:
    """Find the programmes of a day that count, and hold the trades of both sides together.

    Parameters
    ----------
    rows : tables.PROGRAMMES, in any order; only those that were known and in time.

    Returns
    -------
    planned : the net position as stated; where a party states none, the sum of its trades.
    """
    n = periods.count(day)
    stated = _stated(rows, day)
    positions, found = {}, []
    for brp, said in sorted(stated.items()):
        traded = _sum([trade for party, trade in said.items() if party], n)
        net = said.get("", traded)
        positions[brp] = net
        both = net.known & traded.known & (net.net != traded.net)
        if len(said) > 1 and "" in said and both.any():
            found.append(_finding(day, NOT_ITS_TRADES, brp, "", both, net.net, traded.net))
        for party, mine in sorted(said.items()):
            if party:
                found += _held_together(day, brp, party, mine, stated)
    schema = tables.SETTLEMENT_FINDINGS.schema
    return Planned(n, positions, pa.Table.from_pylist(found, schema=schema))


def _stated(rows: pa.Table, day: date) -> dict[str, dict[str, Position]]:
    """Give what each party states, by counterparty; "" is its net position."""
    n = periods.count(day)
    place = (numbers(rows["period_start"], 0) - periods.day_start(day)) // periods.SECONDS
    recorded = numbers(rows["recorded_at"], 0).tolist()
    version = numbers(rows["version"], 0).tolist()
    brps, parties = (rows[name].to_pylist() for name in ("brp", "counterparty"))
    volume = numbers(rows["position_wh"], 0).tolist()
    on_day = [0 <= at < n for at in place.tolist()]
    newest: dict[str, tuple[int, int]] = {}
    for brp, order, on in zip(brps, zip(version, recorded, strict=True), on_day, strict=True):
        if on:
            newest[brp] = max(order, newest.get(brp, order))
    stated: dict[str, dict[str, Position]] = defaultdict(dict)
    for row, (brp, party, at) in enumerate(zip(brps, parties, place.tolist(), strict=True)):
        if on_day[row] and (version[row], recorded[row]) == newest[brp]:
            empty = Position(np.zeros(n, np.int64), np.zeros(n, bool))
            position = stated[brp].setdefault(party or "", empty)
            position.net[at], position.known[at] = volume[row], True
    return stated


def _sum(trades: list[Position], n: int) -> Position:
    """Add up trades; a period is known where one of them states it."""
    net, known = np.zeros(n, np.int64), np.zeros(n, bool)
    for trade in trades:
        net += np.where(trade.known, trade.net, 0)
        known |= trade.known
    return Position(net, known)


def _held_together(
    day: date, brp: str, party: str, mine: Position, stated: Mapping[str, Mapping[str, Position]]
) -> list[dict[str, object]]:
    """Hold what a party says of a trade against what the other says; a finding for the party."""
    n = len(mine.net)
    theirs = stated.get(party, {}).get(brp, Position(np.zeros(n, np.int64), np.zeros(n, bool)))
    traded = mine.known & (mine.net != 0)
    found = []
    silent = traded & ~theirs.known
    if silent.any():
        found.append(_finding(day, ONE_SIDED, brp, party, silent, mine.net, -theirs.net))
    other = mine.known & theirs.known & (mine.net != -theirs.net)
    if other.any():
        found.append(_finding(day, MISMATCH, brp, party, other, mine.net, -theirs.net))
    return found


def _finding(
    day: date, rule: str, brp: str, party: str, where: Bools, observed: Int64s, expected: Int64s
) -> dict[str, object]:
    at = np.flatnonzero(where)
    return {
        "market_day": day,
        "rule": rule,
        "brp": brp,
        "counterparty": party,
        "first_period": int(at[0]) + 1,
        "last_period": int(at[-1]) + 1,
        "periods": len(at),
        "observed": int(observed[where].sum()),
        "expected": int(expected[where].sum()),
    }
