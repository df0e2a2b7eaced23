"""What allocated volumes that are not the true ones do to the parties: error, money, corrections.

All sums are of whole numbers, so they are exact. An imbalance price is a whole number of cents per
MWh, an amount a whole number of 1e-8 EUR: Wh × cent per MWh. Source: domain §1, §9; decisions §42.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from kwartier.arrays import Int64s

EUR_DECIMALS = 8


class Prices(NamedTuple):
    """What a surplus earns and what a shortage costs: (periods) [cent per MWh]."""

    surplus: Int64s
    shortage: Int64s


class Cost(NamedTuple):
    """What each party pays and gets for energy that is not its own: (parties) [1e-8 EUR]."""

    charged: list[int]
    credited: list[int]


@dataclass(frozen=True)
class Verdict:
    """What a way of allocating does to a party, or to all of them together.

    Attributes
    ----------
    energy_wh : what its small connections truly took and gave.
    quarter_wh : how far its position was off, without signs, quarter by quarter.
    day_wh : the same day by day, so that within a day errors cancel.
    reconcile_wh : offtake and infeed, each over all days and per grid area, that later readings
        would show to be another's.
    provisional_wh : energy of which no meter's measurement of the quarter was used.
    charged, credited : what it paid, and got, for energy that is not its own [1e-8 EUR].
    """

    energy_wh: int = 0
    quarter_wh: int = 0
    day_wh: int = 0
    reconcile_wh: int = 0
    provisional_wh: int = 0
    charged: int = 0
    credited: int = 0

    def plus(self, other: Verdict) -> Verdict:
        """Add what it does to another party."""
        return Verdict(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def position_error(allocated: Int64s, true: Int64s) -> Int64s:
    """Tell how much too long the allocation makes each party.

    Parameters
    ----------
    allocated, true : (parties, 2, periods) [Wh]; the directions are offtake, infeed.

    Returns
    -------
    error : (parties, periods) [Wh]; above 0 where it took less or fed in more than it truly did.
    """
    error = allocated - true
    return np.asarray(error[:, 1] - error[:, 0])


def cost(error_wh: Int64s, prices: Prices) -> Cost:
    """Price the errors of positions as imbalance: a surplus at its price, a shortage at its own.

    It is what a party is settled for whose programme was right: all of its imbalance is then the
    error of the allocation. A price below 0 turns who pays.

    Parameters
    ----------
    error_wh : (parties, periods) [Wh].
    """
    charged, credited = [], []
    for row in error_wh.tolist():
        amounts = [
            wh * (surplus if wh > 0 else shortage)
            for wh, surplus, shortage in zip(
                row, prices.surplus.tolist(), prices.shortage.tolist(), strict=True
            )
        ]
        charged.append(-sum(amount for amount in amounts if amount < 0))
        credited.append(sum(amount for amount in amounts if amount > 0))
    return Cost(charged, credited)


def judge(
    names: Sequence[str],
    allocated: Int64s,
    measured: Int64s,
    true: Int64s,
    day_of: Int64s,
    prices: Prices,
) -> dict[str, Verdict]:
    """Judge an allocation by what it does to each party.

    Parameters
    ----------
    names : of each row of the volumes the party it belongs to; a party may have rows in areas.
    allocated, true : (rows, 2, periods) [Wh]; measured : (rows, 2) [Wh] of the allocated.
    day_of : (periods) the number of the day that each is in.

    Returns
    -------
    verdicts : by name, in order.
    """
    parties = sorted(set(names))
    place = np.array([parties.index(name) for name in names])
    position = np.zeros((len(parties), allocated.shape[2]), np.int64)
    np.add.at(position, place, position_error(allocated, true))
    firsts = np.flatnonzero(np.diff(day_of, prepend=day_of[0] - 1))
    by_day = np.add.reduceat(position, firsts, axis=1)
    later = np.abs((allocated - true).sum(axis=2)).sum(axis=1)
    provisional = (true.sum(axis=2) - measured).sum(axis=1)
    money = cost(position, prices)
    return {
        name: Verdict(
            int(true[place == at].sum()),
            int(np.abs(position[at]).sum()),
            int(np.abs(by_day[at]).sum()),
            int(later[place == at].sum()),
            int(provisional[place == at].sum()),
            money.charged[at],
            money.credited[at],
        )
        for at, name in enumerate(parties)
    }


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """Add up what an allocation does to all parties."""
    total = Verdict()
    for verdict in verdicts:
        total = total.plus(verdict)
    return total


# What is shown: off by quarter and to be corrected [% of energy], paid for others [EUR per MWh].
MEASURES = ("error", "paid", "corrected")


def measures(verdict: Verdict) -> dict[str, Fraction]:
    """Relate a verdict to the energy of the small connections; all 0 where there is none."""
    energy = verdict.energy_wh
    if not energy:
        return dict.fromkeys(MEASURES, Fraction(0))
    return {
        "error": Fraction(100 * verdict.quarter_wh, energy),
        "paid": Fraction(verdict.charged, energy * 10 ** (EUR_DECIMALS - 6)),
        "corrected": Fraction(100 * verdict.reconcile_wh, energy),
    }


def euros(amount: int) -> Decimal:
    """Write an amount of 1e-8 EUR in euros, exactly."""
    return Decimal(amount).scaleb(-EUR_DECIMALS)


def interval(result: float, drawn: Sequence[float], part: float = 0.95) -> tuple[float, float]:
    """Lay the spread of resamples around a result.

    Who is drawn twice makes its error twice, so the sums without signs of resamples lie higher than
    the result, by up to the root of 2. So the interval is the result times the quantiles of the
    resamples over their median, and not those quantiles themselves.

    Parameters
    ----------
    part : of the resamples between the two ends.
    """
    middle = float(np.median(drawn))
    if middle == 0:
        return result, result
    low, high = np.quantile(drawn, [(1 - part) / 2, (1 + part) / 2])
    return result * float(low) / middle, result * float(high) / middle
