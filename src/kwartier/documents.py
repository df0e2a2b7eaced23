"""What is exchanged with other parties: documents of series, whatever format they are written in.

A codec turns a document into bytes and bytes into a document; nothing else knows a format. Times
are whole seconds UTC; quantities are whole numbers: Wh, 1e-5 of a factor, 1e-8 of a fraction.
Source: SD030 v4.0 §elements; domain §8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from kwartier import tables
from kwartier.arrays import Int64s

# Processes of SD030: who is told what. To the BRP per supplier, to the TSO per BRP.
TELEMETRY_POINT, TELEMETRY_SUM = "N101", "N102"
SMART_METERS = "N111"
PROFILED = "N121"
LOSS_POINT, LOSS_SUM = "N131", "N132"
UNMETERED_POINT, UNMETERED_SUM = "N141", "N142"
FACTORS = "N151"
INDIVIDUAL = (TELEMETRY_POINT, LOSS_POINT, UNMETERED_POINT)
AGGREGATED = (TELEMETRY_SUM, SMART_METERS, PROFILED, LOSS_SUM, UNMETERED_SUM)
PROCESSES = ("N101", "N102", "N111", "N121", "N131", "N132", "N141", "N142", "N151")

# International: sums per party (RSM-014, type E31); the energy account to the TSO (A11), and the
# imbalance from it (A12).
AGGREGATED_MEASURED, ENERGY_ACCOUNT, IMBALANCE_ACCOUNT = "E31", "A11", "A12"

# Roles of market parties (SD030; ENTSO-E).
OPERATOR, BALANCE_RESPONSIBLE, SUPPLIER, SYSTEM_OPERATOR = "DDM", "DDK", "DDQ", "EZ"

WH, FACTOR, FRACTION = "Wh", "1e-5", "1e-8"
# How many decimals a message gives them: of a kWh, of a factor, of a fraction.
DECIMALS = {WH: 3, FACTOR: 5, FRACTION: 8}

# Codes of an acknowledgement: all is well; something no other code says, with a text.
ACCEPTED, OTHER = "000", "999"


@dataclass(frozen=True)
class Form:
    """How a series was written: what its receiver checks and the series itself cannot say.

    `start`, `end` [s UTC] of its interval; `positions` as they stood; `decimals`, each number of
    decimals that a quantity had, once. The words are those of the message.
    """

    start: int
    end: int
    resolution: str
    product_type: str
    product: str
    unit: str
    positions: Int64s
    decimals: frozenset[int]


@dataclass(frozen=True)
class Series:
    """One series of a day: what one party has in one group, direction and origin.

    What a series has not is empty. `point` is the EAN-18 of an individual series, only ever of
    telemetry, losses and unmetered points. `quantity` (periods) is in `unit`. Of an individual
    series `origins`, `statuses` and `methods` (periods) say how each volume was made; of all others
    they are empty, and `origin` holds for the whole series. `status` is that of a series of
    fractions (DYN FBR FBL STD).
    `version` : of a factor or fraction, when it was made [s UTC]; 0 elsewhere.
    `revision_request` : of an individual series, the id of the request that it answers.
    `form` : how it was written, where it was read from a message; no part of what it says. A series
    whose quantities cannot be said in whole units has none of them, and its form tells why.
    """

    id: str
    run: str
    grid_area: str
    group: str
    quantity: Int64s
    unit: str = WH
    direction: str = ""
    brp: str = ""
    supplier: str = ""
    point: str = ""
    profile_category: str = ""
    consumption_type: str = ""
    origin: str = ""
    status: str = ""
    version: int = 0
    origins: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    revision_request: str = ""
    form: Form | None = None

    def __eq__(self, other: object) -> bool:
        """Tell whether two series say the same."""
        if not isinstance(other, Series):
            return NotImplemented
        mine, theirs = {**self.__dict__, "form": None}, {**other.__dict__, "form": None}
        same = np.array_equal(mine.pop("quantity"), theirs.pop("quantity"))
        return same and mine == theirs

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Document:
    """A message of one process about one market day, from one party to another.

    `id` names the message and is never used for another; `created_at` [s UTC] orders messages about
    the same: the latest creation counts. `final` : nothing of the calendar comes after it.
    `written_as`: the process whose message it was read from, where it was.
    """

    process: str
    id: str
    created_at: int
    sender: str
    sender_role: str
    receiver: str
    receiver_role: str
    market_day: date
    series: Sequence[Series]
    final: bool = False
    written_as: str = field(default="", compare=False)


@dataclass(frozen=True)
class Reason:
    """Why a document is accepted (000) or not; `series` names the one that it is about."""

    code: str
    text: str = ""
    series: str = ""


@dataclass(frozen=True)
class Acknowledgement:
    """What a receiver says of a document: accepted when its only reason is 000.

    `of` is the id of the document; empty where it could not be read.
    """

    id: str
    created_at: int
    sender: str
    sender_role: str
    receiver: str
    receiver_role: str
    of: str
    reasons: tuple[Reason, ...]

    @property
    def accepted(self) -> bool:
        """Tell whether the document was accepted."""
        return all(reason.code == ACCEPTED for reason in self.reasons) and bool(self.reasons)


@dataclass(frozen=True)
class Programme:
    """The programme of a party for a market day: its net position, and its trades.

    `version` orders programmes of the same party and day: the highest counts. Of each period [Wh]:
    `net` is the net position, planned infeed less offtake, None where only trades are told;
    `trades` by counterparty what is sold to it, below 0 bought of it.
    """

    id: str
    version: int
    created_at: int
    brp: str
    receiver: str
    market_day: date
    net: tuple[int, ...] | None
    trades: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class ImbalancePrices:
    """The settled imbalance prices of a market day [EUR/MWh]; None where there is none.

    `long` is what a surplus is paid, `short` what a shortage pays.
    """

    id: str
    version: int
    created_at: int
    sender: str
    receiver: str
    market_day: date
    long: tuple[Decimal | None, ...]
    short: tuple[Decimal | None, ...]


# What rows of tables.SERIES say of the document, and of the series: name here → column there.
_OF_DOCUMENT = {"id": "document"} | {
    name: name
    for name in (
        *("process", "final", "created_at", "sender", "sender_role", "receiver", "receiver_role"),
        "market_day",
    )
}
_WORDS = {"id": "series", "point": "accounting_point"} | {
    name: name
    for name in (
        *("run", "grid_area", "group", "unit", "direction", "brp", "supplier", "profile_category"),
        *("consumption_type", "origin", "status", "revision_request"),
    )
}
_LISTS = ("origins", "statuses", "methods")


def table(some: Iterable[Document]) -> pa.Table:
    """Put documents into a table, one row a series; what a series has not is null.

    Returns
    -------
    tables.SERIES, in the order of the documents and of their series.

    Raises
    ------
    ValueError : a document without series, of which no row could tell.
    """
    columns: dict[str, list[Any]] = {name: [] for name in tables.SERIES.names}
    for document in some:
        if not document.series:
            raise ValueError(f"document {document.id}: expected at least one series")
        for place, series in enumerate(document.series, start=1):
            columns["place"].append(place)
            columns["version"].append(series.version or None)
            columns["quantity"].append(series.quantity)
            for name, column in _OF_DOCUMENT.items():
                columns[column].append(getattr(document, name))
            for name, column in _WORDS.items():
                columns[column].append(getattr(series, name) or None)
            for name in _LISTS:
                columns[name].append(getattr(series, name) or None)
    return pa.table(
        [pa.array(columns[c.name], c.type) for c in tables.SERIES.columns],
        schema=tables.SERIES.schema,
    )


def from_table(rows: pa.Table) -> tuple[Document, ...]:
    """Make the documents of rows of tables.SERIES, in the order of their first rows.

    The rows of a document may stand in any order; how it was written is not in them.
    """
    # Parquet has no whole seconds: a file gives milliseconds.
    rows = rows.select(tables.SERIES.names).cast(tables.SERIES.schema)
    for name in ("created_at", "version"):
        index = rows.schema.get_field_index(name)
        rows = rows.set_column(index, name, rows[name].cast(pa.int64()))
    quantities = [row.values.to_numpy() for row in rows["quantity"]]
    placed: dict[str, list[tuple[int, Series]]] = {}
    documents: dict[str, dict[str, Any]] = {}
    for row, quantity in zip(rows.drop_columns("quantity").to_pylist(), quantities, strict=True):
        said = {name: row[column] for name, column in _OF_DOCUMENT.items()}
        documents.setdefault(row["document"], said)
        parts: dict[str, Any] = {name: row[column] or "" for name, column in _WORDS.items()}
        parts |= {name: tuple(row[name] or ()) for name in _LISTS}
        series = Series(quantity=quantity, version=row["version"] or 0, **parts)
        placed.setdefault(row["document"], []).append((row["place"], series))
    return tuple(
        Document(**said, series=tuple(s for _, s in sorted(placed[id_], key=lambda one: one[0])))
        for id_, said in documents.items()
    )
