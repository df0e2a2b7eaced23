"""The series of a grid area → its balance, and the proof that no energy was lost or made.

What comes into an area in a period (infeed, import) is what goes out of it (offtake, export,
losses) and what no party bears. Source: domain §6, conservation; decisions §22.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods, tables
from kwartier.arrays import Int64s, Line

# Lines of a balance with the directions that they have: offtake 0, infeed 1.
LINES = (
    *((group, d) for group in (codes.SMART_METER, codes.PROFILE) for d in range(2)),
    *((group, d) for group in (codes.TELEMETRY, codes.UNMETERED) for d in range(2)),
    *((kind, 0) for kind in codes.LOSS_TYPES),
    (codes.COUPLING, 0),
    (codes.COUPLING, 1),
    (codes.UNASSIGNED, 0),
)
Balance = dict[tuple[str, int], Int64s]  # by line and direction: (periods) [Wh]


class NotConserved(Exception):
    """Energy was lost or made in an area: an error of this program, never of its input."""


def add_up(
    lines: Sequence[Line], losses: Mapping[str, Int64s], into: Int64s, out: Int64s
) -> Balance:
    """Add up the series of an area by group and direction.

    Parameters
    ----------
    losses : of each kind (periods) [Wh]; they stand in place of the series of group NVL.
    into, out : (periods) [Wh] what the area exchanges with others.
    """
    sums = {line: np.zeros(len(into), np.int64) for line in LINES}
    for line in lines:
        if line.group != codes.GRID_LOSS:
            sums[line.group, line.direction] += line.volume
    for kind, volume in losses.items():
        sums[kind, 0] += volume
    sums[codes.COUPLING, 0] += out
    sums[codes.COUPLING, 1] += into
    return sums


def missing_offtake(sums: Balance) -> Int64s:
    """Give what comes in more than goes out (periods) [Wh]."""
    total = sum((volume * (2 * d - 1) for (_, d), volume in sums.items()), np.int64(0))
    return np.asarray(total, np.int64)


def prove(sums: Balance, allocation: pa.Table) -> None:
    """Prove that an area is closed, and that its allocation holds the energy of its balance.

    Parameters
    ----------
    allocation : tables.ALLOCATION, as it will be written.

    Raises
    ------
    NotConserved : a period that is not closed, or a group with other energy than its series.
    """
    if missing_offtake(sums).any():
        period = int(np.nonzero(missing_offtake(sums))[0][0]) + 1
        raise NotConserved(f"period {period} is not closed: {missing_offtake(sums)[period - 1]} Wh")
    grouped = allocation.group_by(["group", "direction", "position"])
    written = grouped.aggregate([("volume_wh", "sum")])
    due = {line: volume.copy() for line, volume in sums.items()}
    due[codes.GRID_LOSS, 0] = np.asarray(sum(sums[kind, 0] for kind in codes.LOSS_TYPES))
    for group in codes.GROUPS:
        for d, direction in enumerate(codes.DIRECTIONS):
            of = pc.and_(
                pc.equal(written["group"], group), pc.equal(written["direction"], direction)
            )
            part = written.filter(of)
            total = np.zeros(len(sums[codes.COUPLING, 0]), np.int64)
            total[part["position"].to_numpy() - 1] = part["volume_wh_sum"].to_numpy()
            if (total != due.get((group, d), 0)).any():
                raise NotConserved(f"group {group}, {direction}: its series are not its balance")


def table(day: date, grid_area: str, sums: Balance) -> pa.Table:
    """Make tables.BALANCE of a grid area, by line, direction and position."""
    n = periods.count(day)
    return pa.table(
        {
            **tables.period_columns(day, len(LINES)),
            "grid_area": [grid_area] * (len(LINES) * n),
            "line": [line for line, _ in LINES for _ in range(n)],
            "direction": [codes.DIRECTIONS[d] for _, d in LINES for _ in range(n)],
            "volume_wh": np.concatenate([sums[line] for line in LINES]),
        },
        schema=tables.BALANCE.schema,
    )
