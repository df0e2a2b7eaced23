"""The statement of a party and month: its quarters as settled last, and each settlement's charge.

Source: domain §9; decisions §40.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

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
            reports += [one for one in imbalance_reports(home, day) if one.receiver == brp]
    if not charges:
        raise HomeError(f"no day of {first:%Y-%m} was settled; 'kwartier settle' first")
    mine = [
        part.filter(pc.equal(part["brp"], brp))
        for part in (pa.concat_tables(quarters), pa.concat_tables(charges))
    ]
    if not mine[1].num_rows:
        raise HomeError(f"{brp} has no part in the settlements of {first:%Y-%m}")
    by = [("market_day", "ascending")]
    return Statement(
        brp,
        first,
        mine[0].sort_by([*by, ("position", "ascending")]),
        mine[1].sort_by([*by, ("version", "ascending")]),
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
    name, moment = newest["settlement"], newest["settled_at"]
    rows = home.table_of_settlement(name, day, IMBALANCE).cast(tables.IMBALANCE.schema)
    held = parameters_of(home, day, moment)
    made = settlement.Made(newest["version"], newest["kind"], name, moment)
    return settlement.reports(rows, day, held.tso, held.tso_area, made)
