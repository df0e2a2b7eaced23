"""What is exchanged with other parties: documents of series, whatever format they are written in.

A codec turns a document into bytes and bytes into a document; nothing else knows a format. Times
are whole seconds UTC; quantities are whole numbers: Wh, 1e-5 of a factor, 1e-8 of a fraction.
Source: SD030 v4.0 §elements; domain §8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

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

ACCEPTED = "000"


@dataclass(frozen=True)
class Series:
    """One series of a day: what one party has in one group, direction and origin.

    What a series has not is empty. `point` is the EAN-18 of an individual series, only ever of
    telemetry, losses and unmetered points. `quantity` (periods) is in `unit`. Of an individual
    series `origins`, `statuses` and `methods` (periods) say how each volume was made; of all others
    they are empty, and `origin` holds for the whole series. `status` is that of a series of
    fractions (DYN FBR FBL STD).
    `version` : of a factor or fraction, when it was made [s UTC]; 0 elsewhere.
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

    def __eq__(self, other: object) -> bool:
        """Tell whether two series say the same."""
        if not isinstance(other, Series):
            return NotImplemented
        mine, theirs = dict(self.__dict__), dict(other.__dict__)
        same = np.array_equal(mine.pop("quantity"), theirs.pop("quantity"))
        return same and mine == theirs

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Document:
    """A message of one process about one market day, from one party to another.

    `id` names the message and is never used for another; `created_at` [s UTC] orders messages about
    the same: the latest creation counts.
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
