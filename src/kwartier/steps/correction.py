"""A run and the run before it → what is withdrawn, and what changed per party.

A correction is a complete new run to everybody. A party that vanished from a group gets its series
as explicit zeros, in this run and in every later one. Source: domain §7; decisions §23.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, tables
from kwartier.arrays import Int64s

_SERIES = [
    column.name
    for column in tables.ALLOCATION.columns
    if column.key and column.name not in ("market_day", "position")
]
_POINT = ["accounting_point", "brp", "supplier", "group", "direction"]
_PARTY = ["grid_area", "brp", "supplier", "group", "direction"]
_Key = tuple[str | None, ...]


def _series(allocation: pa.Table, names: list[str], n: int) -> Iterator[tuple[_Key, pa.Table]]:
    """Cut an allocation into its series, which follow one another, each of n periods."""
    heads = allocation.take(pa.array(np.arange(0, allocation.num_rows, n)))
    for i, head in enumerate(heads.select(names).to_pylist()):
        yield tuple(head[name] for name in names), allocation.slice(i * n, n)


def _count(allocation: pa.Table) -> int:
    return int(pc.max(allocation["position"]).as_py() or 1)


def withdraw(before: pa.Table, now: pa.Table) -> pa.Table:
    """Add the series that the run before had and this one has not, as explicit zeros.

    Parameters
    ----------
    before, now : tables.ALLOCATION of one grid area and day.

    Returns
    -------
    allocation : tables.ALLOCATION; the withdrawn series last.
    """
    n = _count(before)
    here = {key for key, _ in _series(now, _SERIES, n)}
    gone = [part for key, part in _series(before, _SERIES, n) if key not in here]
    if not gone:
        return now
    part = pa.concat_tables(gone)
    zeros = pa.array(np.zeros(part.num_rows, np.int64))
    for name, value in (
        ("volume_wh", zeros),
        ("points", zeros),
        ("withdrawn", pa.array(np.ones(part.num_rows, bool))),
    ):
        part = part.set_column(part.schema.get_field_index(name), name, value)
    return pa.concat_tables([now, part]).combine_chunks()


def withdraw_each(before: pa.Table, now: pa.Table) -> pa.Table:
    """Add the points that the run before had with a party and this one has not, as zeros.

    Parameters
    ----------
    before, now : tables.INDIVIDUAL of one grid area and day.

    Returns
    -------
    individual : tables.INDIVIDUAL; what is withdrawn last.
    """
    held = set(zip(*(now[name].to_pylist() for name in _POINT), strict=True))
    gone = [
        {
            **row,
            "volume_wh": [0] * len(row["volume_wh"]),
            "origin": [codes.CALCULATED] * len(row["volume_wh"]),
            "validation_status": [None] * len(row["volume_wh"]),
            "method": [None] * len(row["volume_wh"]),
            "withdrawn": True,
        }
        for row in before.to_pylist()
        if tuple(row[name] for name in _POINT) not in held
    ]
    if not gone:
        return now
    part = pa.Table.from_pylist(gone, schema=tables.INDIVIDUAL.schema)
    return pa.concat_tables([now, part]).combine_chunks()


def compare(before: pa.Table | None, now: pa.Table) -> pa.Table:
    """Say what a run changed against the run before it, per party, group and direction.

    Parameters
    ----------
    before : tables.ALLOCATION of the run before; None where there was none.

    Returns
    -------
    tables.DIFFERENCES, by its key; parties without a change are not in it.
    """
    n = _count(now if before is None else before)
    sums: tuple[dict[_Key, Int64s], dict[_Key, Int64s]] = (
        defaultdict(lambda: np.zeros(n, np.int64)),
        defaultdict(lambda: np.zeros(n, np.int64)),
    )
    held: tuple[set[_Key], set[_Key]] = (set(), set())
    for made, live, allocation in zip(sums, held, (before, now), strict=True):
        if allocation is None:
            continue
        for key, part in _series(allocation, _PARTY, n):
            made[key] += part["volume_wh"].to_numpy()
            if not part["withdrawn"][0].as_py():
                live.add(key)
    days = pc.unique((now if before is None else before)["market_day"]).to_pylist()
    rows = []
    for key in sorted(held[0] | held[1], key=str):
        old, new = (made[key] for made in sums)
        withdrawn = key in held[0] and key not in held[1]
        if (old == new).all() and not withdrawn and key in held[0]:
            continue
        rows.append(
            {
                "market_day": days[0],
                **dict(zip(_PARTY, key, strict=True)),
                "before_wh": int(old.sum()) if key in held[0] else None,
                "after_wh": int(new.sum()) if key in held[1] else None,
                "changed_wh": int(np.abs(new - old).sum()),
                "quarters": int((new != old).sum()),
                "withdrawn": withdrawn,
            }
        )
    return pa.Table.from_pylist(rows, schema=tables.DIFFERENCES.schema)
