"""The figures of the simulation, and the standard shape of a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from kwartier import parameters, periods

Floats = npt.NDArray[np.float64]

KINDS = ("weekday", "saturday", "sunday")


@lru_cache(maxsize=1)
def figures() -> Mapping[str, Any]:
    """Give what was measured or assumed, with its source."""
    loaded: Mapping[str, Any] = yaml.safe_load(
        files(__package__).joinpath("figures.yaml").read_text("utf-8")
    )
    return loaded


def generator(*key: int) -> np.random.Generator:
    """Make the random numbers of one key, so that no order of work can change them."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))


def day_kind(day: date) -> int:
    """Tell weekday (0), Saturday (1) or Sunday (2)."""
    return max(0, day.weekday() - 4)


def month_days(first: date) -> npt.NDArray[np.int64]:
    """Count the weekdays, Saturdays and Sundays of the month that starts on a day."""
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    length = (following - first).days
    kinds = [max(0, (first.weekday() + i) % 7 - 4) for i in range(length)]
    return np.bincount(kinds, minlength=3)


@lru_cache(maxsize=256)
def hour_shares(first: date, direction: str) -> Floats:
    """Spread a year over the quarter-hours of a month, by kind of day and local clock hour.

    Returns
    -------
    share : (3, 24) [1/year] of one quarter-hour.
    """
    profile = parameters.standard_profile()[direction]
    weights = profile["hour_weight"]
    if direction == "infeed":
        table = np.tile(np.array(weights[first.month - 1], np.float64), (3, 1))
    else:
        table = np.array([weights[kind][first.month - 1] for kind in KINDS], np.float64)
    total = 4.0 * float((table.sum(axis=1) * month_days(first)).sum())
    share = profile["month_share_per_10000"][first.month - 1] / 10_000.0
    return np.asarray(table * (share / total), np.float64)


def day_shape(day: date, direction: str) -> Floats:
    """Spread a year over the periods of a market day.

    Parameters
    ----------
    direction : "offtake" (a load) or "infeed" (panels, before own use).

    Returns
    -------
    share : (periods of the day) [1/year], drawn straight between the middles of the hours.
    """
    shares = hour_shares(day.replace(day=1), direction)[day_kind(day)]
    quarter = np.arange(periods.count(day)) % 4
    clock = periods.local_hours(day) + (quarter + 0.5) / 4.0
    return np.asarray(np.interp(clock, np.arange(24) + 0.5, shares, period=24.0), np.float64)


def low_tariff(day: date) -> npt.NDArray[np.bool_]:
    """Tell which periods are in the low tariff: weekends, and weekdays before 7, after 23."""
    hours = periods.local_hours(day)
    return np.asarray((hours < 7) | (hours >= 23) | (day.weekday() >= 5))


def remembering(noise: Floats, lag_1: float) -> Floats:
    """Give independent standard noise [time, …] the memory of its predecessor."""
    out = noise.copy()
    fresh = (1.0 - lag_1**2) ** 0.5
    for t in range(1, len(out)):
        out[t] = lag_1 * out[t - 1] + fresh * noise[t]
    return out
