"""What electric cars and heat pumps take in a day, and what a dynamic contract moves."""

from __future__ import annotations

from datetime import date

import numpy as np

from kwartier import periods
from kwartier.simulation.figures import Floats, figures, generator, month_days
from kwartier.simulation.points import Bools, Ints, Points


def with_appliances(points: Points, part: slice, day: date, seed: int, load: Floats) -> Floats:
    """Add cars and heat pumps to the load of a block of points, and move what can be moved.

    Parameters
    ----------
    load : (periods, points of the block) [Wh].
    """
    cars, pumps, dynamic = points.car_wh[part], points.pump_wh[part], points.dynamic[part]
    if not (cars.any() or pumps.any() or dynamic.any()):
        return load
    rng = generator(seed, 21, periods.number(day), part.start)
    cheap = _cheap_hour(day, seed)
    load = load + _heat(pumps, day, seed, rng)
    load = _moved(load, dynamic, day, cheap)
    return load + _charged(cars, points.limit_wh[part], dynamic, day, cheap, rng)


def _cheap_hour(day: date, seed: int) -> float:
    """Tell at which hour of the local clock the day's cheapest hours begin."""
    figure = figures()["mix"]["dynamic"]
    noon = figure["cheap_at_noon"]["summer" if 4 <= day.month <= 9 else "winter"]
    at_noon = generator(seed, 22, periods.number(day)).random() < noon
    return float(figure["noon_hour"] if at_noon else figure["night_hour"])


def _clock(day: date) -> Floats:
    quarter = np.arange(periods.count(day)) % 4
    return np.asarray(periods.local_hours(day) + quarter / 4.0)


def _heat(yearly: Floats, day: date, seed: int, rng: np.random.Generator) -> Floats:
    figure = figures()["mix"]["pumps"]
    share = figure["month_share_per_10000"][day.month - 1] / 10_000.0
    days = month_days(day.replace(day=1)).sum()
    weather = generator(seed, 23, periods.number(day)).standard_normal()
    sd = figure["day_log_sd"]
    level = share / days / 96.0 * np.exp(sd * weather - sd**2 / 2.0)
    hour = np.array(figure["hour_weight"], np.float64)
    shape = (hour / hour.mean())[periods.local_hours(day)]
    sd = figure["quarter_log_sd"]
    noise = np.exp(sd * rng.standard_normal((len(shape), len(yearly))) - sd**2 / 2.0)
    return np.asarray(level * shape[:, None] * noise * yearly)


def _moved(load: Floats, dynamic: Bools, day: date, cheap: float) -> Floats:
    """Move a part of the evening's load to the cheapest hours, where the contract is dynamic."""
    figure = figures()["mix"]["dynamic"]
    clock = _clock(day)
    first, last = figure["dear_hours"]
    dear = ((clock >= first) & (clock < last))[:, None] * dynamic
    taken = load * dear * figure["moved_share"]
    window = (clock >= cheap) & (clock < cheap + figure["cheap_hours"])
    return np.asarray(load - taken + np.outer(window / window.sum(), taken.sum(axis=0)))


def _charged(
    yearly: Floats,
    limit: Ints,
    dynamic: Bools,
    day: date,
    cheap: float,
    rng: np.random.Generator,
) -> Floats:
    """Charge the cars that are charged today, at one power from their start until they are full."""
    figure, size, count = figures()["mix"]["cars"], len(yearly), periods.count(day)
    today = rng.random(size) < figure["day_share"]
    sd = figure["session_log_sd"]
    session = np.exp(sd * rng.standard_normal(size) - sd**2 / 2.0)
    energy = np.where(today, yearly / 365.0 / figure["day_share"] * session, 0.0)
    power = np.minimum(figure["power_wh"], figure["most_of_capacity"] * limit)
    evening = rng.normal(figure["start_hour"], figure["start_sd"], size)
    later = cheap + figure["cheap_spread"] * rng.random(size)
    start = 4.0 * np.where(dynamic, later, evening)[None, :] % count
    full = start + np.minimum(energy / power, count - 1.0)
    at = np.arange(count, dtype=np.float64)[:, None]
    # What is left at midnight is charged at the beginning of the same day: so days stay apart.
    parts = [
        np.clip(np.minimum(t + 1.0, full) - np.maximum(t, start), 0.0, 1.0)
        for t in (at, at + count)
    ]
    return np.asarray(sum(parts) * power)
