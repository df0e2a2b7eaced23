"""Exact shares in whole numbers that may pass int64: annual volumes × fractions, spread residuals.

What rounding leaves goes one Wh each to the largest remainders; of equal ones the lower place
first. Source: decisions §1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kwartier.arrays import FRACTION_SCALE, Int64s

# Of Python's integers, which do not overflow.
Products = np.ndarray[tuple[int, ...], np.dtype[np.object_]]


def half_up(numerator: int, denominator: int) -> int:
    """Divide and round half up; the denominator is above 0."""
    return (2 * numerator + denominator) // (2 * denominator)


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Spread a whole number, of either sign, over weights that are 0 or more and not all 0.

    Returns
    -------
    parts : sum to the total; a total below 0 is spread by its size, with the sign put back.
    """
    sign, size, whole = (-1 if total < 0 else 1), abs(total), sum(weights)
    exact = [divmod(size * weight, whole) for weight in weights]
    parts = [part for part, _ in exact]
    order = sorted(range(len(exact)), key=lambda i: (-exact[i][1], i))
    for i in order[: size - sum(parts)]:
        parts[i] += 1
    return [sign * part for part in parts]


def spread_each(totals: Int64s, weights: Int64s) -> Int64s:
    """Spread whole numbers, 0 or more, each over the same weights, as spread() does.

    Parameters
    ----------
    totals : (n). weights : (parts), 0 or more; where they are all 0, so are the parts.

    Returns
    -------
    parts : (n, parts); each row sums to its total.
    """
    whole = sum(weights.tolist())
    if not whole:
        return np.zeros((len(totals), len(weights)), np.int64)
    exact = np.multiply.outer(totals.astype(object), weights.astype(object))
    parts = exact // whole
    order = np.argsort((parts * whole - exact).astype(np.int64), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    made = parts.astype(np.int64)
    return np.asarray(made + (rank < (totals - made.sum(axis=1))[:, None]), np.int64)


def by_tariff(basis: Int64s, total: Int64s, low: Int64s) -> Int64s:
    """Give the annual volume that each fraction is of: both tariffs', or the period's own [Wh].

    Parameters
    ----------
    basis : OF_TOTAL, OF_NORMAL or OF_LOW. total, low : that can be laid beside it.
    """
    if not basis.any():  # all of the total, as most are
        return np.broadcast_to(total, basis.shape)
    return np.choose(basis, [total, total - low, low])


def of_annual(annual: Int64s, fraction: Int64s) -> list[int]:
    """Spread a cell's annual volume over a day: annual × fraction, exact to the Wh.

    Parameters
    ----------
    annual : (periods) [Wh], the annual volume that holds in each period.
    fraction : (periods) [1e-8].

    Returns
    -------
    volume : (periods) [Wh]; sums to the day's exact total, rounded half up, by largest remainder.
    """
    exact = [a * f for a, f in zip(annual.tolist(), fraction.tolist(), strict=True)]
    total = half_up(sum(exact), FRACTION_SCALE)
    volume = [e // FRACTION_SCALE for e in exact]
    order = sorted(range(len(exact)), key=lambda t: (-(exact[t] % FRACTION_SCALE), t))
    for t in order[: total - sum(volume)]:
        volume[t] += 1
    return volume


def products(annual: Int64s, fraction: Int64s) -> Products:
    """Multiply annual volumes by fractions, as Python's integers [1e-8 Wh]."""
    return np.asarray(annual.astype(object) * fraction.astype(object), object)
