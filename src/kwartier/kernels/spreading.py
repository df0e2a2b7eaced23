"""Whole amounts spread so that the parts sum to them exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.kernels.compiled import compiled


@compiled
def spread(total: int, weight: Any) -> Any:
    """Spread a whole number over weights so that the parts sum to it exactly (largest remainder).

    Parameters
    ----------
    total : [Wh], 0 or more.
    weight : int64 (n), 0 or more; all 0 counts as all alike. total × weight must fit in int64.

    Returns
    -------
    parts : int64 (n) [Wh]; what rounding leaves goes to the largest remainders, the lower position
        first among equal ones.
    """
    whole = np.int64(0)
    for w in weight:
        whole += w
    parts = np.empty(weight.size, np.int64)
    lacking = np.empty(weight.size, np.int64)
    left = np.int64(total)
    for i in range(weight.size):
        share = total * weight[i] if whole > 0 else np.int64(total)
        base = whole if whole > 0 else np.int64(weight.size)
        parts[i] = share // base
        lacking[i] = -(share - parts[i] * base)
        left -= parts[i]
    if left > 0:
        order = np.argsort(lacking, kind="mergesort")
        for i in range(left):
            parts[order[i]] += 1
    return parts


@compiled
def spread_gaps(
    cell: Any,
    direction: Any,
    first: Any,
    last: Any,
    total: Any,
    shape: Any,
    volume: Any,
    points: Any,
) -> None:
    """Spread the register difference of each gap within the day over its periods.

    Parameters
    ----------
    cell, direction, first, last, total : (gaps): the cell and direction it belongs to, the
        positions of the readings around it, their difference [Wh].
    shape : int64 (cells, 2, periods), the weights.
    volume, points : int64 (cells, 2, periods): added to.
    """
    for g in range(cell.size):
        parts = spread(total[g], shape[cell[g], direction[g], first[g] : last[g]])
        for t in range(first[g], last[g]):
            volume[cell[g], direction[g], t] += parts[t - first[g]]
            points[cell[g], direction[g], t] += 1
