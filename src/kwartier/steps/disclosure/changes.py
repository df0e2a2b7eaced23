"""Two runs of a day → which sums changed by so few that their difference tells of them.

Source: domain §10; decisions §33.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from kwartier import codes
from kwartier.arrays import Int64s
from kwartier.parameters import Parameters
from kwartier.steps.disclosure.holders import Cell
from kwartier.steps.disclosure.sums import Run, told_of


def thin_changes(before: Run, now: Run, parameters: Parameters) -> set[Cell]:
    """List the sums that changed between two runs, and that too few may have changed.

    Points that came, went, or are of another origin changed; where fewer than the least are seen
    to in a period, one meter may have been all of its change. Profiled sums change with all that
    the area's other groups changed.
    """
    old, new = told_of(before.allocation), told_of(now.allocation)
    shared = [_points_over_holders(run.privacy) for run in (before, now)]
    if not old and not new:
        return set()
    none = np.zeros_like(next(iter((new or old).values())).volume)
    by: dict[Cell, Int64s] = {}
    for cell in sorted({*old, *new}):
        ways = [side[cell].by_origin if cell in side else {} for side in (old, new)]
        kinds = sorted({*ways[0], *ways[1]}, key=str)
        seen = sum((_moved(none, *(way.get(kind, {}) for way in ways)) for kind in kinds), none)
        # So many points may be of a holder who is counted already.
        by[cell] = np.maximum(seen - max(over.get(cell, 0) for over in shared), 0)
    free = (codes.PROFILE, codes.GRID_LOSS)
    others = sum((seen for cell, seen in by.items() if cell[2] not in free), none)
    thin = set()
    for cell, changers in by.items():
        was, is_now = (side[cell].volume if cell in side else none for side in (old, new))
        if cell[2] not in parameters.disclosure_groups:
            continue
        moved = changers + others if cell[2] == codes.PROFILE else changers
        if ((was != is_now) & (moved < parameters.disclosure_least_holders)).any():
            thin.add(cell)
    return thin


def _moved(none: Int64s, before: Mapping[str, Int64s], now: Mapping[str, Int64s]) -> Int64s:
    """Give how many points, at least, came, went or are of another origin in each period."""
    most = none
    for origin in {*before, *now}:
        change = np.abs(now.get(origin, none) - before.get(origin, none))
        most = np.maximum(most, change)
    return most


def _points_over_holders(privacy: pa.Table) -> dict[Cell, int]:
    over: dict[Cell, int] = {}
    for row in privacy.to_pylist():
        cell = (row["brp"], row["supplier"], row["group"], row["direction"])
        # Who holds points of other sums too may be counted there.
        extra = row["points"] - row["holders"] + row["shared_holders"]
        over[cell] = over.get(cell, 0) + extra
    return over
