"""Settling market days: allocation of all areas, programmes and prices → imbalance and charges.

Each settlement of a day is a version of it. It charges the difference to what was charged before,
and names all that it was made of, so that it can be made again.

Source: domain §7, §9; decisions §39, §40.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import kwartier
from kwartier import parameters, periods, tables
from kwartier.adapters.store import Home, HomeError
from kwartier.arrays import Int64s
from kwartier.parameters import Parameters
from kwartier.runs import calendar
from kwartier.runs.moments import days_of, identity, parameters_of, seconds
from kwartier.runs.settled_areas import Areas
from kwartier.steps import prices, programmes, settlement
from kwartier.validity import known_by

SETTLED, UNCHANGED, OPEN, REFUSED_DAY = "settled", "unchanged", "open", "refused"
IMBALANCE, CHARGES, FINDINGS = "imbalance", "settlement", "settlement_findings"


@dataclass(frozen=True)
class Outcome:
    """What became of a market day: settled, unchanged, open (why), or refused (why).

    `settlement` names the settlement and `version` the how manieth of the day it is; of an
    unchanged day those that it already had. `charged` is the sum of what parties are charged,
    each without sign, and `open_periods` how many periods of parties are left open.
    """

    market_day: date
    state: str
    reason: str = ""
    settlement: str = ""
    version: int = 0
    kind: str = ""
    parties: int = 0
    charged_eur: Decimal = Decimal(0)
    open_periods: int = 0
    findings: int = 0


def settle(home: Home, days: Sequence[date], *, at: datetime | None = None) -> list[Outcome]:
    """Settle market days, as one settlement; a day of which nothing changed is left as it is.

    A day is open while an area's run is missing, and refused when it can no longer be settled.

    Parameters
    ----------
    at : as if it were this moment, with what was known then; now when not given.

    Raises
    ------
    HomeError : a later settlement was made already, or another kwartier is writing.
    """
    asked, moment = sorted(set(days_of(days))), seconds(at)
    with home.writing():
        history = home.settlements()
        if history and moment < history[-1]["settled_at"]:
            raise HomeError("a settlement as known later was made already; settle in order")
        areas = Areas(home, moment)
        name = identity([[str(day) for day in asked], moment, len(history)])[:12]
        outcomes: list[Outcome] = []
        written: dict[tuple[date, str], pa.Table] = {}
        told = []
        for day in asked:
            made = _Day(home, day, moment, name, history, areas).settle()
            outcomes.append(made.outcome)
            if made.outcome.state == SETTLED:
                written |= {(day, key): table for key, table in made.tables.items()}
                told.append(made.entry)
        if told:
            home.write_settlement(
                name, written, settled_at=moment, version=kwartier.__version__, days=told
            )
    return outcomes


def settled(home: Home, name: str, days: Sequence[date]) -> pa.Table:
    """Give a table of settlement: of `imbalance` the newest version, of `settlement` every one.

    Raises
    ------
    HomeError : a day was not settled.
    """
    history = home.settlements()
    found = []
    for day in days_of(days):
        versions = versions_of(history, day)
        if not versions:
            raise HomeError(f"{day} was not settled; 'kwartier settle --day {day}' first")
        for entry in versions if name == CHARGES else versions[-1:]:
            found.append(home.table_of_settlement(entry["settlement"], day, name))
    return pa.concat_tables(found).combine_chunks()


def versions_of(history: Sequence[Mapping[str, Any]], day: date) -> list[dict[str, Any]]:
    """List what the manifests say of a day, in order: each settlement of it."""
    return [
        {**entry, "settlement": made["id"], "settled_at": made["settled_at"]}
        for made in history
        for entry in made["days"]
        if entry["market_day"] == str(day)
    ]


@dataclass(frozen=True)
class _Made:
    outcome: Outcome
    tables: Mapping[str, pa.Table]
    entry: Mapping[str, Any]


class _Day:
    """One market day that is settled: what it is made of, and what comes of it."""

    def __init__(
        self,
        home: Home,
        day: date,
        moment: int,
        name: str,
        history: Sequence[Mapping[str, Any]],
        areas: Areas,
    ) -> None:
        self._home, self._day, self._moment, self._name = home, day, moment, name
        self._areas = areas
        self._versions = versions_of(history, day)
        self._parameters = parameters_of(home, day, moment)
        self._inputs: list[tuple[str, str]] = []

    def settle(self) -> _Made:
        """Settle the day, or say why not."""
        if self._moment >= last_moment(self._day, self._parameters):
            months = self._parameters.settlement_months
            return self._no(REFUSED_DAY, f"it could be settled until {months} months after it")
        if self._moment < periods.day_start(self._day + timedelta(days=1)):
            return self._no(OPEN, "the day is not over")
        allocated = self._allocated()
        if isinstance(allocated, str):
            return self._no(OPEN, allocated)
        net, unassigned = allocated
        planned = programmes.plan(self._known(tables.PROGRAMMES), self._day)
        priced = prices.on(self._known(tables.PRICES), self._day, self._parameters)
        digest = self._digest()
        # A final settlement is made also where nothing changed since the preliminary one.
        same = bool(self._versions) and self._versions[-1]["digest"] == digest
        if same and self._kind() != settlement.FINAL:
            newest = self._versions[-1]
            return self._no(
                UNCHANGED,
                settlement=newest["settlement"],
                version=newest["version"],
                kind=newest["kind"],
            )
        parties = sorted({*net, *planned.positions})
        if self._parameters.tso in parties:
            return self._no(REFUSED_DAY, "the TSO cannot be a party too: give it a GLN of its own")
        lines = settlement.lines(
            net,
            {brp: planned.of(brp, self._parameters) for brp in parties},
            priced.long,
            priced.short,
            unassigned,
        )
        imbalance = settlement.table(self._day, lines, self._parameters.tso)
        reopened = self._reopened(imbalance)
        if reopened:
            return self._no(REFUSED_DAY, reopened)
        found = [planned.findings, programmes.missing(self._day, sorted(net), planned)]
        return self._made(lines, imbalance, pa.concat_tables([*found, priced.findings]), digest)

    def _no(self, state: str, reason: str = "", **known: Any) -> _Made:
        return _Made(Outcome(self._day, state, reason, **known), {}, {})

    def _allocated(self) -> tuple[dict[str, Int64s], Int64s] | str:
        """Give the net volumes of all areas and the restantvolume, or why an area has none."""
        needed = self._areas.needed(self._day, self._parameters)
        if not needed:
            return "no grid area is known of it"
        parts, missing, rest = [], [], np.zeros(periods.count(self._day), np.int64)
        for area in needed:
            found = self._areas.volumes(self._day, area, self._parameters.tso)
            if isinstance(found, str):
                missing.append(f"grid area {area}: {found}")
                continue
            self._inputs += found.inputs
            parts.append(found.volumes)
            rest += found.unassigned
        if missing:
            return "; ".join(missing)
        return settlement.net_volumes(parts, self._day), rest

    def _known(self, table: tables.Table) -> pa.Table:
        rows, read = self._home.tables_of_day(table.name, self._day, self._moment)
        self._inputs += read
        held = pa.concat_tables([table.empty(), *rows]).combine_chunks()
        return known_by(held, self._moment)

    def _digest(self) -> str:
        """Name what the day is made of: the same, and nothing would change."""
        held = {name: str(getattr(self._parameters, name)) for name in _PARAMETERS}
        return identity([self._inputs, held, kwartier.__version__])

    def _kind(self) -> str:
        held = self._parameters
        final_from = calendar.final_from(self._day, held, parameters.holidays())
        if final_from is None:
            raise HomeError(
                f"final_settlement_run: the run calendar of {self._day} has no run "
                f"{held.final_settlement_run}"
            )
        if self._moment < final_from:
            return settlement.PRELIMINARY
        kinds = {entry["kind"] for entry in self._versions}
        past = kinds & {settlement.FINAL, settlement.DIFFERENCE}
        return settlement.DIFFERENCE if past else settlement.FINAL

    def _reopened(self, imbalance: pa.Table) -> str:
        """Say where a period would be open that a settlement before charged."""
        if not self._versions:
            return ""
        before = self._home.table_of_settlement(
            self._versions[-1]["settlement"], self._day, IMBALANCE
        )
        # The line of the TSO is open where any other is, and charges nothing of its own.
        others = (settlement.NOBODY, self._parameters.tso)
        was, now = (
            {
                (brp, position)
                for brp, position, status in zip(
                    *(table[name].to_pylist() for name in ("brp", "position", "status")),
                    strict=True,
                )
                if status == settlement.SETTLED and brp not in others
            }
            for table in (before, imbalance)
        )
        there = set(imbalance["brp"].to_pylist())
        gone = sorted(key for key in was - now if key[0] in there)
        if not gone:
            return ""
        return f"period {gone[0][1]} was charged before and would be open now"

    def _before(self) -> dict[str, Decimal]:
        """Give what the settlements before charged, by party."""
        charged: dict[str, Decimal] = {}
        for entry in self._versions:
            rows = self._home.table_of_settlement(entry["settlement"], self._day, CHARGES)
            for row in rows.select(["brp", "charged_eur"]).to_pylist():
                charged[row["brp"]] = charged.get(row["brp"], Decimal(0)) + row["charged_eur"]
        return charged

    def _made(
        self,
        lines: Sequence[settlement.Line],
        imbalance: pa.Table,
        found: pa.Table,
        digest: str,
    ) -> _Made:
        version, kind = len(self._versions) + 1, self._kind()
        made = settlement.Made(version, kind, self._name, self._moment)
        tso = self._parameters.tso
        charges = settlement.charge(self._day, lines, tso, made, self._before())
        of_parties = charges.filter(pc.not_equal(charges["brp"], tso))
        outcome = Outcome(
            self._day,
            SETTLED,
            settlement=self._name,
            version=version,
            kind=kind,
            parties=len(of_parties),
            charged_eur=sum((abs(v) for v in of_parties["charged_eur"].to_pylist()), Decimal(0)),
            open_periods=sum(of_parties["periods_open"].to_pylist()),
            findings=len(found),
        )
        entry = {
            "market_day": str(self._day),
            "version": version,
            "kind": kind,
            "digest": digest,
            "inputs": [list(one) for one in self._inputs],
            "parameters": {
                name: {
                    "since": str(self._parameters.holding_since[name]),
                    "value": str(getattr(self._parameters, name)),
                }
                for name in _PARAMETERS
            },
        }
        return _Made(outcome, {IMBALANCE: imbalance, CHARGES: charges, FINDINGS: found}, entry)


# The parameters that a settlement depends on.
_PARAMETERS = (
    *("programme_deadline", "missing_programme", "price_rule", "final_settlement_run"),
    *("settlement_months", "settlement_areas", "tso"),
)


def last_moment(day: date, held: Parameters) -> int:
    """Give the moment from which a day can no longer be settled [s UTC]."""
    year, month = divmod(12 * day.year + day.month + held.settlement_months, 12)
    return periods.day_start(date(year, month + 1, 1))
