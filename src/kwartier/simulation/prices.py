"""A stand-in for the prices of imbalance, made of rounded figures of a real year."""

from __future__ import annotations

from datetime import date
from math import erf, sqrt

import numpy as np

from kwartier import periods
from kwartier.simulation.figures import figures, generator, remembering
from kwartier.simulation.points import Ints


def imbalance_prices(day: date, seed: int) -> tuple[Ints, Ints]:
    """Make the prices of a market day.

    Returns
    -------
    surplus, shortage : (periods) [cent per MWh]; what a surplus earns and what a shortage costs.
    """
    figure, count = figures()["imbalance_price"], periods.count(day)
    rng = generator(seed, 24, periods.number(day))
    wander = remembering(rng.standard_normal(count), figure["lag_1"])
    rank = [(1.0 + erf(z / sqrt(2.0))) / 2.0 for z in wander.tolist()]
    at, off = zip(*figure["off_quantiles"].items(), strict=True)
    mean = np.array(figure["hour_mean"], np.float64)[periods.local_hours(day)]
    middle = mean + np.interp(rank, at, off)
    apart = np.where(rng.random(count) < figure["two_prices_share"], figure["apart"], 0.0) / 2.0
    surplus, shortage = (np.rint(100.0 * (middle + side * apart)) for side in (-1.0, 1.0))
    return surplus.astype(np.int64), shortage.astype(np.int64)
