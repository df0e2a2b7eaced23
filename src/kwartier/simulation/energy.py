"""The true energy of a market day: use and panels, netted behind the meter, per quarter-hour."""

from __future__ import annotations

from datetime import date

import numpy as np

from kwartier import periods
from kwartier.simulation.appliances import with_appliances
from kwartier.simulation.figures import Floats, day_shape, figures, generator, remembering
from kwartier.simulation.points import Ints, Points

# Random numbers are made per block of points, so a block is the same whatever is asked with it.
BLOCK = 4_096


def true_volumes(points: Points, day: date, seed: int) -> Ints:
    """Make the true volumes of a market day.

    Returns
    -------
    volume_wh : int64 (2, points, periods) [Wh]; offtake and infeed, each within the capacity.
    """
    n, count = len(points.number), periods.count(day)
    out = np.empty((2, n, count), np.int64)
    sunshine = sun(day, seed)
    for first in range(0, n, BLOCK):
        part = slice(first, min(first + BLOCK, n))
        out[:, part] = _block(points, part, day, seed, sunshine)
    return out


def _block(points: Points, part: slice, day: date, seed: int, sunshine: Floats) -> Ints:
    size = part.stop - part.start
    rng = generator(seed, 3, periods.number(day), part.start)
    load = points.load_wh[part] * day_shape(day, "offtake")[:, None]
    load *= _load_noise(rng, size, day, generator(seed, 4, part.start))
    load = with_appliances(points, part, day, seed, load)
    figure = figures()["solar"]
    own = np.exp(figure["point_log_sd"] * rng.standard_normal(load.shape))
    made = points.solar_wh[part] * sunshine[:, None] * own
    # Within the quarter the load is above its mean in one half and below it in the other.
    swing = figure["load_swing"]
    net = (load * (1.0 - swing) - made, load * (1.0 + swing) - made)
    ways = (
        0.5 * sum(np.maximum(half, 0.0) for half in net),
        0.5 * sum(np.maximum(-half, 0.0) for half in net),
    )
    limit = points.limit_wh[part, None]
    return np.stack([np.minimum(np.rint(way).astype(np.int64).T, limit) for way in ways])


def _load_noise(
    rng: np.random.Generator, size: int, day: date, habits: np.random.Generator
) -> Floats:
    """Give the ratio of each quarter-hour to the mean shape [period, point], mean 1."""
    noise = figures()["load_noise"]
    count = periods.count(day)
    habit = noise["hour_log_sd"] * habits.standard_normal((24, size))
    habit = habit[periods.local_hours(day)]
    today = noise["day_log_sd"] * rng.standard_normal(size)
    wander = noise["base_log_sd"] * remembering(
        rng.standard_normal((count, size)), noise["base_lag_1"]
    )
    ratio = noise["base_median"] * np.exp(wander + today + habit)
    starts = rng.random((count, size)) < noise["spike_start_share"]
    height = np.where(starts, rng.exponential(noise["spike_mean_height"], (count, size)), 0.0)
    for later in range(noise["spike_quarters"]):
        ratio[later:] += height[: count - later]
    return np.asarray(ratio, np.float64)


def sun(day: date, seed: int) -> Floats:
    """Give the share of a year's production in each period, with the weather of the day."""
    weather = figures()["weather"]
    rng = generator(seed, 2, periods.number(day))
    at, level = zip(*weather["day_quantiles"].items(), strict=True)
    today = np.interp(rng.random(), at, level)
    clouds = remembering(rng.standard_normal(periods.count(day)), weather["quarter_lag_1"])
    sd = weather["quarter_log_sd"]
    return np.asarray(day_shape(day, "infeed") * today * np.exp(sd * clouds - sd**2 / 2.0))
