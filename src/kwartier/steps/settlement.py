"""Allocation and programme → imbalance, amount, and what is charged.

`imbalance = infeed − offtake − programme`, above 0 a surplus (long), below 0 a shortage (short). A
surplus is paid the long price, a shortage pays the short one. An amount is Wh × 1e-5 EUR/MWh, so
whole counts of 1e-11 EUR hold it exactly; what is charged is rounded once, per party and day. The
TSO stands at the other side of every amount, so each period adds up to nothing.
Source: IPS; domain §9; decisions §39, §40.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods, tables
from kwartier.arrays import Bools, Int64s
from kwartier.documents import (
    BALANCE_RESPONSIBLE,
    IMBALANCE_ACCOUNT,
    SYSTEM_OPERATOR,
    Document,
    Series,
)

SETTLED, OPEN = "settled", "open"
NO_PROGRAMME, NO_PRICE, OTHERS_OPEN = "no_programme", "no_price", "others_open"
PRELIMINARY, FINAL, DIFFERENCE = "preliminary", "final", "difference"
NOBODY = ""  # the restantvolume, which no party bears

_CENT = Decimal("0.01")
_SIGN = {codes.OFFTAKE: -1, codes.INFEED: 1}


class Position(Protocol):
    """What a party planned in each period [Wh], and where that is known."""

    @property
    def net(self) -> Int64s: ...
    @property
    def known(self) -> Bools: ...


@dataclass(frozen=True)
class Line:
    """The imbalance of a party on a day, by period: [Wh], [1e-5 EUR/MWh], [1e-11 EUR].

    `amount` is None in a period that is open; `reason` then says why.
    """

    brp: str
    allocated: Int64s
    programme: Sequence[int | None]
    imbalance: Sequence[int | None]
    price: Sequence[int | None]
    amount: Sequence[int | None]
    reason: Sequence[str]


def cash(imbalance_wh: int, long: int, short: int) -> int:
    """Give what a party is paid for its imbalance; below 0 it pays [1e-11 EUR].

    price_long × surplus − price_short × shortage, prices in 1e-5 EUR/MWh.

    Source
    ------
    IPS; domain §9.
    """
    # A shortage is below 0 already, so that the sign is there.
    return imbalance_wh * (long if imbalance_wh > 0 else short)


def net_volumes(parts: Iterable[pa.Table], day: date) -> dict[str, Int64s]:
    """Add up infeed less offtake of each party, over all grid areas and groups [Wh].

    Parameters
    ----------
    parts : with brp, position, direction and volume_wh, as tables.ALLOCATION has them.
    """
    n = periods.count(day)
    net: dict[str, Int64s] = {}
    for part in parts:
        words = part["brp"].combine_chunks().dictionary_encode()
        sign = np.ones(len(part), np.int64)
        sign[np.asarray(pc.equal(part["direction"], codes.OFFTAKE).to_numpy(), bool)] = -1
        cell = words.indices.to_numpy().astype(np.int64) * n + part["position"].to_numpy() - 1
        sums = np.zeros(len(words.dictionary) * n, np.int64)
        np.add.at(sums, cell, sign * part["volume_wh"].to_numpy())
        for brp, volume in zip(words.dictionary.to_pylist(), sums.reshape(-1, n), strict=True):
            net[brp] = net.get(brp, 0) + volume
    return net


def lines(
    allocated: Mapping[str, Int64s],
    planned: Mapping[str, Position | None],
    long: Sequence[int | None],
    short: Sequence[int | None],
    unassigned: Int64s | None = None,
) -> list[Line]:
    """Make the imbalance of each party, of the restantvolume, and last of the TSO.

    A party without a programme, or a period without a price, is left open.

    Parameters
    ----------
    allocated : by party infeed less offtake (periods) [Wh].
    planned : by party; one that has a programme and no allocation took and gave nothing.
    long, short : (periods) [1e-5 EUR/MWh].
    unassigned : offtake that no party bears (periods) [Wh]; None where it is not known.
    """
    n = len(long)
    found = []
    for brp in sorted({*allocated, *planned}):
        volume = allocated.get(brp, np.zeros(n, np.int64))
        found.append(_of_party(brp, volume, planned.get(brp), long, short))
    tso = _of_tso(found, n)
    if unassigned is not None and unassigned.any():
        found.append(_of_nobody(unassigned))
    return [*found, tso]


def _of_party(
    brp: str,
    allocated: Int64s,
    planned: Position | None,
    long: Sequence[int | None],
    short: Sequence[int | None],
) -> Line:
    programme: list[int | None] = []
    imbalance: list[int | None] = []
    price: list[int | None] = []
    amount: list[int | None] = []
    reason: list[str] = []
    for at, volume in enumerate(allocated.tolist()):
        up, down = long[at], short[at]
        plan = int(planned.net[at]) if planned is not None and planned.known[at] else None
        off = None if plan is None else volume - plan
        paid = None
        if off is not None and up is not None and down is not None:
            paid = cash(off, up, down)
        programme.append(plan)
        imbalance.append(off)
        price.append(None if not off else up if off > 0 else down)
        amount.append(paid)
        reason.append("" if paid is not None else NO_PROGRAMME if off is None else NO_PRICE)
    return Line(brp, allocated, programme, imbalance, price, amount, reason)


def _of_tso(parties: Sequence[Line], n: int) -> Line:
    """Make the line at the other side of all parties; open where one of them is."""
    amount: list[int | None] = []
    reason: list[str] = []
    for at in range(n):
        paid = [line.amount[at] for line in parties if line.amount[at] is not None]
        missing = [line.reason[at] for line in parties if line.amount[at] is None]
        amount.append(-sum(p for p in paid if p is not None) if paid else None)
        reason.append(OTHERS_OPEN if missing else "")
    known = [np.array([v or 0 for v in line.imbalance], np.int64) for line in parties]
    other = -sum(known, np.zeros(n, np.int64))
    nothing: list[int | None] = [None] * n
    return Line("", np.zeros(n, np.int64), nothing, other.tolist(), nothing, amount, reason)


def _of_nobody(unassigned: Int64s) -> Line:
    """Make the line of what no party bears: nobody planned it, and nobody is charged."""
    n = len(unassigned)
    off = (-unassigned).tolist()
    nothing: list[int | None] = [None] * n
    return Line(NOBODY, -unassigned, nothing, off, nothing, nothing, [""] * n)


def table(day: date, found: Sequence[Line], tso: str) -> pa.Table:
    """Make tables.IMBALANCE of lines, of which the last is that of the TSO."""
    named = [*((line.brp, line) for line in found[:-1]), (tso, found[-1])]
    n = periods.count(day)
    status = []
    for brp, line in named:
        for reason, amount in zip(line.reason, line.amount, strict=True):
            status.append(SETTLED if not reason and (amount is not None or not brp) else OPEN)
    of_tso = [*([False] * (len(named) - 1)), True]
    columns: dict[str, Any] = {
        **tables.period_columns(day, len(named)),
        "brp": [brp for brp, _ in named for _ in range(n)],
        "allocated_wh": [
            None if is_tso else volume
            for (_, line), is_tso in zip(named, of_tso, strict=True)
            for volume in line.allocated.tolist()
        ],
        "programme_wh": [value for _, line in named for value in line.programme],
        "imbalance_wh": [value for _, line in named for value in line.imbalance],
        "price_eur_per_mwh": decimals(
            [value for _, line in named for value in line.price], tables.PRICE
        ),
        "amount_eur": decimals(
            [value for _, line in named for value in line.amount], tables.AMOUNT
        ),
        "status": status,
        "reason": [value for _, line in named for value in line.reason],
    }
    return pa.table(columns, schema=tables.IMBALANCE.schema)


def decimals(counts: Sequence[int | None], type_: pa.DataType) -> pa.Array:
    """Give whole counts of the last decimal of a type as decimals."""
    return pa.array(
        [None if count is None else Decimal(count).scaleb(-type_.scale) for count in counts], type_
    )


def rounded(amount: int) -> Decimal:
    """Round an amount [1e-11 EUR] to whole cents, half away from 0: the one rounding there is."""
    return Decimal(amount).scaleb(-tables.AMOUNT.scale).quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Made:
    """What a settlement is: the how manieth of its day, of which kind, its name, as known at."""

    version: int
    kind: str
    settlement: str
    settled_at: int


def charge(
    day: date, found: Sequence[Line], tso: str, made: Made, before: Mapping[str, Decimal]
) -> pa.Table:
    """Make tables.SETTLEMENT: what is charged is the total less what was charged before.

    Parameters
    ----------
    found : as `lines` gives them.
    before : by party what the settlements before charged [EUR], of the TSO too.
    """
    by_party = {line.brp: line for line in found[:-1] if line.brp != NOBODY}
    rows = []
    for brp in sorted({*by_party, *before} - {tso}):
        line = by_party.get(brp)
        rows.append(_charged(day, brp, line, made, before.get(brp, Decimal(0))))
    # Of the rounded totals, so that what is charged adds up to nothing too.
    due = -sum((row["total_eur"] for row in rows), Decimal(0))
    line, past = found[-1], before.get(tso, Decimal(0))
    row = _charged(day, tso, line, made, past)
    rows.append({**row, "total_eur": due, "charged_eur": due - past})
    return pa.Table.from_pylist(rows, schema=tables.SETTLEMENT.schema)


def _charged(day: date, brp: str, line: Line | None, made: Made, before: Decimal) -> dict[str, Any]:
    amounts = [] if line is None else line.amount
    off = [] if line is None else line.imbalance
    settled = [v for v, paid in zip(off, amounts, strict=True) if paid is not None and v]
    total = rounded(sum(amount for amount in amounts if amount is not None))
    count = sum(amount is not None for amount in amounts)
    return {
        "market_day": day,
        "brp": brp,
        "version": made.version,
        "kind": made.kind,
        "settlement": made.settlement,
        "settled_at": made.settled_at,
        "periods_settled": count,
        "periods_open": len(amounts) - count,
        "surplus_wh": sum(v for v in settled if v > 0),
        "shortage_wh": -sum(v for v in settled if v < 0),
        "total_eur": total,
        "before_eur": before,
        "charged_eur": total - before,
    }


def reports(imbalance: pa.Table, day: date, tso: str, area: str, made: Made) -> list[Document]:
    """Make the document in which the TSO tells each party its imbalance.

    Of each party two series of one id, surplus (E18) and shortage (E17), both 0 or more; a party
    without a programme in some period is left out until its imbalance is known.

    Parameters
    ----------
    imbalance : tables.IMBALANCE of a day.
    area : EIC of the area of the TSO.
    made : the settlement; with party and day its name names the document.
    """
    told = []
    for brp in sorted(set(imbalance["brp"].to_pylist()) - {tso, NOBODY}):
        mine = imbalance.filter(pc.equal(imbalance["brp"], brp)).sort_by("position")
        if mine["imbalance_wh"].null_count:
            continue
        off = mine["imbalance_wh"].to_numpy()
        name = f"{made.settlement}{day:%y%m%d}{brp}"  # at most 35 characters
        series = tuple(
            Series(
                id=name,
                run=made.settlement,
                grid_area=area,
                group="",
                quantity=np.maximum(off * _SIGN[direction], 0),
                direction=direction,
                brp=brp,
            )
            for direction in codes.DIRECTIONS
        )
        told.append(
            Document(
                process=IMBALANCE_ACCOUNT,
                id=name,
                created_at=made.settled_at,
                sender=tso,
                sender_role=SYSTEM_OPERATOR,
                receiver=brp,
                receiver_role=BALANCE_RESPONSIBLE,
                market_day=day,
                series=series,
                final=made.kind != PRELIMINARY,
            )
        )
    return told
