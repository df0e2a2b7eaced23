"""Who are behind a sum, and whether there are enough of them that it may be told by itself.

Source: domain §10; decisions §33.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from kwartier.parameters import Parameters

FEW, DOMINANT = "few", "dominant"

_SHARE = 10**6  # of tables.PRIVACY.dominant_share

Party = tuple[str, str]  # BRP, supplier
Kind = tuple[str, str]  # group, direction
Cell = tuple[str, str, str, str]  # BRP, supplier, group, direction


class Holders(NamedTuple):
    """Who are behind a sum: at least `apart` + `shared` of them.

    `apart` hold points of it only, `shared` of others too. `weight` is its standard annual volume
    and `largest` the most that one of them has of it, in 1e-18 of the area's.
    """

    apart: int = 0
    shared: int = 0
    weight: int = 0
    largest: int = 0
    largest_shared: int = 0

    @property
    def least(self) -> int:
        """How many there are, at least."""
        return self.apart + self.shared


def together(parts: Iterable[Holders]) -> Holders:
    """Add up who are behind some sums; a holder of several may be the same one in all of them."""
    held = list(parts)
    of_shared = sum(one.largest_shared for one in held)
    return Holders(
        sum(one.apart for one in held),
        max((one.shared for one in held), default=0),
        sum(one.weight for one in held),
        max([of_shared, *(one.largest for one in held)]),
        of_shared,
    )


def judge(held: Holders, kind: Kind, parameters: Parameters) -> str:
    """Tell why a sum may not be told by itself: few, dominant, or nothing."""
    if kind[0] not in parameters.disclosure_groups:
        return ""
    if held.least < parameters.disclosure_least_holders:
        return FEW
    if held.largest > parameters.disclosure_dominant_share * held.weight:
        return DOMINANT
    return ""


def holders_of(privacy: pa.Table) -> dict[Cell, Holders]:
    """Give who are behind each sum of BRP, supplier, group and direction."""
    found: dict[Cell, list[Holders]] = {}
    for row in privacy.to_pylist():
        # Of a sum without any standard annual volume nothing says that no one holder has it all.
        shared, weight = row["shared_holders"], max(row["weight"], 1)
        share = row["dominant_share"]
        largest = (_SHARE if share is None else share) * weight
        found.setdefault((row["brp"], row["supplier"], row["group"], row["direction"]), []).append(
            Holders(
                row["holders"] - shared, shared, weight * _SHARE, largest, largest if shared else 0
            )
        )
    return {cell: together(parts) for cell, parts in found.items()}
