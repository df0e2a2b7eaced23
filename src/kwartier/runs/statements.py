"""The statement of a party and month: its quarters as settled last, and each settlement's charge.

Source: domain §9; decisions §40.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import periods, tables
from kwartier.adapters.store import Home, HomeError
from kwartier.documents import Document
from kwartier.runs.moments import parameters_of
from kwartier.runs.settling import CHARGES, IMBALANCE, versions_of
from kwartier.steps import settlement


@dataclass(frozen=True)
class Statement:
    """What a party is told of a month.

    `quarters` are its rows of tables.IMBALANCE in the newest version of each day, `charges` its
    rows of tables.SETTLEMENT in every version; `reports` the documents that tell it its imbalance,
    one of each day of which all of it is known; `unsettled` the days that were not settled yet.
    """

    brp: str
    month: date
    quarters: pa.Table
    charges: pa.Table
    reports: tuple[Document, ...]
    unsettled: tuple[date, ...]


def statement(home: Home, brp: str, month: date) -> Statement:
    """Give the statement of a party.

    Parameters
    ----------
    month : any day of it.

    Raises
    ------
    HomeError : no day of the month was settled, or none with that party.
    """
    first = month.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    history = home.settlements()
    quarters, charges, reports, unsettled = [], [], [], []
    for day in periods.between(first, last):
        versions = versions_of(history, day)
        if not versions:
            unsettled.append(day)
        for entry in versions:
            charges.append(home.table_of_settlement(entry["settlement"], day, CHARGES))
        for entry in versions[-1:]:
            quarters.append(home.table_of_settlement(entry["settlement"], day, IMBALANCE))
            mine = quarters[-1].filter(pc.equal(quarters[-1]["brp"], brp))
            reports += _reports(home, day, entry, mine)
    if not charges:
        raise HomeError(f"no day of {first:%Y-%m} was settled; 'kwartier settle' first")
    own_quarters, own_charges = (
        part.filter(pc.equal(part["brp"], brp))
        for part in (pa.concat_tables(quarters), pa.concat_tables(charges))
    )
    if not own_charges.num_rows:
        raise HomeError(f"{brp} has no part in the settlements of {first:%Y-%m}")
    by = [("market_day", "ascending")]
    return Statement(
        brp,
        first,
        own_quarters.sort_by([*by, ("position", "ascending")]),
        own_charges.sort_by([*by, ("version", "ascending")]),
        tuple(reports),
        tuple(unsettled),
    )


def imbalance_reports(home: Home, day: date) -> list[Document]:
    """Make the documents in which the TSO tells the parties their imbalance of a day.

    They are those of the newest settlement of the day: made again, they are the same.

    Raises
    ------
    HomeError : the day was not settled.
    """
    versions = versions_of(home.settlements(), day)
    if not versions:
        raise HomeError(f"{day} was not settled; 'kwartier settle --day {day}' first")
    newest = versions[-1]
    rows = home.table_of_settlement(newest["settlement"], day, IMBALANCE)
    return _reports(home, day, newest, rows)


def _reports(home: Home, day: date, version: Mapping[str, Any], rows: pa.Table) -> list[Document]:
    """Make the documents of parties, of their rows of a settlement."""
    made = settlement.Made(
        version["version"], version["kind"], version["settlement"], version["settled_at"]
    )
    held = parameters_of(home, day, made.settled_at)
    rows = rows.cast(tables.IMBALANCE.schema)
    return settlement.reports(rows, day, held.tso, held.tso_area, made)
