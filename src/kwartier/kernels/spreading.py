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


@compiled
def spread_across(
    cell: Any,
    direction: Any,
    first: Any,
    total: Any,
    pieces: Any,
    of_piece: Any,
    volume: Any,
    points: Any,
) -> None:
    """Spread the register difference of each gap over the days that it runs over; add one day's.

    Parameters
    ----------
    cell, direction, first, total : (gaps): the cell and direction it belongs to, where its part of
        this day begins, its difference [Wh].
    pieces : (gaps + 1), where the pieces of each begin, in order of time.
    of_piece : (pieces) each: a row of the weights, -1 for none at all; the positions from which
        and up to which; whether it is the part of this day; and the weights (rows, periods).
    volume, points : int64 (cells, 2, periods): added to.
    """
    shape, start, end, mine, weights = of_piece
    for g in range(cell.size):
        size = 0
        for p in range(pieces[g], pieces[g + 1]):
            size += end[p] - start[p]
        weight = np.zeros(size, np.int64)
        alike = np.zeros(size, np.int64)
        at = 0
        own = 0
        for p in range(pieces[g], pieces[g + 1]):
            length = end[p] - start[p]
            if mine[p]:
                own = at
            if shape[p] >= 0:
                weight[at : at + length] = weights[shape[p], start[p] : end[p]]
                alike[at : at + length] = 1
            at += length
        parts = spread(total[g], weight if weight.any() else alike)
        for p in range(pieces[g], pieces[g + 1]):
            if mine[p]:
                for t in range(end[p] - start[p]):
                    volume[cell[g], direction[g], first[g] + t] += parts[own + t]
                    points[cell[g], direction[g], first[g] + t] += 1
