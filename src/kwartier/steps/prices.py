"""Imbalance prices of a day: settled as published, or of the regulation state and its components.

Which price is long and which short is never read from their order: in real prices the short one
lies below the long one now and then. Prices are whole counts of 1e-5 EUR/MWh.
Source: IPS; domain §9; decisions §39.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from kwartier import periods, tables
from kwartier.parameters import DOWN, HIGHEST, MIDDLE, UP, Parameters, PriceOf
from kwartier.validity import numbers

UNIT = Decimal("0.00001")
NOT_BY_RULE = "price_not_by_rule"
_COMPONENTS = {UP: "price_up", DOWN: "price_down", MIDDLE: "price_mid"}


@dataclass(frozen=True)
class Prices:
    """The prices of a day by period [1e-5 EUR/MWh], None where there is none; and what is odd."""

    long: tuple[int | None, ...]
    short: tuple[int | None, ...]
    findings: pa.Table


def of_state(
    state: int, components: Mapping[str, int | None], parameters: Parameters
) -> tuple[int | None, int | None]:
    """Give the long and the short price of a regulation state; None where a component is missing.

    Parameters
    ----------
    components : the prices `up`, `down` and `mid` [1e-5 EUR/MWh].

    Source
    ------
    IPS: the parameter price_rule.
    """
    if state not in parameters.price_rule:
        return None, None
    long, short = (_chosen(price, components) for price in parameters.price_rule[state])
    return long, short


def _chosen(price: PriceOf, components: Mapping[str, int | None]) -> int | None:
    values = [components.get(name) for name in price.components]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return max(known) if price.choice == HIGHEST else min(known)


def on(rows: pa.Table, day: date, parameters: Parameters) -> Prices:
    """Give the prices of a market day; of each period the row that was recorded last counts.

    Settled prices go before those of the state. Where both are known and differ it is found.

    Parameters
    ----------
    rows : tables.PRICES, in any order; only those that were known.
    parameters : that hold on the market day.
    """
    n = periods.count(day)
    start = periods.day_start(day)
    place = ((numbers(rows["period_start"], 0) - start) // periods.SECONDS).tolist()
    recorded = numbers(rows["recorded_at"], 0).tolist()
    newest: dict[int, int] = {}
    for row, at in enumerate(place):
        if 0 <= at < n and (at not in newest or recorded[newest[at]] <= recorded[row]):
            newest[at] = row
    told = rows.take(pa.array(sorted(newest.values()), pa.int64())).to_pylist()
    by_place = dict(zip(sorted(newest, key=newest.__getitem__), told, strict=True))
    long, short = [], []
    odd: list[tuple[int, int, int]] = []
    for at in range(n):
        settled, ruled = _told(by_place.get(at), parameters)
        pair = tuple(s if s is not None else r for s, r in zip(settled, ruled, strict=True))
        long.append(pair[0])
        short.append(pair[1])
        for said, follows in zip(settled, ruled, strict=True):
            if said is not None and follows is not None and said != follows:
                odd.append((at, said, follows))
    return Prices(tuple(long), tuple(short), _findings(day, odd))


def _told(
    row: Mapping[str, Any] | None, parameters: Parameters
) -> tuple[tuple[int | None, int | None], tuple[int | None, int | None]]:
    """Give the settled long and short price of a row, and those that follow from its state."""
    if row is None:
        return (None, None), (None, None)
    prices = {
        name: None if row[f"{name}_eur_per_mwh"] is None else counted(row[f"{name}_eur_per_mwh"])
        for name in (*_COMPONENTS.values(), "price_long", "price_short")
    }
    ruled: tuple[int | None, int | None] = (None, None)
    if row["regulation_state"] is not None:
        components = {component: prices[name] for component, name in _COMPONENTS.items()}
        ruled = of_state(row["regulation_state"], components, parameters)
    return (prices["price_long"], prices["price_short"]), ruled


def counted(price: Decimal) -> int:
    """Count a price in 1e-5 EUR/MWh.

    Raises
    ------
    ValueError : it has more decimals.
    """
    count = price / UNIT
    if count != int(count):
        raise ValueError("a price of more than 5 decimals")
    return int(count)


def _findings(day: date, odd: list[tuple[int, int, int]]) -> pa.Table:
    found = []
    if odd:
        at = np.array([place for place, _, _ in odd])
        found.append(
            {
                "market_day": day,
                "rule": NOT_BY_RULE,
                "brp": "",
                "counterparty": "",
                "first_period": int(at.min()) + 1,
                "last_period": int(at.max()) + 1,
                "periods": len(set(at.tolist())),
                "observed": sum(said for _, said, _ in odd),
                "expected": sum(follows for _, _, follows in odd),
            }
        )
    return pa.Table.from_pylist(found, schema=tables.SETTLEMENT_FINDINGS.schema)
