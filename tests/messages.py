"""Documents for tests of messages: of every process, plain and random.

What each process holds is written here from domain §8 and not taken from kwartier's tables.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kwartier.documents import Acknowledgement, Document, Reason, Series

AREA, OTHER_AREA = "871685900000056162", "871687120000052782"
OPERATOR, BRP, OTHER_BRP = "8716871000002", "8712423014022", "8716892000005"
SUPPLIER, OTHER_SUPPLIER = "8716916000004", "8716912000008"
TSO = "8716867999983"
POINT = "871685900000000011"
DAY, SPRING, AUTUMN = date(2026, 1, 14), date(2026, 3, 29), date(2026, 10, 25)
PERIODS = {DAY: 96, SPRING: 92, AUTUMN: 100}
CREATED = int(datetime(2026, 1, 15, 12, 0, 5, tzinfo=UTC).timestamp())

GROUPS = {
    "N101": "TMT",
    "N102": "TMT",
    "N111": "SMA",
    "N121": "PRF",
    "N131": "NVL",
    "N132": "NVL",
    "N141": "DIM",
    "N142": "DIM",
    "N151": "PRF",
}
INDIVIDUAL = ("N101", "N131", "N141")
TRIPLES = (("MSR", "", ""), ("MSR", "VLD", ""), ("CLC", "VLD", "CMR"), ("UMS", "NVD", ""))


def named(*parts: object) -> str:
    """Give an id that the same parts always give."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


def series(process: str, number: int = 1, day: date = DAY, **parts: Any) -> Series:
    """Give a plain series of a process: position 1 has 1 Wh, position 2 has 2 Wh, and so on."""
    n = PERIODS[day]
    said: dict[str, Any] = {
        "id": named(process, day, number),
        "run": named("run", day, AREA),
        "grid_area": AREA,
        "group": GROUPS[process],
        "quantity": np.arange(1, n + 1),
    }
    if process == "N151":
        said |= {"unit": "1e-5", "version": CREATED - 60}
    else:
        said |= {"direction": "E17", "brp": BRP, "supplier": SUPPLIER}
    if process == "N111":
        said["origin"] = "MSR"
    if process == "N121":
        said |= {"profile_category": "E1A", "consumption_type": "AMI"}
    if process in INDIVIDUAL:
        said |= {"point": POINT, "origins": ("MSR",) * n, "statuses": ("VLD",) * n}
        said["methods"] = ("",) * n
    return Series(**(said | parts))


def whole(process: str, day: date = DAY, **parts: Any) -> tuple[Series, ...]:
    """Give what a process holds of one party in one area."""
    if process == "N111":
        kinds = [{"direction": d, "origin": o} for d in ("E17", "E18") for o in ("MSR", "CLC")]
    elif process == "N151":
        fraction = {"unit": "1e-8", "profile_category": "E1A", "consumption_type": "AMI"}
        kinds = [{}, *({**fraction, "direction": d, "status": "DYN"} for d in ("E17", "E18"))]
    else:
        kinds = [{"direction": d} for d in ("E17", "E18")]
    return tuple(
        series(process, number, day, **{**kind, **parts})
        for number, kind in enumerate(kinds, start=1)
    )


def document(process: str, *some: Series, day: date = DAY, **parts: Any) -> Document:
    """Give a document to a BRP."""
    said: dict[str, Any] = {
        "process": process,
        "id": named("message", process, day),
        "created_at": CREATED + 86_400 * (day - DAY).days,
        "sender": OPERATOR,
        "sender_role": "DDM",
        "receiver": BRP,
        "receiver_role": "DDK",
        "market_day": day,
        "series": some or whole(process, day),
    }
    return Document(**(said | parts))


def acknowledgement(*reasons: Reason, of: str = "m-1") -> Acknowledgement:
    """Give what a BRP says of a document."""
    return Acknowledgement("a-1", CREATED, BRP, "DDK", OPERATOR, "DDM", of, reasons)


def withdrawn(one: Series) -> Series:
    """Give a series that is withdrawn: the same, with zeros."""
    return replace(one, quantity=np.zeros(len(one.quantity), np.int64))


@st.composite
def documents(draw: st.DrawFn, process: str) -> Document:
    """Give random documents of a process, in one area or two, of one party or two.

    The quantities come from one drawn seed, so that drawing is fast.
    """
    day = draw(st.sampled_from([DAY, SPRING, AUTUMN, DAY + timedelta(days=1)]))
    n = PERIODS.get(day, 96)
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    most = draw(st.sampled_from([1, 10, 999, 1_000, 10**6, 10**13 - 1]))
    least = -most if process in ("N121", "N151") else 0
    made: list[Series] = []
    for area in draw(st.sampled_from([(AREA,), (AREA, OTHER_AREA)])):
        for party in draw(st.sampled_from([(BRP,), (BRP, OTHER_BRP)])):
            for one in whole(process, DAY):
                parts: dict[str, Any] = {
                    "id": named(area, party, len(made)),
                    "run": named("run", day, area),
                    "grid_area": area,
                    "quantity": chance.integers(least, most, n, endpoint=True),
                }
                if chance.integers(8) == 0:
                    parts["quantity"] = np.zeros(n, np.int64)
                if process != "N151":
                    parts |= {"brp": party, "supplier": draw(st.sampled_from([SUPPLIER, ""]))}
                if process in INDIVIDUAL:
                    ways = [TRIPLES[i] for i in chance.integers(len(TRIPLES), size=n)]
                    columns = zip(*ways, strict=True)
                    parts |= dict(zip(("origins", "statuses", "methods"), columns, strict=True))
                    parts["revision_request"] = draw(st.sampled_from(["", "R-1"]))
                made.append(replace(one, **parts))
    created = draw(st.integers(CREATED, CREATED + 10**8))
    to = draw(st.sampled_from([(BRP, "DDK"), (TSO, "EZ")]))
    return document(
        process,
        *made,
        market_day=day,
        created_at=created,
        receiver=to[0],
        receiver_role=to[1],
    )
